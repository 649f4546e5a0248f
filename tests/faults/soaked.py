"""What a soak strikes: a hub in one process, in parts, or several hubs; their brokers, targets, lines and sources."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from books import Books
from broker_process import BrokerProcess
from database_server import DatabaseServer
from factory import HubProcess, configuration, counted, findable, keyed
from line import Line
from load import Load
from mes_behind_mqtt import Mes
from numbers_of_a_machine import PLANT, describe, heard, stored
from ports import free_port
from target_process import TargetProcess

if TYPE_CHECKING:
    import random
    from collections.abc import Awaitable, Callable, Coroutine
    from contextlib import AsyncExitStack

    from books import Count

    Strike = tuple[str, Callable[[], Awaitable[None]]]

LANES = 20
PER_S = 50
"""Values that the machine says in a second."""
SERVER = Path(__file__).with_name("opcua_flood.py")


class Whole:
    """One hub with its own broker, a load that posts to it, two targets."""

    bus: dict[str, Any]

    def __init__(self, folder: Path, stack: AsyncExitStack, chance: random.Random, away_s: float) -> None:
        """`away_s` is how long something is away that is taken away for long."""
        self.folder = folder
        self.stack = stack
        self.chance = chance
        self.away_s = away_s
        self.lines: dict[str, Line] = {}
        self.targets: dict[str, TargetProcess] = {}
        self.hubs: dict[str, HubProcess] = {}
        self.load = Load(lambda: next(iter(self.hubs.values())).url, lanes=LANES, pause_s=0.1)
        self.wrong: list[str] = []
        self.bus = {"folder": str(folder / "hub")}

    async def start(self) -> None:
        """Everything is ready when this returns."""
        systems = {"erp": await self.target("erp", findable), "wms": await self.target("wms", keyed)}
        await self.start_hubs(systems)

    async def target(self, name: str, declare: Callable[[int], dict[str, Any]]) -> dict[str, Any]:
        """Start a target behind a line; how the hub's configuration declares it."""
        self.targets[name] = target = TargetProcess(self.folder / f"{name}.db")
        await target.start()
        self.stack.push_async_callback(target.kill)
        self.lines[name] = await self.stack.enter_async_context(Line(target.port))
        return declare(self.lines[name].port)

    async def start_hubs(self, systems: dict[str, Any]) -> None:
        await self.start_hub("hub", systems)
        await self.all_ready()

    async def start_hub(
        self, name: str, targets: dict[str, Any], parts: tuple[str, ...] = (), **more: Any
    ) -> None:  # fmt: skip
        port = free_port()
        file = configuration(self.folder, port, targets, name=f"{name}.yaml", **{"bus": self.bus, **more})
        self.hubs[name] = hub = HubProcess(file, port, parts=parts)
        await hub.start()
        self.stack.push_async_callback(hub.kill)

    async def all_ready(self) -> None:
        for hub in self.hubs.values():
            await _supervised(hub)

    def work(self, over: asyncio.Event) -> list[Coroutine[None, None, None]]:
        """What goes through it until it is over."""
        return [_send(self.load, over)]

    def sent(self) -> int:
        """How much was acknowledged so far."""
        return len(self.load.sent)

    def strikes(self) -> list[Strike]:
        """What may happen now."""
        hub_name, hub = self.chance.choice(list(self.hubs.items()))
        name = self.chance.choice(list(self.lines))
        line, target = self.lines[name], self.targets[name]
        return [
            (f"kill {hub_name}", lambda: _again(hub, hub.kill)),
            (f"end {hub_name}", lambda: _again(hub, lambda: self.end(hub_name, hub))),
            (f"freeze {hub_name}", lambda: _frozen(hub)),
            ("kill broker", self.kill_broker),
            (f"kill {name}", lambda: _again(target, target.kill)),
            (f"cut line to {name}", lambda: _now(line.cut)),
            (f"lose answers of {name}", lambda: _now(lambda: setattr(line, "swallow", 3))),
            (f"silence line to {name}", lambda: _while(line, line.silence)),
            (f"slow line to {name}", lambda: _while(line, lambda: setattr(line, "delay_s", 0.05))),
            (f"no connection to {name}", lambda: _while(line, line.refuse)),
        ]

    async def end(self, name: str, hub: HubProcess) -> None:
        """Ask it to end; one that doesn't is killed, and that is wrong.

        One that has just begun may have failed at that already, if its broker was taken away from under it.
        """
        began = await hub.is_ready()
        try:
            code = await hub.stop()
        except TimeoutError:
            self.wrong.append(f"{name} was asked to end and didn't")
            await hub.kill()
        else:
            if code and began:
                self.wrong.append(f"{name} was asked to end and did so with exit code {code}")

    async def kill_broker(self) -> None:
        with suppress(FileNotFoundError, ProcessLookupError, ValueError):
            os.kill(int((self.folder / "hub" / "broker" / "broker.pid").read_text()), signal.SIGKILL)

    async def calm(self) -> None:
        """Everything is in order again."""
        for line in self.lines.values():
            line.heal()
        await self.all_ready()

    async def counts(self) -> dict[str, Count]:
        """What came of what was acknowledged, by target."""
        return {name: await self.count(name, self.load.sent) for name in self.targets}

    async def count(self, name: str, sent: list[str]) -> Count:
        books = Books(self.folder / f"{name}.db")
        count = await counted(books, sent)
        books.close()
        return count

    async def differences(self) -> list[str]:
        """What else isn't as it must be."""
        refused = len(self.load.refused)
        return self.wrong + ([f"the hub refused {refused} posts: {self.load.refused[0]}"] if refused else [])


