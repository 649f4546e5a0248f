"""The index knows how handovers ended: of all hubs, after a stop, and of what it hears of before its message."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from patience import until
from sqlalchemy import insert, select

from mombus.index import outcomes
from mombus.index.outcomes import Outcomes
from mombus.index.tables import hops, index_metadata, messages, refs
from mombus.journal import deliveries
from mombus.journal.deliveries import Outcome
from mombus.journal.journal import Journal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GATHER_S", "LOOK_S", "AGAIN_S"):
        monkeypatch.setattr(outcomes, name, 0.01)


@asynccontextmanager
async def opened(url: str, index: Path) -> AsyncIterator[tuple[Journal, Journal]]:
    journal = await Journal.open(url)
    found = await Journal.open(f"sqlite:///{index}", schema=index_metadata)
    try:
        yield journal, found
    finally:
        await found.close()
        await journal.close()


@asynccontextmanager
async def reading(index: Journal, journal: Journal, *, shared: bool = False) -> AsyncIterator[Outcomes]:
    one = Outcomes(index, journal, shared=shared)
    task = asyncio.create_task(one.run())
    try:
        yield one
    finally:
        task.cancel()
        await asyncio.wait({task})


async def ended(journal: Journal, id: str, seq: int, at: datetime, **more: Any) -> None:
    """A handover to the ERP ended."""
    row = {
        "target": "erp", "message_id": id, "seq": seq, "object": "material", "key": id, "outcome": Outcome.DELIVERED,
        "level": "posted", "document": None, "reason": None, "late": False, "attempts": 1, "at": at,
        "reply_headers": None, "reply_content": None, "replied": True,
    }  # fmt: skip
    await journal.write(lambda c: deliveries.record(c, [row | more]))
    await journal.write(lambda c: deliveries.settle(c, "erp", seq))


async def stored(index: Journal, *seqs: int) -> None:
    """The feeder has read these."""
    rows = [
        {"seq": seq, "id": f"m{seq}", "object": "material", "verb": "sync", "source": "erp", "key": "x", "lane": "x",
         "occurred": NOON, "recorded": NOON, "stored": NOON}
        for seq in seqs
    ]  # fmt: skip
    await index.write(lambda c: c.execute(insert(messages), rows))


async def known(index: Journal) -> list[tuple[int, str, int]]:
    statement = select(hops.c.seq, hops.c.state, hops.c.attempts).order_by(hops.c.seq)
    return await index.read(lambda c: [tuple(row) for row in c.execute(statement)])


async def until_known(index: Journal, *expected: tuple[int, str, int]) -> None:
    async def seen() -> bool:
        return await known(index) == list(expected)

    await until(seen)


async def test_what_ended_while_nobody_read_is_caught_up_and_then_what_is_told(tmp_path: Path, store: str) -> None:
    async with opened(store, tmp_path / "index.sqlite") as (journal, index):
        await stored(index, 1, 2, 3)
        await ended(journal, "m1", 1, NOON)
        await ended(journal, "m2", 2, NOON, outcome=Outcome.SKIPPED, attempts=4)
        async with reading(index, journal) as one:
            await until_known(index, (1, "delivered", 1), (2, "skipped", 4))
            await ended(journal, "m3", 3, NOON, document="4900012")
            one.ended("erp", NOON)
            await until_known(index, (1, "delivered", 1), (2, "skipped", 4), (3, "delivered", 1))
        named = await index.read(lambda c: [tuple(row) for row in c.execute(select(refs))])
        assert named == [("document", "4900012", 3)]


async def test_with_an_index_made_anew_everything_is_read_again(tmp_path: Path, store: str, monkeypatch) -> None:
    """Page by page, though many ended at the same time."""
    monkeypatch.setattr(outcomes, "AT_ONCE", 3)
    async with opened(store, tmp_path / "first.sqlite") as (journal, index):
        await stored(index, *range(1, 11))
        for seq in range(1, 11):
            await ended(journal, f"m{seq}", seq, NOON + timedelta(minutes=(seq // 5) * 5))
        async with reading(index, journal):
            await until_known(index, *((seq, "delivered", 1) for seq in range(1, 11)))
    async with opened(store, tmp_path / "second.sqlite") as (journal, index):
        await stored(index, *range(1, 11))
        async with reading(index, journal):
            await until_known(index, *((seq, "delivered", 1) for seq in range(1, 11)))


async def test_after_a_stop_reading_goes_on_a_little_before_where_it_stood(tmp_path: Path, store: str) -> None:
    async with opened(store, tmp_path / "index.sqlite") as (journal, index):
        await stored(index, 1, 2)
        await ended(journal, "m1", 1, NOON)
        async with reading(index, journal):
            await until_known(index, (1, "delivered", 1))
        await ended(journal, "m2", 2, NOON - timedelta(seconds=30))
        async with reading(index, journal):
            await until_known(index, (1, "delivered", 1), (2, "delivered", 1))


async def test_what_ends_before_its_message_is_indexed_comes_when_it_is(tmp_path: Path, store: str) -> None:
    async with opened(store, tmp_path / "index.sqlite") as (journal, index), reading(index, journal) as one:
        await stored(index, 1)
        await ended(journal, "m2", 2, NOON)
        await ended(journal, "m1", 1, NOON + timedelta(seconds=1))
        one.ended("erp", NOON)
        await until_known(index, (1, "delivered", 1))
        await stored(index, 2)
        await until_known(index, (1, "delivered", 1), (2, "delivered", 1))


async def test_a_stop_loses_nothing_that_ended_before_its_message_was_indexed(tmp_path: Path, store: str) -> None:
    async with opened(store, tmp_path / "index.sqlite") as (journal, index):
        await stored(index, 1)
        await ended(journal, "m2", 2, NOON)
        await ended(journal, "m1", 1, NOON + timedelta(hours=1))
        async with reading(index, journal):
            await until_known(index, (1, "delivered", 1))
        await stored(index, 2)
        async with reading(index, journal):
            await until_known(index, (1, "delivered", 1), (2, "delivered", 1))


async def test_what_another_hub_writes_is_looked_for(tmp_path: Path, postgresql: str) -> None:
    async with (
        opened(postgresql, tmp_path / "index.sqlite") as (journal, index),
        reading(index, journal, shared=True),
    ):
        await stored(index, 1, 2)
        await ended(journal, "m1", 1, NOON)
        await until_known(index, (1, "delivered", 1))
        await ended(journal, "m2", 2, NOON - timedelta(seconds=5))
        await until_known(index, (1, "delivered", 1), (2, "delivered", 1))


async def test_a_second_effect_is_one_of_its_message(tmp_path: Path, store: str) -> None:
    async with opened(store, tmp_path / "index.sqlite") as (journal, index), reading(index, journal) as one:
        await stored(index, 1)
        await ended(journal, "m1:replay-1", 1, NOON, attempts=2)
        one.ended("erp", NOON)
        await until_known(index, (1, "delivered", 2))
