"""Hubs that share a journal take in: a bookmark never goes back, and what comes late doesn't undo what is newer."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from patience import until
from sayings import NOW, order
from test_intake import OWNERS, said
from working_spool import working_spool

from connectors.connector import Item, waits
from mombus.bus import intake as taking
from mombus.bus.errors import NotReachable
from mombus.bus.intake import Intake
from mombus.bus.requests import Requests
from mombus.bus.spool import Spool
from mombus.journal import bookmarks, leases, parked
from mombus.journal.bookmarks import Term
from mombus.journal.journal import Journal
from mombus.journal.leaseholder import Lease, clock
from mombus.journal.leases import LeaseLost
from mombus.ownership.aliases import Aliases

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from canonical.message import Message
    from mombus.bus.connection import Bus


class Hub:
    """A hub's intake, and its leases for reading erp."""

    def __init__(self, name: str, bus: Bus, journal: Journal) -> None:
        self.name = name
        self.journal = journal
        self.away = False
        self.intake = Intake(
            bus=bus, journal=journal, owners=OWNERS, aliases=Aliases({}, journal), site="lyon", shared=True,
            requests=Requests(bus, journal),
        )  # fmt: skip

    async def reads(self) -> Term:
        """Take the lease, whoever has it: its time is over."""
        await self.journal.write(lambda c: c.execute(leases.leases.update().values(expires=1.0)) and None)
        epoch = await self.journal.write(lambda c: leases.take(c, self.name, "erp", 60.0))
        assert epoch
        return Term(Lease("erp", self.name, epoch, lambda: clock() + 60))

    async def accept(self, item: Item, term: Term | None) -> object:
        if self.away:
            raise NotReachable("the broker doesn't answer")
        return await self.intake.accept("erp", item, term)

    async def bookmark(self, term: Term | None) -> str | None:
        return await self.intake.bookmark("erp", term)

    def spool(self, folder: Path) -> AbstractAsyncContextManager[Spool]:
        """Its spool for erp; each time as after a start."""
        return working_spool(
            folder / self.name, "erp", accept=self.accept, bookmark=self.bookmark, limit=1024**2
        )  # fmt: skip


@pytest.fixture
async def hubs(bus: Bus, postgresql: str) -> AsyncIterator[list[Hub]]:
    found = [Hub(name, bus, await Journal.open(postgresql)) for name in ("a", "b")]
    yield found
    for hub in found:
        await hub.journal.close()


def stated(text: str, second: int, *, occurred: int | None = None) -> Message:
    """An order without a revision, noted first at that second."""
    message = order(text=text)
    happened = NOW + timedelta(seconds=second if occurred is None else occurred)
    return replace(message, occurred=happened, recorded=NOW + timedelta(seconds=second))


def item(text: str, second: int, **more) -> Item:
    return Item(messages=(stated(text, second, **more),), bookmark=f"{second}")


async def texts(bus: Bus) -> list[str]:
    return [message.body.description for message in await said(bus)]


async def mark(hub: Hub) -> str | None:
    return await hub.journal.read(lambda c: bookmarks.bookmark(c, "erp"))


async def test_a_bookmark_is_moved_by_who_reads_now_alone(bus, hubs):
    first, second = hubs
    old = await first.reads()
    assert await first.intake.bookmark("erp", old) is None
    await first.intake.accept("erp", item("a", 1), old)
    new = await second.reads()
    assert await second.intake.bookmark("erp", new) == "1"
    await first.intake.accept("erp", item("b", 2), old)
    assert await mark(first) == "1", "what is stored late moves nothing"
    await second.intake.accept("erp", item("c", 3), new)
    await first.intake.accept("erp", Item(bookmark="2"), old)
    assert await mark(first) == "3"
    with pytest.raises(LeaseLost):
        await first.intake.bookmark("erp", old)


async def test_what_is_said_again_is_not_taken_in_once_the_lease_is_over(bus, hubs):
    first, second = hubs
    old = await first.reads()
    await first.intake.bookmark("erp", old)
    old.lease.lost = True
    with pytest.raises(LeaseLost):
        await first.intake.accept("erp", replace(item("a", 1), settle=waits), old)
    new = await second.reads()
    assert await second.intake.bookmark("erp", new) is None
    await second.intake.accept("erp", replace(item("a", 1), settle=waits), new)
    assert (await texts(bus), await mark(first)) == (["a"], "1")