class Apart(Whole):
    """Connectors and delivery in processes of their own, at a broker of their own."""

    broker: BrokerProcess

    async def start_broker(self) -> None:
        self.broker = BrokerProcess(self.folder / "broker")
        await self.broker.start()
        self.stack.push_async_callback(self.broker.kill)
        self.bus["broker"] = self.broker.url

    async def start_hubs(self, systems: dict[str, Any]) -> None:
        await self.start_broker()
        await self.start_hub("connectors", systems, ("connectors:mes,erp,wms",))
        await self.start_hub("delivery", systems, ("delivery", "web"))
        await self.all_ready()

    def strikes(self) -> list[Strike]:
        more = [
            ("end broker", lambda: _again(self.broker, self.broker.stop)),
            ("broker away", lambda: _away(self.broker, self.away_s)),
        ]
        return [*super().strikes(), *more]

    async def kill_broker(self) -> None:
        await _again(self.broker, self.broker.kill)


class Several(Apart):
    """Two hubs on one PostgreSQL; an MES behind its MQTT broker; a machine behind OPC UA."""

    def __init__(self, *of: Any) -> None:
        super().__init__(*of)
        self.load = Load(lambda: next(iter(self.hubs.values())).url, lanes=LANES, pause_s=0.4, system="wms")
        self.mes = Mes(self.folder / "mes")
        self.machine = MachineProcess()

    async def start(self) -> None:
        await self.start_broker()
        self.database = await asyncio.to_thread(DatabaseServer)
        self.stack.push_async_callback(self.database.close)
        await self.mes.broker.start()
        self.stack.push_async_callback(self.mes.broker.close)
        await self.mes.link.start()
        self.stack.push_async_callback(self.mes.link.stop)
        await self.machine.start()
        self.stack.push_async_callback(self.machine.kill)
        describe(self.folder)
        sections = self.mes.sections(await self.target("erp", findable))
        sections["systems"]["line1"] = {
            "connector": "plc.opcua", "url": self.machine.url, "signals": "signals.yaml",
            "publishing_interval_ms": 100,
        }  # fmt: skip
        sections["objects"]["process_value"] = {"owner": "line1"}
        shared = {"store": self.database.url.replace("postgres:@", ""), "store_user": "postgres"}
        for name in ("hub1", "hub2"):
            bus = {**self.bus, **shared, "folder": str(self.folder / name)}
            await self.start_hub(name, {}, plant=PLANT, **{**sections, "bus": bus})
        await self.all_ready()
        await heard(self.hubs["hub1"].url, "mes", "line1")

    def work(self, over: asyncio.Event) -> list[Coroutine[None, None, None]]:
        return [*super().work(over), self.mes.confirm_until(over, 0.4)]

    def sent(self) -> int:
        return len(self.load.sent) + len(self.mes.sent)

    def strikes(self) -> list[Strike]:
        more = [
            ("kill PostgreSQL", lambda: _again(self.database, self.database.kill)),
            ("freeze PostgreSQL", lambda: _frozen(self.database)),
            ("kill MQTT broker", lambda: _again(self.mes.broker, self.mes.broker.kill)),
            ("end MQTT broker", lambda: _again(self.mes.broker, self.mes.broker.stop)),
            ("kill OPC UA server", lambda: _again(self.machine, self.machine.kill)),
        ]
        return [*super().strikes(), *more]

    async def calm(self) -> None:
        await super().calm()
        await self.mes.link.all_sent()

    async def counts(self) -> dict[str, Count]:
        return {
            "erp, from the MES": await self.count("erp", self.mes.sent),
            "MES, from the WMS": await counted(self.mes.books, self.load.sent),
        }

    async def differences(self) -> list[str]:
        """By source time the machine's numbers are whole, or a gap tells of what is missing.

        They may come in another order: what a hub has spooled comes late, when another reads the machine. And a number
        comes again where another hub begins to read, since a server tells first what holds now.
        """
        await self.machine.kill()
        said, gaps = await stored(self.broker.url)
        numbers = sorted(set(said))
        jumps = sum(two > one + 1 for one, two in pairwise(numbers))
        told = sum(gap["system"] == "line1" for gap in gaps)
        wrong = await super().differences()
        if not numbers:
            wrong.append("none of the machine's numbers is on the bus")
        if jumps > told:
            wrong.append(f"the machine's numbers miss some at {jumps} places, {told} gaps tell of that")
        return wrong


