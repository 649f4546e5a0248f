"""A hub that dies at one exact place between reading a message and its ack: one effect, one dead letter."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from dying_hub import Ledger, Place, fact
from patience import PATIENCE_S, until
from proof import Part, Proof

from connectors.connector import Effect
from mombus.bus.connection import connect
from mombus.bus.embedded import EmbeddedBroker
from mombus.bus.streams import Limits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

HUB = Path(__file__).with_name("dying_hub.py")
LANES, EACH = 6, 4
PARKED = EACH
"""All of lane PO-0: the first is refused, the others queue behind it."""


@asynccontextmanager
async def hub(url: str, folder: Path, effect: Effect, place: Place) -> AsyncIterator[asyncio.subprocess.Process]:
    with (folder / "hub.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(HUB), url, str(folder), effect, place.name, stdout=log, stderr=log, cwd=HUB.parents[2]
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def settled(folder: Path) -> bool:
    """Everything has its outcome or waits."""
    with closing(sqlite3.connect(folder / "journal.db", timeout=20)) as db:
        (delivered,) = db.execute("SELECT count(*) FROM deliveries WHERE outcome='delivered'").fetchone()
        return waiting(folder) == PARKED and delivered == (LANES - 1) * EACH


def waiting(folder: Path) -> int:
    with closing(sqlite3.connect(folder / "journal.db", timeout=20)) as db:
        return int(db.execute("SELECT count(*) FROM waiting").fetchone()[0])


@pytest.mark.parametrize("effect", [Effect.FINDABLE, Effect.IDEMPOTENT])
@pytest.mark.parametrize("place", [place for place in Place if place is not Place.NONE])
async def test_one_effect_and_one_dead_letter(tmp_path: Path, effect: Effect, place: Place, proof: Proof) -> None:
    async with EmbeddedBroker(tmp_path / "broker") as broker, connect(broker.url, limits=Limits()) as bus:
        for n in range(EACH):
            await bus.publish_batch([fact(f"{lane}-{n}", f"PO-{lane}") for lane in range(LANES)])
        async with hub(broker.url, tmp_path, effect, place) as dying:
            assert await asyncio.wait_for(dying.wait(), PATIENCE_S) == -9, (tmp_path / "hub.log").read_text()
        async with hub(broker.url, tmp_path, effect, Place.NONE):
            await until(lambda: settled(tmp_path))
        letters = (await bus.js.stream_info("DEAD")).state.messages
    keys = Ledger(tmp_path / "books.db").got()
    lanes = [[key for key in keys if key.startswith(f"{lane}-")] for lane in range(1, LANES)]
    assert lanes == [[f"{lane}-{n}" for n in range(EACH)] for lane in range(1, LANES)], (
        tmp_path / "hub.log"
    ).read_text()
    assert letters <= 1
    twice = len(keys) - len(set(keys))
    proof(
        Part.HUB, fault=f"SIGKILL {place}, {effect} target", load=f"{LANES * EACH} facts, one lane of {LANES} poisoned",
        expected="one effect each in order, one parked with one dead letter, what is behind it waits",
        seen=f"{len(keys)} effects, {twice} twice, {waiting(tmp_path)} waiting, {letters} dead letters",
    )  # fmt: skip
