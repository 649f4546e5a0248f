"""What the OPC UA tests share: server processes, a wire that can be cut, a client that plays the machine."""

from __future__ import annotations

import asyncio
import itertools
import os
import subprocess
import sys
import textwrap
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from asyncua import Client, ua
from patience import PATIENCE_S
from ports import free_port

from canonical.isa95.work import JobOrder
from canonical.message import Message
from connectors.connector import Surroundings
from connectors.plc.opcua import PlcOpcua

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ROOT = Path(__file__).parents[2]
SERVER = Path(__file__).with_name("opcua_server.py")
BENCH = "urn:acme:bench"
SIGNALS = """
namespace: urn:acme:bench
equipment:
  BENCH1:
    path: /Objects/Bench
    signals:
      - {signal: mark, node: Mark, object: process_value, queue_size: 100, sampling_interval_ms: 0}
      - {signal: number, node: Number, object: process_value, unit: MLT, queue_size: 5000, sampling_interval_ms: 0}
      - {signal: single, node: Single, object: process_value, queue_size: 100, sampling_interval_ms: 0}
      - {signal: array, node: Array, object: process_value, queue_size: 100, sampling_interval_ms: 0}
      - {signal: counter, node: Counter, object: count, queue_size: 100, sampling_interval_ms: 0}
      - {signal: state, node: State, object: equipment_state, queue_size: 100, sampling_interval_ms: 0}
"""
_numbers = itertools.count(1)


class ServerProcess:
    """`opcua_server.py`, killable."""

    def __init__(self, folder: Path, *flags: str) -> None:
        self.folder, self.flags, self.url = folder, flags, ""
        self._port = free_port()
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> ServerProcess:
        place = self.folder if "--secure" in self.flags else self.folder / "memory.json"
        self._process = subprocess.Popen(
            [sys.executable, str(SERVER), str(self._port), str(place), *self.flags],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        assert self.url, "the test server didn't start"
        return self

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None


class Wire:
    """A TCP connection to a server that can be cut, be made dumb, and come back at the same port."""

    def __init__(self, url: str) -> None:
        self._target = urlsplit(url).port
        self._server: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self.port, self.dumb = free_port(), False

    @property
    def url(self) -> str:
        return f"opc.tcp://127.0.0.1:{self.port}/line1"

    async def up(self) -> None:
        self.dumb = False
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)

    async def down(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in self._writers:
            with suppress(Exception):
                writer.transport.abort()
        self._writers.clear()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_reader, to_writer = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers += [writer, to_writer]
        # Only connections made while the wire was dumb stay so: a new one works.
        dumb = [False]
        self._dumb = dumb
        for source, sink, answers in ((reader, to_writer, False), (to_reader, writer, True)):
            task = asyncio.create_task(self._pump(source, sink, dumb, answers=answers))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def silence(self) -> None:
        """From now on the open connection carries no answers."""
        self._dumb[0] = True

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, dumb: list[bool], *, answers: bool
    ) -> None:
        with suppress(OSError):
            while data := await source.read(65536):
                if not (answers and dumb[0]):
                    sink.write(data)
                    await sink.drain()
        sink.close()


@asynccontextmanager
async def machine(url: str) -> AsyncIterator[Machine]:
    """A client of its own on the server, as the machine's program would write its nodes."""
    async with Client(url, timeout=PATIENCE_S, watchdog_intervall=PATIENCE_S) as client:
        yield Machine(client, await client.get_namespace_index(BENCH))


class Machine:
    def __init__(self, client: Client, namespace: int) -> None:
        self.client, self._namespace = client, namespace

    async def write(self, name: str, value: Any, **data: Any) -> None:
        path = ["0:Objects", f"{self._namespace}:Bench", f"{self._namespace}:{name}"]
        node = await self.client.nodes.root.get_child(path)
        kind = await node.read_data_type_as_variant_type()
        data.setdefault("SourceTimestamp", datetime.now(UTC))
        await node.write_value(ua.DataValue(ua.Variant(value, kind), **data))

    async def jobs(self) -> list[str]:
        line = await self.client.get_namespace_index("urn:acme:line1")
        path = ["0:Objects", f"{line}:Line1", f"{line}:JobOrderReceiver", f"{line}:JobOrderIDs"]
        found: list[str] = await (await self.client.nodes.root.get_child(path)).read_value()
        return found


def plc(url: str, signals: Path, **config: Any) -> PlcOpcua:
    """The connector; it waits long for a machine that a busy computer holds up, unless the test is about just that."""
    patient = {"write_timeout_s": 20.0, "request_timeout_s": 20.0}
    config = {"publishing_interval_ms": 20, "flush_ms": 10, **patient, **config}
    made = PlcOpcua.Config(connector="plc.opcua", url=url, signals=signals.name, **config)
    return PlcOpcua(made, Surroundings("line1", "lyon", ZoneInfo("Europe/Paris"), folder=str(signals.parent)))


def signals_file(folder: Path, text: str = SIGNALS) -> Path:
    """The bench's signals with the line's own command for job orders."""
    line = (ROOT / "plant" / "line1.yaml").read_text("utf-8")
    commands = line[line.index("commands:") :].replace("/Objects/Line1", "/Objects/{urn:acme:line1}Line1")
    path = folder / "signals.yaml"
    path.write_text(textwrap.dedent(text) + commands, "utf-8")
    return path


def job_order(quantity: str | None = "1", id: str | None = None) -> Message:
    produced = {"id": "1", "material_definition_id": "FG-1000", "material_use": "Produced"}
    if quantity is not None:
        produced["quantity"] = {"value": quantity, "unit_of_measure": "H87"}
    now = datetime.now(UTC)
    body = JobOrder.model_validate({
        "id": id or f"JO-{os.getpid()}-{next(_numbers)}", "production_order_id": "PO-4711",
        "material_requirement": (produced,),
    })  # fmt: skip
    return Message.of("job_order", body, source="mes", site="lyon", occurred=now, recorded=now)


def mark() -> str:
    return f"mark-{os.getpid()}-{next(_numbers)}"
