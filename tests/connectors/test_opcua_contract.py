"""`plc.opcua` against the contract suite: a real server process, the wire to it cut and made dumb."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pytest
from opcua_bench import ServerProcess, Wire, job_order, machine, mark, plc, signals_file

from connectors.contract import ConnectorContract, Harness, SinkContract, SourceContract

if TYPE_CHECKING:
    from collections.abc import Iterator

    from canonical.message import Message
    from connectors.connector import Item
    from connectors.plc.opcua import PlcOpcua


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path_factory.mktemp("opcua")).start()
    yield process
    process.kill()


class OpcuaHarness(Harness):
    tells_gaps = True

    def __init__(self, server: ServerProcess, folder: Path) -> None:
        self._server, self._wire = server, Wire(server.url)
        self._signals = signals_file(folder)

    async def start(self) -> None:
        await self._wire.up()

    async def stop(self) -> None:
        await self._wire.down()

    async def kill(self) -> None:
        await self._wire.down()

    async def restart(self) -> None:
        await self._wire.up()

    def connector(self) -> PlcOpcua:
        return plc(self._wire.url, self._signals, write_timeout_s=4.0)

    async def say(self, count: int) -> list[str]:
        marks = [mark() for _ in range(count)]
        async with machine(self._server.url) as bench:
            for text in marks:
                await bench.write("Mark", text)
        return marks

    async def say_badly(self) -> None:
        async with machine(self._server.url) as bench:
            await bench.write("Array", [0.5] * 2000)

    def heard(self, item: Item) -> list[str]:
        return [
            reading.text
            for message in item.messages
            if getattr(message, "object", "") == "process_value"
            for reading in message.body.reading
            if reading.signal == "mark" and reading.text
        ]

    def good(self, count: int) -> list[Message]:
        return [job_order() for _ in range(count)]

    def bad(self) -> Message:
        return job_order(quantity=None)

    async def effects(self, message: Message) -> int:
        async with machine(self._server.url) as bench:
            return (await bench.jobs()).count(message.key)

    async def swallow_next_reply(self) -> None:
        self._wire.silence()


class TestPlcOpcua(SourceContract, SinkContract, ConnectorContract):
    exempt: ClassVar = {
        "test_says_again_what_its_documents_mean": "OPC UA values are no documents: the messages say it all",
        "test_goes_on_from_its_bookmark": "OPC UA keeps nothing for those who aren't subscribed; a gap says so instead",
    }

    @pytest.fixture(autouse=True)
    def _server(self, server: ServerProcess) -> None:
        self.server = server

    def make_harness(self, tmp_path: Path) -> Harness:
        return OpcuaHarness(self.server, tmp_path)
