"""Each way a target fails, under load and all at the same time: every message has one effect, in the order of its lane.

One hub delivers the same load to one target per fault; the troubles of one must not reach the next.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from books import Books
from counting_target import CountingTarget, Trouble
from factory import counted, findable, keyed, running
from line import Line
from load import Load
from patience import until
from proof import Part, Proof

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

LANES, ROUNDS = 10, 16
SEED = 20260302


def sometimes(trouble: Trouble, share: float, most: int = 1) -> Callable[[str, int], Trouble]:
    """That share of the messages, each at most `most` times."""

    def decide(id: str, before: int) -> Trouble:
        unlucky = random.Random(f"{SEED}{id}").random() < share  # noqa: S311
        return trouble if unlucky and before < most else Trouble.NONE

    return decide


async def in_use(line: Line) -> None:
    """Return soon after somebody has a connection over the line; after a second though nobody has."""
    await asyncio.sleep(0.15)
    with suppress(TimeoutError):
        await until(lambda: line.in_use, 1.0)


async def cuts(line: Line) -> None:
    for _ in range(12):
        await in_use(line)
        line.cut()


async def half_open(line: Line) -> None:
    await asyncio.sleep(0.3)
    line.silence()
    await asyncio.sleep(3)
    line.cut()
    line.heal()


async def half_closes(line: Line) -> None:
    for _ in range(10):
        await in_use(line)
        line.half_close()


async def slow_link(line: Line) -> None:
    line.delay_s, line.bytes_per_s = 0.03, 60_000


async def swallows(line: Line) -> None:
    for _ in range(10):
        line.swallow = 1
        with suppress(TimeoutError):
            await until(lambda: line.swallow == 0, 1.0)


async def away(line: Line) -> None:
    await asyncio.sleep(0.2)
    line.refuse()
    await asyncio.sleep(2)
    line.heal()


@dataclass(frozen=True)
class Case:
    """A fault of a target, or of the line to it; `least` is how often it must have struck to prove anything."""

    fault: str
    declare: Callable[..., dict[str, Any]] = findable
    trouble: Callable[[str, int], Trouble] | None = None
    line: Callable[[Line], Awaitable[None]] | None = None
    least: int = 3


CASES = {
    "healthy": Case("none, beside all the others", least=0),
    "loses_answers": Case("commits 10 % and drops the response", trouble=sometimes(Trouble.LOSES_ANSWER, 0.1)),
    "loses_answers_keyed": Case(
        "commits 20 % and drops the response; knows message ids", keyed, sometimes(Trouble.LOSES_ANSWER, 0.2)
    ),
    "loses_requests": Case("drops 10 % before taking them", trouble=sometimes(Trouble.LOSES_REQUEST, 0.1)),
    "hangs": Case("commits 4 % and never answers", trouble=sometimes(Trouble.HANGS, 0.04), least=2),
    "fails": Case("500 twice for 5 %", trouble=sometimes(Trouble.FAILS, 0.05, most=2)),
    "fails_keyed": Case("500 twice for 5 %; knows message ids", keyed, sometimes(Trouble.FAILS, 0.05, most=2)),
    "busy": Case("429 with Retry-After for 5 %", trouble=sometimes(Trouble.BUSY, 0.05)),
    "slow": Case("answers 30 % late", trouble=sometimes(Trouble.SLOW, 0.3)),
    "cut": Case("the line is cut 12 times", line=cuts),
    "half_open": Case("half-open for 3 s: nothing gets through, nobody is told", line=half_open, least=1),
    "half_closed": Case("the line is half-closed 10 times", line=half_closes),
    "slow_link": Case("30 ms and 60 kB/s", line=slow_link, least=0),
    "swallowed": Case("the line loses 10 answers after the request got through", line=swallows),
    "away": Case("takes no connection for 2 s", line=away, least=1),
}


async def test_a_target_that_fails_gets_each_message_once_and_in_order(tmp_path: Path, proof: Proof) -> None:
    async with AsyncExitStack() as stack:
        targets, lines, systems = {}, {}, {}
        for name, case in CASES.items():
            targets[name] = target = CountingTarget(Books(tmp_path / f"{name}.db"))
            target.trouble = case.trouble or target.trouble
            await target.start()
            stack.push_async_callback(target.stop)
            lines[name] = await stack.enter_async_context(Line(target.port))
            systems[name] = case.declare(lines[name].port)
        hub = await stack.enter_async_context(running(tmp_path, systems))
        sending = Load(lambda: hub.url, lanes=LANES, pause_s=0.1)
        strikes = [case.line(lines[name]) for name, case in CASES.items() if case.line]
        await asyncio.gather(sending.send(ROUNDS), *strikes)
        counts = {name: await counted(target.books, sending.sent) for name, target in targets.items()}
    wrong = {name: (count, count.lost[:5], count.twice[:5]) for name, count in counts.items() if not count.right}
    struck = {name: targets[name].troubled + lines[name].struck for name in CASES}
    assert not wrong
    assert [name for name, case in CASES.items() if struck[name] < case.least] == [], f"{struck} proves little"
    for name, case in CASES.items():
        proof(
            Part.TARGET, fault=case.fault,
            load=f"{len(sending.sent)} facts in {LANES} lanes, {len(CASES)} targets at once",
            expected="one document each, in order per lane", seen=f"struck {struck[name]} times: {counts[name]}",
        )  # fmt: skip
