"""What hits the hub and its target processes under load: ended, frozen, killed, the clock set wrong."""

from __future__ import annotations

import asyncio
import random
import signal
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from books import Books
from counting_target import CountingTarget, Trouble
from factory import counted, findable, keyed, running
from load import Load
from patience import until
from proof import Part, Proof
from target_process import TargetProcess

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from factory import HubProcess

LANES = 10
CHANCE = random.Random(20260302)  # noqa: S311


@asynccontextmanager
async def target(folder: Path, trouble: Trouble = Trouble.NONE, share: float = 1.0) -> AsyncIterator[CountingTarget]:
    """A counting target in this process; that share of the first posts is in trouble."""
    counting = CountingTarget(Books(folder / "books.db"))
    counting.trouble = lambda _id, before: trouble if before == 0 and CHANCE.random() < share else Trouble.NONE
    await counting.start()
    try:
        yield counting
    finally:
        await counting.stop()


async def test_a_hub_that_is_asked_to_end_finishes_or_repeats(tmp_path: Path, proof: Proof) -> None:
    async with target(tmp_path, Trouble.SLOW) as erp, running(tmp_path, {"erp": findable(erp.port)}) as hub:
        sending = Load(lambda: hub.url, lanes=LANES)
        work = asyncio.create_task(sending.send(6))
        codes = []
        for _ in range(2):
            await hub.ready()
            least = erp.books.size() + 5
            await until(lambda least=least: erp.books.size() >= least)
            codes.append(await hub.stop())
            await hub.start()
        await work
        count = await counted(erp.books, sending.sent)
        finds = sum(number > 1 for number in erp.posts.values())
    assert codes == [0, 0]
    assert count.right, count
    proof(
        Part.HUB,
        fault="SIGTERM twice while the target is writing",
        load=f"{len(sending.sent)} facts, 0.3 s each",
        expected="what is in hand is finished or delivered again, exit code 0, one document each, in order",
        seen=f"exit codes {codes}, {finds} written again: {count}",
    )


async def test_a_frozen_hub_goes_on(tmp_path: Path, proof: Proof) -> None:
    async with target(tmp_path, Trouble.SLOW, 0.3) as erp, running(tmp_path, {"erp": findable(erp.port)}) as hub:
        sending = Load(lambda: hub.url, lanes=LANES, pause_s=0.1)
        work = asyncio.create_task(sending.send(15))
        await until(lambda: erp.books.size() > LANES)
        hub.signal(signal.SIGSTOP)
        await asyncio.sleep(4)
        hub.signal(signal.SIGCONT)
        await work
        count = await counted(erp.books, sending.sent)
    assert count.right, count
    proof(
        Part.HUB, fault="the hub is frozen for 4 s (SIGSTOP), its calls time out meanwhile",
        load=f"{len(sending.sent)} facts in {LANES} lanes", expected="one document each, in order", seen=str(count),
    )  # fmt: skip


@pytest.mark.parametrize("declare", [findable, keyed])
async def test_a_killed_target_gets_each_message_once(tmp_path: Path, declare, proof: Proof) -> None:
    kills, target = 3, TargetProcess(tmp_path / "books.db")
    books = Books(tmp_path / "books.db")
    async with running(tmp_path, {"erp": declare(target.port)}) as hub:
        sending = Load(lambda: hub.url, lanes=LANES, pause_s=0.05)
        work = asyncio.create_task(sending.send(15))
        for _ in range(kills):
            await target.start()
            least = books.size() + 20
            await until(lambda least=least: books.size() >= least)
            await target.kill()
        await target.start()
        await work
        count = await counted(books, sending.sent)
        await target.kill()
    assert count.right, count
    kind = "is read back" if declare is findable else "knows message ids"
    proof(
        Part.TARGET, fault=f"SIGKILL of the target {kills} times; it {kind}",
        load=f"{len(sending.sent)} facts in {LANES} lanes", expected="one document each, in order", seen=str(count),
    )  # fmt: skip


async def test_a_clock_that_jumps_by_two_hours_changes_nothing(tmp_path: Path, proof: Proof) -> None:
    faketime = pytest.importorskip("libfaketime", reason="shifting one process's clock needs the package libfaketime")
    library = next(Path(faketime.__file__).parent.rglob("libfaketime*.so.1"))
    clock = tmp_path / "clock"
    clock.write_text("+0")
    shifted = {
        "LD_PRELOAD": str(library), "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }  # fmt: skip
    async with (
        target(tmp_path, Trouble.FAILS, 0.1) as erp,
        running(tmp_path, {"erp": keyed(erp.port)}, shifted) as hub,
    ):
        sending = Load(lambda: hub.url, lanes=LANES, pause_s=0.05)
        for offset, hours in (("+2h", 2), ("-2h", -2), ("+0", 0)):
            clock.write_text(offset)
            await sending.send(2)
            await until(lambda: hours_ahead(hub), good=lambda ahead, hours=hours: ahead == hours)
            await sending.send(4)
        count = await counted(erp.books, sending.sent)
    assert count.right, count
    proof(
        Part.HUB, fault="the hub's clock jumps by +2 h, then by -4 h, then back; the broker's stays right",
        load=f"{len(sending.sent)} facts in {LANES} lanes, 10 % answered with 500 first",
        expected="one document each, in order", seen=str(count),
    )  # fmt: skip


async def hours_ahead(hub: HubProcess) -> int:
    """By how much the hub's clock is ahead of ours, as it dates its answers."""
    async with httpx.AsyncClient(trust_env=False) as http:
        told = parsedate_to_datetime((await http.get(f"{hub.url}/livez")).headers["date"])
    return round((told - datetime.now(UTC)).total_seconds() / 3600)