async def test_a_hub_that_stands_still_while_it_stores_changes_nothing_back(bus, hubs, monkeypatch):
    """It wakes up after another hub has read the same, and more."""
    first, second = hubs
    old = await first.reads()
    await first.intake.bookmark("erp", old)
    await first.intake.accept("erp", item("a", 1), old)
    publish, asleep, wakes = bus.publish_letters, asyncio.Event(), asyncio.Event()

    async def sleepily(letters):
        monkeypatch.undo()
        asleep.set()
        await wakes.wait()
        return await publish(letters)

    monkeypatch.setattr(bus, "publish_letters", sleepily)
    storing = asyncio.create_task(first.intake.accept("erp", replace(item("b", 2), settle=waits), old))
    await asleep.wait()
    new = await second.reads()
    assert await second.intake.bookmark("erp", new) == "1"
    for text, at in (("b", 2), ("c", 3)):
        await second.intake.accept("erp", replace(item(text, at), settle=waits), new)
    old.lease.lost = True
    wakes.set()
    with pytest.raises(LeaseLost):
        await storing
    assert (await texts(bus), await mark(first)) == (["a", "b", "c"], "3")


async def test_what_another_hub_kept_on_disk_does_not_undo_what_is_newer(bus, hubs, tmp_path):
    first, second = hubs
    first.away = True
    async with first.spool(tmp_path) as spool:
        await spool.accept(item("old", 1))
        await spool.accept(item("between", 3))
    await second.intake.accept("erp", item("new", 2))
    first.away = False
    async with first.spool(tmp_path) as spool:
        await until(lambda: not spool.state.items)
    assert await texts(bus) == ["new", "between"], "in the order in which they were noted"
    assert first.intake.counts["erp", "production_order", "older"] == 1


async def test_a_late_state_whose_times_contradict_each_other_is_kept_for_a_person(bus, hubs, tmp_path):
    first, second = hubs
    first.away = True
    async with first.spool(tmp_path) as spool:
        await spool.accept(item("which?", 1, occurred=9))
    await second.intake.accept("erp", item("new", 2))
    first.away = False
    async with first.spool(tmp_path) as spool:
        await until(lambda: not spool.state.items)
    (row,) = await first.journal.read(lambda c: parked.glimpses(c, limit=9, start_bytes=0))
    assert "production_order PO-4711 comes late, after another hub took in a newer one, or an older one" in row.reason
    assert await texts(bus) == ["new"]
    assert (await second.intake.retry(row.id)).accepted
    assert await texts(bus) == ["new", "which?"]


async def test_what_waited_long_at_a_door_goes_by_its_times(bus, hubs, monkeypatch):
    first, second = hubs
    await second.intake.accept("erp", Item(messages=(stated("new", 2),)))
    monkeypatch.setattr(taking, "LATE_S", -1.0)
    await first.intake.accept("erp", Item(messages=(stated("old", 1),)))
    assert await texts(bus) == ["new"]


async def test_a_hub_goes_on_reading_after_what_it_kept_unless_another_has_read(bus, hubs, tmp_path):
    first, second = hubs
    async with first.spool(tmp_path) as spool:
        term = await first.reads()
        assert await spool.bookmark(term) is None
        first.away = True
        await spool.accept(item("a", 1), term)
    async with first.spool(tmp_path) as spool:
        again = await first.reads()
        assert await spool.bookmark(again) == "1", "nobody has read since"
        first.away = False
        await until(lambda: not spool.state.items)
        assert await mark(first) == "1"
        first.away = True
        await spool.accept(item("b", 2), again)
    assert await second.intake.bookmark("erp", await second.reads()) == "1"
    async with first.spool(tmp_path) as spool:
        assert await spool.bookmark(await first.reads()) == "1", "another hub has read, from the journal's on"
        first.away = False
        await until(lambda: not spool.state.items)
    assert (await texts(bus), await mark(first)) == (["a", "b"], "1")