HOW = {"whole": Whole, "apart": Apart, "several": Several}


class MachineProcess:
    """An OPC UA server that counts; each time it is started further on."""

    def __init__(self) -> None:
        self._port = free_port()
        self.url = f"opc.tcp://127.0.0.1:{self._port}/"
        self._starts = 0
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Return when it listens."""
        first = self._starts * 10_000_000
        self._starts += 1
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, str(SERVER), str(self._port), str(PER_S), str(first), stdout=asyncio.subprocess.PIPE
        )
        assert self._process.stdout
        assert await self._process.stdout.readline(), "the machine doesn't start"

    async def kill(self) -> None:
        """End it without a word."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()


async def _send(load: Load, over: asyncio.Event) -> None:
    while not over.is_set():
        await load.send(1)


async def _again(part: Any, end: Callable[[], Awaitable[object]]) -> None:
    await end()
    await part.start()


async def _supervised(hub: HubProcess) -> None:
    """Have it ready; started again, as a supervisor does it, if it ended while it began, without its broker."""
    if hub.process is not None and hub.process.returncode is not None:
        await hub.start()
    await hub.ready()


async def _away(broker: BrokerProcess, seconds: float) -> None:
    await broker.kill()
    await asyncio.sleep(seconds)
    await broker.start()


async def _frozen(process: HubProcess | DatabaseServer) -> None:
    process.signal(signal.SIGSTOP)
    await asyncio.sleep(2)
    process.signal(signal.SIGCONT)


async def _while(line: Line, begins: Callable[[], object]) -> None:
    begins()
    await asyncio.sleep(2)
    line.cut()
    line.heal()


async def _now(happens: Callable[[], object]) -> None:
    happens()
