"""A machine that never waits, and a broker that stores nothing for longer than the machine's spool lasts."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import httpx
import nats
from asyncua import ua
from factory import running
from proof import Part, Proof

from mombus.hub import note
from plant.line import PackagingLine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from asyncua import Node

BENCH = "urn:acme:bench"
SIGNALS = """
namespace: urn:acme:bench
equipment:
  FILLER1:
    path: /Objects/Bench
    signals:
      - {signal: number, node: Number, object: process_value, unit: MLT, queue_size: 100, sampling_interval_ms: 5}
"""
EQUIPMENT = "id,parent,level\nLYON,,Site\nLINE1,LYON,ProductionLine\nFILLER1,LINE1,WorkUnit\n"
PLANT = {"enterprise": "acme", "site": "lyon", "timezone": "Europe/Paris", "equipment": "equipment.csv"}


class Machine:
    """Counts up, whether somebody listens or not."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.number = 0
        self.stands = False

    async def count(self) -> None:
        """Thirty times a second, until it stands."""
        while not self.stands:
            self.number += 1
            value = ua.Variant(float(self.number), ua.VariantType.Double)
            await self._node.write_value(ua.DataValue(value, SourceTimestamp=datetime.now(UTC)))
            await asyncio.sleep(1 / 30)


@asynccontextmanager
async def machine(folder: Path) -> AsyncIterator[tuple[str, Machine]]:
    """A running machine and where its server is."""
    line = PackagingLine(pace=1)
    await line.start()
    assert line.server
    space = await line.server.register_namespace(BENCH)
    parent = await line.server.nodes.objects.add_object(space, "Bench")
    counting = Machine(await parent.add_variable(space, "Number", 0.0, ua.VariantType.Double))
    (folder / "signals.yaml").write_text(SIGNALS)
    (folder / "equipment.csv").write_text(EQUIPMENT)
    task = asyncio.create_task(counting.count())
    try:
        yield line.url, counting
    finally:
        task.cancel()
        await line.stop()


async def stored(url: str) -> tuple[list[int], list[dict[str, Any]]]:
    """Every number on the bus in its order, and the gaps."""
    client = await nats.connect(url)
    try:
        js = client.jetstream()
        readings = [json.loads(data) for data in await everything(js, "SIGNALS", "sig.lyon.process_value.>")]
        gaps = [json.loads(data) for data in await everything(js, "MOM", "mom.lyon.gap.>")]
    finally:
        await client.close()
    return [int(float(one["value"])) for body in readings for one in body["reading"]], gaps


async def everything(js: Any, stream: str, subject: str) -> list[bytes]:
    subscription = await js.pull_subscribe(subject, stream=stream)
    found: list[bytes] = []
    with suppress(TimeoutError):
        while True:
            found += [message.data for message in await subscription.fetch(500, timeout=1)]
    return found


async def test_what_a_machine_says_meanwhile_is_kept_and_the_rest_is_counted_by_gaps(
    tmp_path: Path, proof: Proof
) -> None:
    async with machine(tmp_path) as (url, counting):
        systems = {
            "line1": {"connector": "plc.opcua", "url": url, "signals": "signals.yaml", "spool": "20 KB",
                      "publishing_interval_ms": 100, "flush_ms": 50},
        }  # fmt: skip
        async with running(
            tmp_path, {}, plant=PLANT, systems=systems, objects={"process_value": {"owner": "line1"}}, routes=[]
        ) as hub:  # fmt: skip
            broker = note.find(tmp_path / "hub").broker
            await seen(hub.url, lambda status: status["systems"][0]["last_data"])
            process = int((tmp_path / "hub" / "broker" / "broker.pid").read_text().split()[0])
            os.kill(process, signal.SIGSTOP)
            trouble = await seen(hub.url, lambda status: "values lost since" in str(status["trouble"]))
            await asyncio.sleep(1)
            os.kill(process, signal.SIGCONT)
            await seen(hub.url, lambda status: "wait on disk" not in str(status["trouble"]))
            counting.stands = True
            await asyncio.sleep(0.1)
            last = counting.number
            await numbered(broker, last)
            numbers, gaps = await stored(broker)
    jumps = [(one, two) for one, two in pairwise(numbers) if two != one + 1]
    assert 1 <= len(gaps) == len(jumps), (gaps, jumps)
    missing = sum(two - one - 1 for one, two in jumps)
    assert missing == sum(gap["lost"] for gap in gaps) > 0
    assert {gap["equipment_id"] for gap in gaps} == {"FILLER1"}
    assert any("line1: " in line and "values lost" in line for line in trouble["trouble"])
    proof(
        Part.SOURCE, fault="broker frozen until the spool of an OPC UA machine is full",
        load="30 values a second", expected="in order; what is missing is told by gaps, counted to the value",
        seen=f"{len(numbers)} of {last} values on the bus, {missing} missing, counted by {len(gaps)} gap(s)",
    )  # fmt: skip


async def seen(url: str, wanted: Callable[[Any], Any]) -> Any:
    """The status once it is as wanted."""
    async with httpx.AsyncClient(trust_env=False, timeout=10) as http, asyncio.timeout(60):
        while True:
            status = (await http.get(f"{url}/api/status")).json()
            if wanted(status):
                return status
            await asyncio.sleep(0.1)


async def numbered(url: str, last: int) -> None:
    """Return once that number is on the bus."""
    async with asyncio.timeout(60):
        while last > max((await stored(url))[0], default=0):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.2)
