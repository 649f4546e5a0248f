"""Everything at random, for as long as you like: `python tests/faults/soak.py --minutes 10 [--seed 7] [--apart]`.

A load goes through a hub to two targets while parts are killed, frozen and asked to end, and the lines to the targets
cut, silenced, slowed and robbed of answers, at random times from a printed seed. In the end every target must hold
each message that was acknowledged once, in the order of its lane, and from a minute on memory must not have grown by
more than what is remembered on purpose. Prints a report as JSON; exit code 0 if all of it held. `--apart` runs
connectors and delivery in processes of their own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from contextlib import AsyncExitStack, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

import psutil
from books import Books
from broker_process import BrokerProcess
from factory import HubProcess, configuration, counted, findable, keyed
from line import Line
from load import Load
from ports import free_port
from target_process import TargetProcess

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

LANES = 20
SAMPLE_S = 1.0
SETTLE_S = 120.0
JUDGED = 60
"""So many samples of memory say something; fewer are processes that start."""
UNEVEN_MB = 32.0
"""How much of the memory comes and goes with kills, backlogs and the broker's garbage collector."""
REMEMBERED = 100_000
REMEMBERED_KB = 1.5
"""What hub and broker remember on purpose of a message (ids, digests, learned numbers, subjects), and of how many."""


