"""Outages of an OPC UA server: killed, frozen; how fast it is noticed, what is said about it, what comes after."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from opcua_bench import ServerProcess, Wire, job_order, machine, mark, plc, signals_file
from patience import PATIENCE_S, until
from proof import Part

from connectors.connector import Absent, Gap, Health, NotConnected, Receipt, RetryableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from proof import Proof

    from connectors.connector import Item
    from connectors.plc.opcua import PlcOpcua


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path).start()
    yield process
    process.kill()


async def until_lost(source: PlcOpcua, bookmark: str | None, items: list[Item]) -> None:
    with pytest.raises(NotConnected):
        async for item in source.read(bookmark):
            items.append(item)


async def connect_again(source: PlcOpcua) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                return await source.connect()
            except RetryableError:
                await asyncio.sleep(0.2)


def marks(items: list[Item]) -> list[Any]:
    return [
        reading.text
        for item in items
        for message in item.messages
        if not isinstance(message, Gap) and message.object == "process_value"
        for reading in message.body.reading
        if reading.signal == "mark"
    ]


async def test_a_killed_server_is_noticed_and_comes_back_with_a_gap(
    server: ServerProcess, tmp_path: Path, proof: Proof
) -> None:
    source = plc(server.url, signals_file(tmp_path))
    await source.connect()
    job = job_order()
    assert isinstance((await source.write([job]))[0], Receipt)
    items: list[Item] = []
    reading = asyncio.create_task(until_lost(source, None, items))
    async with machine(server.url) as bench:
        await bench.write("Mark", "before")
        await until(lambda: "before" in marks(items))
    last_data = datetime.now(UTC)
    server.kill()
    killed_at = time.monotonic()
    await asyncio.wait_for(reading, PATIENCE_S)
    assert proof.in_time(time.monotonic() - killed_at, 6)
    assert (await source.probe()).health is Health.DOWN
    with pytest.raises(NotConnected):
        await source.connect()

    server.start()
    back_at = time.monotonic()
    await connect_again(source)
    back_s = time.monotonic() - back_at
    bookmark = [item.bookmark for item in items if item.bookmark][-1]
    again = source.read(bookmark)
    gap = (await anext(again)).messages[0]
    assert proof.in_time(time.monotonic() - back_at, 10)
    assert isinstance(gap, Gap)
    assert gap.until is not None
    assert abs(gap.since - last_data) < timedelta(seconds=PATIENCE_S)
    assert gap.since < gap.until <= datetime.now(UTC)
    text = mark()
    async with machine(server.url) as bench:
        await bench.write("Mark", text)
    async with asyncio.timeout(PATIENCE_S):
        async for item in again:
            if text in marks([item]):
                break
    assert isinstance(await source.find(job), Receipt), "the machine remembers the job"
    assert await source.find(job_order()) == Absent()
    await again.aclose()
    await source.close()
    proof(
        Part.SOURCE,
        fault="SIGKILL of an OPC UA server",
        load="a machine's signals at their own pace",
        expected="noticed within 6 s, back within 10 s of its return, with a gap that says since when",
        seen=f"connected again {back_s:.1f} s after its return; gap of {(gap.until - gap.since).total_seconds():.1f} s",
    )


async def test_a_frozen_connection_is_noticed(server: ServerProcess, tmp_path: Path) -> None:
    """Half-open: nothing comes any more, nobody says why."""
    wire = Wire(server.url)
    await wire.up()
    source = plc(wire.url, signals_file(tmp_path), request_timeout_s=4.0)
    await source.connect()
    items: list[Item] = []
    reading = asyncio.create_task(until_lost(source, None, items))
    await until(lambda: items)
    wire.silence()
    await asyncio.wait_for(reading, PATIENCE_S)
    await source.connect()
    await until(source.probe, good=lambda probe: probe.health is Health.OK)
    await source.close()
    await wire.down()


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"ERRF\xff\xff\xff\x7f", b"\x00" * 4096])
async def test_a_server_of_another_kind_is_not_connected(tmp_path: Path, answer: bytes) -> None:
    """Something listens there, and it isn't OPC UA."""

    async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1024)
        writer.write(answer)
        await writer.drain()
        await reader.read(1024)
        writer.close()

    listener = await asyncio.start_server(reply, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    source = plc(f"opc.tcp://127.0.0.1:{port}", signals_file(tmp_path), request_timeout_s=0.5)
    with pytest.raises(NotConnected):
        await source.connect()
    assert (await source.probe()).health is Health.DOWN
    await source.close()
    listener.close()
