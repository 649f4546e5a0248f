"""Everything at random, for as long as you like: `python tests/faults/soak.py --minutes 10 [--seed 7] [--how several]`.

A load goes through a hub while parts are killed, frozen and asked to end, and the lines to the targets cut, silenced,
slowed and robbed of answers, at random times from a printed seed. There are three ways, one after the other unless one
is named: `whole` is one process with its broker; `apart` has connectors and delivery in processes of their own, and a
broker of its own; `several` are two hubs on one PostgreSQL, with an MES behind an MQTT broker and a machine behind
OPC UA, each of them killed as well. In a long soak the broker is away for five minutes at a time.

In the end every target must hold each message that was acknowledged once, in the order of its lane; a machine's numbers
must be in order, with a gap wherever some are missing; and from a minute on memory must not have grown by more than
what is remembered on purpose. Prints what happens, then what was counted, as a table or with `--json`; exit code 1 if
anything differs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import sys
import tempfile
import time
from contextlib import AsyncExitStack, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

from soaked import HOW

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from books import Count
    from soaked import Whole

SAMPLE_S = 1.0
JUDGED = 60
"""So many samples of memory say something; fewer are processes that start."""
UNEVEN_MB = 32.0
"""How much of the memory comes and goes with kills, backlogs and the broker's garbage collector."""
REMEMBERED = 100_000
REMEMBERED_KB = 1.5
"""What hub and broker remember on purpose of a message (ids, digests, learned numbers, subjects), and of how many."""
LONG_MINUTES = 30.0
"""From so many minutes on the broker is away for AWAY_S at a time, else for a few seconds."""
AWAY_S, BRIEF_S = 300.0, 5.0


@dataclass
class Report:
    """What came of it."""

    seed: int
    minutes: float
    how: str
    events: dict[str, int] = field(default_factory=dict)
    sent: int = 0
    again: int = 0
    counts: dict[str, Count] = field(default_factory=dict)
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
    """The running factory, and what happens to it; `say` is told in a sentence."""

    def __init__(self, report: Report, factory: Whole, chance: random.Random, say: Callable[[str], None]) -> None:
        self._report = report
        self._factory = factory
        self._chance = chance
        self._say = say
        self._samples: list[Sample] = []

    async def run(self) -> None:
        """All of it; the report is complete afterwards."""
        await self._factory.start()
        self._began, over = time.monotonic(), asyncio.Event()
        work = [asyncio.create_task(one) for one in self._factory.work(over)]
        sampling = asyncio.create_task(self._sample())
        try:
            await self._strike(self._began + 60 * self._report.minutes)
        finally:
            await self._factory.calm()
            over.set()
            await asyncio.gather(*work)
            sampling.cancel()
        await self._factory.calm()
        self._told("counting")
        self._report.sent, self._report.again = self._factory.sent(), self._factory.load.again
        self._report.counts = await self._factory.counts()
        self._report.wrong += [
            f"{name}: {count}: {', '.join([*count.lost[:3], *count.twice[:3], *count.disordered[:3]])}"
            for name, count in self._report.counts.items()
            if not count.right
        ]
        self._report.wrong += await self._factory.differences()
        self._report.check_memory(self._samples)

    async def _strike(self, end: float) -> None:
        """One thing after the other happens, until the time is over; the longer the soak, the longer the pauses."""
        pause_s = max(1.0, min(8.0, self._report.minutes))
        while time.monotonic() < end:
            await asyncio.sleep(self._chance.uniform(0.3, 2.0) * pause_s)
            name, strike = self._chance.choice(self._factory.strikes())
            self._report.events[name] = self._report.events.get(name, 0) + 1
            self._told(name)
            await strike()

    def _told(self, what: str) -> None:
        passed = int(time.monotonic() - self._began)
        memory = f"{self._samples[-1].resident_mb:5.0f} MB" if self._samples else ""
        self._say(f"{passed // 60:3}:{passed % 60:02}  {what:<24} {self._factory.sent():7} acknowledged  {memory}")

    async def _sample(self) -> None:
        mine = psutil.Process()
        while True:
            await asyncio.sleep(SAMPLE_S)
            resident = 0
            for process in mine.children(recursive=True):
                with suppress(psutil.Error):
                    resident += process.memory_info().rss
            at_s = time.monotonic() - self._began
            self._samples.append(Sample(at_s, resident / 2**20, self._factory.sent()))


async def soak(minutes: float, seed: int, how: str, say: Callable[[str], None] = lambda _text: None) -> Report:
    """Run a soak and return what came of it."""
    report, chance = Report(seed, minutes, how), random.Random(seed)  # noqa: S311
    away_s = AWAY_S if minutes >= LONG_MINUTES else BRIEF_S
    with tempfile.TemporaryDirectory(prefix="mombus-soak-") as folder:
        async with AsyncExitStack() as stack:
            await Soak(report, HOW[how](Path(folder), stack, chance, away_s), chance, say).run()
    return report


def show(report: Report) -> None:
    """The report as tables."""
    from rich.console import Console  # noqa: PLC0415 - only where a person looks
    from rich.table import Table  # noqa: PLC0415

    console = Console()
    happened = Table("what happened", "times", title=f"{report.how}, {report.minutes:g} minutes, seed {report.seed}")
    for name, times in sorted(report.events.items()):
        happened.add_row(name, str(times))
    counted = Table("target", "sent", "effects", "lost", "twice", "lanes out of order")
    for name, count in report.counts.items():
        numbers = (count.sent, count.effects, len(count.lost), len(count.twice), len(count.disordered))
        counted.add_row(name, *map(str, numbers))
    console.print(happened, counted)
    memory = ", ".join(f"{when} {mb:g} MB" for when, mb in report.memory_mb.items())
    console.print(f"Memory: {memory or 'too short to say'}")
    for line in report.wrong:
        console.print(f"WRONG: {line}", markup=False)
    console.print("It differs." if report.wrong else "Nothing lost, nothing twice, all in order.")


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10, help="of all ways together")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--how", choices=HOW, action="append", help="one way only, or some; all unless given")
    parser.add_argument("--json", action="store_true", help="print JSON")
    asked = parser.parse_args()
    ways = asked.how or list(HOW)
    reports = []
    for how in ways:
        minutes = asked.minutes / len(ways)
        again = f"--minutes {minutes:g} --how {how} --seed {asked.seed} repeats its faults"
        print(f"{how}: {minutes:g} minutes; {again}", file=sys.stderr)  # noqa: T201
        reports.append(asyncio.run(soak(minutes, asked.seed, how, lambda text: print(text, file=sys.stderr))))  # noqa: T201
        if not asked.json:
            show(reports[-1])
    if asked.json:
        print(json.dumps([asdict(report) for report in reports], indent=1))  # noqa: T201
    return 1 if any(report.wrong for report in reports) else 0


if __name__ == "__main__":
    sys.exit(main())