@dataclass
class Report:
    """What came of it."""

    seed: int
    minutes: float
    apart: bool
    events: dict[str, int] = field(default_factory=dict)
    sent: int = 0
    again: int = 0
    counts: dict[str, str] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    memory_mb: dict[str, float] = field(default_factory=dict)
    """Median resident memory of all processes in the second and the last quarter, what it may grow by in between, and
    the slope per minute over the last half; empty for a soak that is too short to say."""

    def check_memory(self, samples: Sequence[Sample]) -> None:
        """Note the memory's course after the first quarter; it is wrong if it grew by more than is remembered."""
        quarter = len(samples) // 4
        if len(samples) < JUDGED:
            return
        parts = samples[quarter : 2 * quarter], samples[-quarter:]
        second, last = (statistics.median(sample.resident_mb for sample in part) for part in parts)
        sent = min(REMEMBERED, parts[1][-1].sent - parts[0][0].sent)
        most = UNEVEN_MB + sent * REMEMBERED_KB / 1024
        half = samples[len(samples) // 2 :]
        slope = statistics.linear_regression([s.at_s / 60 for s in half], [s.resident_mb for s in half]).slope
        self.memory_mb = {
            "second quarter": round(second, 1), "last quarter": round(last, 1), "may grow by": round(most, 1),
            "per minute": round(slope, 2),
        }  # fmt: skip
        if last > second + most:
            self.wrong.append(f"memory grew from {second:.0f} to {last:.0f} MB, {sent} messages may take {most:.0f} MB")


class Sample(NamedTuple):
    """Memory at a time: seconds since the beginning, of all processes, after so many messages."""

    at_s: float
    resident_mb: float
    sent: int


class Soak:
    """The running factory, and what may happen to it."""

    def __init__(self, report: Report, folder: Path, stack: AsyncExitStack) -> None:
        self._report = report
        self._folder = folder
        self._stack = stack
        self._chance = random.Random(report.seed)  # noqa: S311
        self._lines: dict[str, Line] = {}
        self._targets: dict[str, TargetProcess] = {}
        self._hubs: dict[str, HubProcess] = {}
        self._broker: BrokerProcess | None = None
        self._samples: list[Sample] = []

    async def run(self) -> None:
        """All of it; the report is complete afterwards."""
        await self._start()
        load = Load(lambda: self._door.url, lanes=LANES, pause_s=0.1)
        sending, sampling = (asyncio.create_task(work) for work in (self._send(load), self._sample(load)))
        try:
            await self._strike(time.monotonic() + 60 * self._report.minutes)
        finally:
            await self._calm()
            self._over = True
            await sending
            sampling.cancel()
        self._report.sent, self._report.again = len(load.sent), load.again
        if load.refused:
            self._report.wrong.append(f"the hub refused {len(load.refused)} posts: {load.refused[0]}")
        await self._count(load.sent)
        self._report.check_memory(self._samples)

    async def _start(self) -> None:
        self._over = False
        systems = {}
        for name, declare in (("erp", findable), ("wms", keyed)):
            self._targets[name] = target = TargetProcess(self._folder / f"{name}.db")
            await target.start()
            self._stack.push_async_callback(target.kill)
            self._lines[name] = line = await self._stack.enter_async_context(Line(target.port))
            systems[name] = declare(line.port)
        bus: dict[str, Any] = {"folder": str(self._folder / "hub")}
        if self._report.apart:
            self._broker = BrokerProcess(self._folder / "broker")
            await self._broker.start()
            self._stack.push_async_callback(self._broker.kill)
            bus["broker"] = self._broker.url
        for name, parts in self._parts().items():
            port = free_port()
            file = configuration(self._folder, port, systems, name=f"{name}.yaml", bus=bus)
            self._hubs[name] = hub = HubProcess(file, port, parts=parts)
            await hub.start()
            self._stack.push_async_callback(hub.kill)
        self._door = next(iter(self._hubs.values()))
        for hub in self._hubs.values():
            await hub.ready()

    def _parts(self) -> dict[str, Sequence[str]]:
        """The processes of the hub; the first has the load's door."""
        if self._report.apart:
            return {"connectors": ["connectors:mes,erp,wms"], "delivery": ["delivery", "web"]}
        return {"hub": []}

    async def _send(self, load: Load) -> None:
        while not self._over:
            await load.send(1)

    async def _strike(self, end: float) -> None:
        """One thing after the other happens, until the time is over; the longer the soak, the longer the pauses."""
        pause_s = max(1.0, min(8.0, self._report.minutes))
        while time.monotonic() < end:
            await asyncio.sleep(self._chance.uniform(0.3, 2.0) * pause_s)
            name, strike = self._chance.choice(self._strikes())
            self._report.events[name] = self._report.events.get(name, 0) + 1
            await strike()

    def _strikes(self) -> list[tuple[str, Callable[[], Awaitable[None]]]]:
        hub_name, hub = self._chance.choice(list(self._hubs.items()))
        name = self._chance.choice(list(self._lines))
        line, target = self._lines[name], self._targets[name]
        return [
            (f"kill {hub_name}", lambda: _again(hub, hub.kill)),
            (f"end {hub_name}", lambda: _again(hub, hub.stop)),
            (f"freeze {hub_name}", lambda: _frozen(hub)),
            ("kill broker", self._kill_broker),
            (f"kill {name}", lambda: _again(target, target.kill)),
            (f"cut line to {name}", lambda: _now(line.cut)),
            (f"lose answers of {name}", lambda: _now(lambda: setattr(line, "swallow", 3))),
            (f"silence line to {name}", lambda: _while(line, line.silence)),
            (f"slow line to {name}", lambda: _while(line, lambda: setattr(line, "delay_s", 0.05))),
            (f"no connection to {name}", lambda: _while(line, line.refuse)),
        ]

    async def _kill_broker(self) -> None:
        if self._broker is not None:
            await _again(self._broker, self._broker.kill)
            return
        with suppress(FileNotFoundError, ProcessLookupError, ValueError):
            os.kill(int((self._folder / "hub" / "broker" / "broker.pid").read_text()), signal.SIGKILL)

    async def _calm(self) -> None:
        for line in self._lines.values():
            line.heal()
        for hub in self._hubs.values():
            await hub.ready()

    async def _sample(self, load: Load) -> None:
        begin = time.monotonic()
        mine = psutil.Process()
        while True:
            await asyncio.sleep(SAMPLE_S)
            resident = 0
            for process in mine.children(recursive=True):
                with suppress(psutil.Error):
                    resident += process.memory_info().rss
            self._samples.append(Sample(time.monotonic() - begin, resident / 2**20, len(load.sent)))

    async def _count(self, sent: list[str]) -> None:
        for name in self._targets:
            books = Books(self._folder / f"{name}.db")
            count = await counted(books, sent, SETTLE_S)
            books.close()
            self._report.counts[name] = str(count)
            if not count.right:
                some = [*count.lost[:3], *count.twice[:3], *count.disordered[:3]]
                self._report.wrong.append(f"{name}: {count}: {', '.join(some)}")


async def _again(part: Any, end: Callable[[], Awaitable[object]]) -> None:
    await end()
    await part.start()


async def _frozen(hub: HubProcess) -> None:
    hub.signal(signal.SIGSTOP)
    await asyncio.sleep(2)
    hub.signal(signal.SIGCONT)


async def _while(line: Line, begins: Callable[[], object]) -> None:
    begins()
    await asyncio.sleep(2)
    line.cut()
    line.heal()


async def _now(happens: Callable[[], object]) -> None:
    happens()


async def soak(minutes: float, seed: int, *, apart: bool = False) -> Report:
    """Run a soak and return what came of it."""
    report = Report(seed, minutes, apart)
    with tempfile.TemporaryDirectory(prefix="mombus-soak-") as folder:
        async with AsyncExitStack() as stack:
            await Soak(report, Path(folder), stack).run()
    return report


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--apart", action="store_true", help="connectors and delivery in processes of their own")
    asked = parser.parse_args()
    print(f"soak for {asked.minutes:g} minutes; --seed {asked.seed} repeats its faults", file=sys.stderr)  # noqa: T201
    report = asyncio.run(soak(asked.minutes, asked.seed, apart=asked.apart))
    print(json.dumps(asdict(report), indent=1))  # noqa: T201
    return 1 if report.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
