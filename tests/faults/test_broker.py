"""What hits the broker under load: killed, frozen, full. What comes meanwhile is kept on disk or turned away."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import time
from contextlib import asynccontextmanager, closing, suppress
from typing import TYPE_CHECKING

import httpx
import pytest
from books import Books
from counting_target import CountingTarget
from factory import counted, findable, running
from load import SYSTEM, Load
from patience import PATIENCE_S, until
from ports import free_port
from proof import Part, Proof

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from factory import HubProcess

LANES = 10
STILL_TO_COME = 15
"""Posts that come while the hub drains what a hundred others left on its disk."""


@asynccontextmanager
async def target(folder: Path) -> AsyncIterator[CountingTarget]:
    """A counting target in this process."""
    counting = CountingTarget(Books(folder / "books.db"), free_port())
    await counting.start()
    try:
        yield counting
    finally:
        await counting.stop()


def tell_broker(folder: Path, number: signal.Signals) -> None:
    """Send the hub's own broker a signal."""
    with suppress(FileNotFoundError, ProcessLookupError, ValueError):
        os.kill(int((folder / "hub" / "broker" / "broker.pid").read_text().split()[0]), number)


def kept(folder: Path) -> int:
    """How many items the spool holds."""
    with suppress(sqlite3.OperationalError), closing(sqlite3.connect(folder / "hub" / "spool.sqlite")) as db:
        return int(db.execute("SELECT count(*) FROM spooled").fetchone()[0])
    return 0


async def ready(hub: HubProcess) -> str:
    async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S) as http:
        return (await http.get(f"{hub.url}/readyz")).text


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=lambda how: how.name)
async def test_broker_ended_again_and_again_loses_nothing_it_confirmed(
    tmp_path: Path, how: signal.Signals, proof: Proof
) -> None:
    times = 3
    async with target(tmp_path) as erp, running(tmp_path, {"erp": findable(erp.port)}) as hub:
        sending = Load(lambda: hub.url, lanes=LANES, pause_s=0.05)
        work = asyncio.create_task(sending.send(45))
        for time_ in range(times):
            least = (time_ + 1) * LANES * 8
            await until(lambda least=least: len(sending.sent) >= least)
            tell_broker(tmp_path, how)
        await work
        count = await counted(erp.books, sending.sent)
    assert count.right, count
    proof(
        Part.BROKER, fault=f"{how.name} {times} times while it is published to", load=f"{len(sending.sent)} facts",
        expected="what was acknowledged is stored; one document each, in order", seen=str(count),
    )  # fmt: skip


async def test_broker_frozen_for_long_what_comes_waits_on_disk_in_order(tmp_path: Path, proof: Proof) -> None:
    frozen_s = 8.0
    async with target(tmp_path) as erp, running(tmp_path, {"erp": findable(erp.port)}) as hub:
        sending = Load(lambda: hub.url, lanes=LANES, patience_s=PATIENCE_S)
        await sending.send(10)
        tell_broker(tmp_path, signal.SIGSTOP)
        began = time.monotonic()
        sending._pause_s = 0.1
        work = asyncio.create_task(sending.send(50))
        await until(lambda: kept(tmp_path) > 20)
        said = await ready(hub)
        await asyncio.sleep(max(0.0, frozen_s - (time.monotonic() - began)))
        most, stored = kept(tmp_path), erp.books.size()
        tell_broker(tmp_path, signal.SIGCONT)
        woken = time.monotonic()
        await until(lambda: erp.books.size() > stored)
        seen_s = time.monotonic() - woken
        await work
        count = await counted(erp.books, sending.sent)
        await until(lambda: not kept(tmp_path))
    assert "broker: " in said
    assert count.right, count
    assert sending.again == 0, "a webhook was turned away though there was room on disk"
    proof(
        Part.BROKER, fault=f"SIGSTOP for {frozen_s:.0f} s", load=f"{len(sending.sent)} facts, from webhooks",
        expected="what comes is acknowledged from the spool, follows in order; /readyz names the broker; back in 6 s",
        seen=f"{most} posts on disk, going on after {seen_s:.1f} s: {count}",
    )  # fmt: skip


async def test_hub_killed_while_it_spools_and_while_it_drains_loses_and_repeats_nothing(
    tmp_path: Path, proof: Proof
) -> None:
    async with target(tmp_path) as erp, running(tmp_path, {"erp": findable(erp.port)}) as hub:
        sending = Load(lambda: hub.url, lanes=3)
        await sending.send(5)
        tell_broker(tmp_path, signal.SIGSTOP)
        work = asyncio.create_task(sending.send(100 + STILL_TO_COME))
        await until(lambda: kept(tmp_path) > 100)
        await hub.kill()
        left = [kept(tmp_path)]
        for _ in range(2):
            await hub.start()
            await until(lambda: kept(tmp_path) < left[-1] - STILL_TO_COME or not kept(tmp_path))
            await hub.kill()
            left.append(kept(tmp_path))
        await hub.start()
        await work
        count = await counted(erp.books, sending.sent)
    assert left[0] > 100
    assert left[1] < left[0]
    assert count.right, count
    proof(
        Part.HUB, fault="SIGKILL while it spools, then twice while it drains", load=f"{len(sending.sent)} facts",
        expected="nothing lost, nothing twice, in order",
        seen=f"{', '.join(map(str, left))} posts on disk at the kills: {count}",
    )  # fmt: skip


async def test_stream_full_turns_away_what_comes_until_its_reader_catches_up(tmp_path: Path, proof: Proof) -> None:
    async with (
        target(tmp_path) as erp,
        running(
            tmp_path, {},
            bus={"folder": str(tmp_path / "hub"), "keep": {"mom_size": "200 KB"}},
            systems={"mes": SYSTEM | {"spool": "20 KB"}, "erp": findable(erp.port)},
            routes=[{"object": "production_response", "to": "erp"}],
        ) as hub,
    ):  # fmt: skip
        sending = Load(lambda: hub.url, lanes=LANES)
        await sending.send(2)
        await erp.stop()
        work = asyncio.create_task(sending.send(30))
        await until(lambda: sending.again > 1)
        stood, said = len(sending.sent), await told(hub, "stream MOM")
        await erp.start()
        await work
        count = await counted(erp.books, sending.sent)
    assert count.right, count
    assert "to-erp" in said
    assert stood < len(sending.sent)
    proof(
        Part.BROKER, fault="its stream is full, because a target is away", load=f"{len(sending.sent)} facts",
        expected="back-pressure: what comes is turned away, /readyz says whose reader is behind; goes on by itself",
        seen=f"{stood} taken, {sending.again} posts turned away; once the target was back: {count}",
    )  # fmt: skip


async def told(hub: HubProcess, word: str) -> str:
    """What /readyz says once it says that word."""
    async with asyncio.timeout(PATIENCE_S):
        while word not in (said := await ready(hub)):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.2)
    return said
