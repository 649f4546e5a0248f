"""What can neither be stored nor said again is kept on disk, whole and in order; what doesn't fit becomes one gap."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from patience import PATIENCE_S, until
from sayings import order
from working_spool import working_spool

from canonical.isa95.signals import Count as CountBody
from canonical.isa95.signals import CountReading
from canonical.message import Message
from connectors.connector import Gap, Item, Outcome, waits
from mombus.bus.calls.framing import Failure
from mombus.bus.errors import NotReachable
from mombus.bus.items import pack, unpack
from mombus.bus.spool import GIVE_UP, Lost, Spool
from mombus.journal import spooled
from mombus.journal.bookmarks import Term

NOW = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
ROOMY = 1024**2


class Bus:
    """An intake that can be away."""

    def __init__(self) -> None:
        self.up = asyncio.Event()
        self.got: list[Item] = []
        self.before: str | None = None
        self.asked = 0

    async def accept(self, item: Item, _term: Term | None = None) -> list[Outcome]:
        self.asked += 1
        if not self.up.is_set():
            raise NotReachable("nobody answers")
        self.got.append(replace(item, settle=None))
        if item.settle:
            await item.settle([])
        return []

    async def bookmark(self, _term: Term | None = None) -> str | None:
        return self.before

    @property
    def said(self) -> list[str]:
        return [item.document or "gap" for item in self.got]


def count(number: int, *, readings: int = 1, equipment: str = "FILLER1") -> Item:
    at = NOW + timedelta(seconds=number)
    body = CountBody(equipment_id=equipment, reading=tuple(
        CountReading(equipment_id=equipment, signal="good", source_time=at, count=number + n) for n in range(readings)
    ))  # fmt: skip
    message = Message.of("count", body, source="line", site="lyon", occurred=at, recorded=at)
    return Item(messages=(message,), document=f"C-{number}", bookmark=str(number))


def spool(folder, bus: Bus, limit: int = ROOMY, **more):
    return working_spool(
        folder / "spool.sqlite", "line", accept=bus.accept, bookmark=bus.bookmark, limit=limit, **more
    )  # fmt: skip


async def emptied(made: Spool) -> None:
    await until(lambda: not made.state.items)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr("mombus.bus.spool.MOST_S", 0.05)


async def test_while_the_bus_stores_it_is_not_used(tmp_path):
    bus = Bus()
    bus.up.set()
    async with spool(tmp_path, bus) as made:
        await made.accept(count(1))
        assert bus.said == ["C-1"]
        assert made.state.items == 0


async def test_what_the_bus_does_not_store_follows_in_order_and_news_go_behind_it(tmp_path):
    bus = Bus()
    async with spool(tmp_path, bus) as made:
        for number in range(1, 6):
            (outcome,) = await made.accept(count(number))
            assert outcome.accepted
        assert (made.state.items, made.state.reason) == (5, "nobody answers")
        bus.up.set()
        await made.accept(count(6))
        await emptied(made)
        await made.accept(count(7))
    assert bus.said == [f"C-{number}" for number in range(1, 8)]
    assert bus.got[0] == count(1)


@pytest.mark.parametrize(("limit", "order_"), [(ROOMY, ["C-2", "C-1"]), (0, ["C-1", "C-2"])])
async def test_what_is_posted_to_two_hubs_in_turn_keeps_its_order_where_nothing_is_spooled(tmp_path, limit, order_):
    cut_off, near = Bus(), Bus()
    near.got = cut_off.got
    near.up.set()
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()

    async def post(number: int, *doors: Spool) -> None:
        for door in doors:
            with suppress(NotReachable):
                await door.accept(count(number))
                return

    async with spool(tmp_path / "one", cut_off, limit) as one, spool(tmp_path / "two", near, limit) as two:
        await post(1, one, two)
        await post(2, two, one)
        cut_off.up.set()
        await emptied(one)
    assert near.said == order_


async def test_what_the_hub_fails_at_is_kept_for_a_person_at_last_and_what_follows_goes_on(tmp_path):
    bus = Bus()
    bus.up.set()
    take = bus.accept

    async def accept(item: Item, term: Term | None = None) -> list[Outcome]:
        if item.document == "C-1":
            bus.asked += 1
            raise Failure("unexpected", "KeyError: 'unit'")
        return await take(item, term)

    bus.accept = accept  # type: ignore[method-assign]
    async with spool(tmp_path, bus) as made:
        (outcome,) = await made.accept(count(1))
        assert outcome.accepted, "it is safe on disk"
        await made.accept(count(2))
        await emptied(made)
    kept, behind = bus.got
    assert kept.faults[0].reason == f"the hub failed to take it in {GIVE_UP} times: KeyError: 'unit'"
    assert (unpack(kept.faults[0].raw or b""), kept.bookmark) == (count(1), "1")
    assert behind == count(2)


async def test_a_bus_that_is_silent_is_not_waited_for(tmp_path):
    bus = Bus()

    async def silent(item: Item, _term: Term | None) -> list[Outcome]:
        await bus.up.wait()
        return await Bus.accept(bus, item)

    bus.accept = silent  # type: ignore[method-assign]
    async with spool(tmp_path, bus, patience_s=0.05) as made:
        await made.accept(count(1))
        assert made.state.reason == "the bus stores nothing now"
        bus.up.set()
        await emptied(made)
    assert bus.said == ["C-1"]


async def test_a_system_that_can_wait_waits_behind_what_is_kept(tmp_path):
    bus = Bus()
    async with spool(tmp_path, bus) as made:
        await made.accept(count(1))
        waiting = asyncio.create_task(made.accept(replace(count(2), settle=waits)))
        await asyncio.sleep(0)
        assert not waiting.done()
        bus.up.set()
        await asyncio.wait_for(waiting, PATIENCE_S)
    assert bus.said == ["C-1", "C-2"]


async def test_with_nothing_kept_a_system_that_can_wait_is_told_at_once(tmp_path):
    async with spool(tmp_path, Bus()) as made:
        with pytest.raises(NotReachable):
            await made.accept(replace(count(2), settle=waits))
        assert made.state.items == 0


async def test_what_an_earlier_run_has_kept_comes_first(tmp_path):
    bus = Bus()
    async with spool(tmp_path, bus) as made:
        for number in (1, 2):
            await made.accept(count(number))
    bus.up.set()
    async with spool(tmp_path, bus) as made:
        await made.accept(count(3))
        await emptied(made)
    assert bus.said == ["C-1", "C-2", "C-3"]


async def test_reading_goes_on_after_what_is_kept(tmp_path):
    bus = Bus()
    bus.before = "0"
    async with spool(tmp_path, bus) as made:
        assert await made.bookmark() == "0"
        for number in (1, 2):
            await made.accept(count(number))
        assert await made.bookmark() == "2"
        bus.up.set()
        await emptied(made)
        assert await made.bookmark() == "0"


async def test_what_does_not_fit_is_one_gap_at_its_place(tmp_path):
    bus = Bus()
    room = len(pack(count(1))) * 2 + 10
    async with spool(tmp_path, bus, room) as made:
        for number in (1, 2):
            await made.accept(count(number))
        for number in (3, 4, 5):
            with pytest.raises(Lost, match=r"spool of .* is full"):
                await made.accept(count(number, readings=2))
        lost = made.state.lost
        assert lost is not None
        assert (lost.lost, lost.since, lost.equipment) == (6, NOW + timedelta(seconds=3), "FILLER1")
        assert made.state.size <= room
        bus.up.set()
        await emptied(made)
        await made.accept(count(6))
    assert bus.said == ["C-1", "C-2", "gap", "C-6"]
    (gap,) = bus.got[2].messages
    assert gap == lost


async def test_a_gap_outlives_a_kill_and_grows_on(tmp_path):
    bus = Bus()
    room = len(pack(count(1)))
    async with spool(tmp_path, bus, room) as made:
        await made.accept(count(1))
        with pytest.raises(Lost):
            await made.accept(count(2))
    async with spool(tmp_path, bus, room) as made:
        with pytest.raises(Lost):
            await made.accept(count(3, equipment="CAPPER1"))
        bus.up.set()
        await emptied(made)
    assert bus.said == ["C-1", "gap"]
    (gap,) = bus.got[1].messages
    assert isinstance(gap, Gap)
    assert (gap.lost, gap.equipment) == (2, None)


async def test_each_stretch_of_losses_is_a_gap_of_its_own(tmp_path):
    bus = Bus()
    room = len(pack(count(1)))
    async with spool(tmp_path, bus, room) as made:
        for number in (1, 3):
            await made.accept(count(number))
            with pytest.raises(Lost):
                await made.accept(count(number + 1))
            bus.up.set()
            await emptied(made)
            bus.up.clear()
    assert bus.said == ["C-1", "gap", "C-3", "gap"]


async def test_a_full_disk_is_told_as_a_gap_too(tmp_path):
    bus, full = Bus(), ["the disk is nearly full"]
    async with spool(tmp_path, bus, full=lambda: full[0] if full else None) as made:
        with pytest.raises(Lost, match="nearly full"):
            await made.accept(count(1))
        full.clear()
        await made.accept(count(2))
        bus.up.set()
        await emptied(made)
    assert bus.said == ["gap", "C-2"]


async def test_what_cannot_be_read_back_is_kept_for_a_person(tmp_path):
    bus = Bus()
    async with spool(tmp_path, bus) as made:
        await made._journal.write(lambda c: spooled.put(c, "line", b"{}", since=NOW))
        await made.open()
        await made.accept(count(1))
        bus.up.set()
        await emptied(made)
    assert [item.document for item in bus.got] == [None, "C-1"]
    assert bus.got[0].faults[0].raw == b"{}"


async def test_the_intake_is_asked_again_from_what_it_has_not_taken(tmp_path):
    bus = Bus()
    async with spool(tmp_path, bus) as made:
        for number in range(1, 5):
            await made.accept(count(number))

        async def falters(item: Item, _term: Term | None) -> list[Outcome]:
            if item.document == "C-3" and len(bus.got) == 2:
                bus.got.append(item)
                raise NotReachable("gone again")
            return await bus.accept(item)

        made._accept = falters
        bus.up.set()
        await emptied(made)
    assert bus.said == ["C-1", "C-2", "C-3", "C-3", "C-4"]


async def test_without_room_declared_everything_waits(tmp_path):
    async with spool(tmp_path, Bus(), 0) as made:
        with pytest.raises(NotReachable):
            await made.accept(Item(messages=(order("PO-1"),)))
        assert made.state.items == 0
