"""What a source yielded is the hub's: it is stored before the next one, whatever fails meanwhile."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from hub_plant import Quiet
from patience import PATIENCE_S, until
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from connectors.connector import Item, NotConnected
from mombus.bus.errors import NotReachable
from mombus.hub import reading
from mombus.hub.building import reconnecting
from mombus.hub.reading import Reading
from mombus.hub.session import Condition, Session

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

FIRST, SECOND = Item(document="first"), Item(document="second")


class Line(Quiet):
    """A source that can't say anything twice."""

    offers = frozenset()

    def __init__(self, *items: Item | BaseException, for_ever: bool = True) -> None:
        super().__init__()
        self.items = list(items)
        self.for_ever = for_ever
        self.connects = 0

    async def connect(self) -> None:
        self.connects += 1

    async def read(self, bookmark: str | None) -> AsyncIterator[Item]:
        while self.items:
            item = self.items.pop(0)
            if isinstance(item, BaseException):
                raise item
            yield item
        if self.for_ever:
            await asyncio.Event().wait()


async def nowhere() -> None:
    return None


@asynccontextmanager
async def reads(line: Line, accept: Callable) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(Reading(Session("line", "test", line), line, accept=accept, bookmark=nowhere).run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait({task})


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(reading, "FIRST_S", 0.02)


async def test_what_cannot_be_stored_now_is_stored_before_anything_else(monkeypatch):
    line, tried = Line(FIRST, SECOND), []

    async def accept(item: Item) -> list:
        tried.append(item.document)
        if len(tried) == 1:
            raise NotReachable("MOM can't be read: the broker doesn't answer")
        if len(tried) == 2:
            raise OperationalError("INSERT", {}, Exception("database is locked"))
        return []

    async with reads(line, accept):
        await until(lambda: tried[-1:] == ["second"])
    assert tried == ["first", "first", "first", "second"]
    assert line.connects == 1, "the system is not to blame"


async def test_what_is_being_stored_when_the_hub_stops_is_stored():
    begun, stored = asyncio.Event(), []

    async def accept(item: Item) -> list:
        begun.set()
        await asyncio.sleep(0.05)
        stored.append(item.document)
        return []

    async with reads(Line(FIRST, SECOND), accept) as task:
        await begun.wait()
        task.cancel()
        await asyncio.wait({task})
        assert task.cancelled()
    assert stored == ["first"]


async def test_a_hub_does_not_wait_for_ever_to_store_the_last(monkeypatch):
    monkeypatch.setattr(reading, "FINISH_S", 0.05)
    begun = asyncio.Event()

    async def accept(_item: Item) -> list:
        begun.set()
        await asyncio.Event().wait()
        return []

    async with reads(Line(FIRST), accept) as task:
        await begun.wait()
        task.cancel()
        done, _ = await asyncio.wait({task}, timeout=PATIENCE_S)
        assert done


async def test_a_client_that_cancels_by_itself_does_not_end_the_reading():
    accepted = []

    async def accept(item: Item) -> list:
        accepted.append(item.document)
        return []

    line = Line(asyncio.CancelledError(), FIRST)
    async with reads(line, accept):
        await until(lambda: accepted == ["first"])
    assert line.connects == 2


async def test_a_source_that_ends_is_read_again_in_its_own_time():
    line = Line(for_ever=False)

    async def accept(_item: Item) -> list:
        return []

    async with reads(line, accept):
        await asyncio.sleep(0.2)
    assert line.connects <= 6


async def test_a_connection_that_held_long_is_soon_tried_again(monkeypatch):
    for name, value in (("HELD_S", 0.0), ("FIRST_S", 0.2), ("MOST_S", 3600.0)):
        monkeypatch.setattr(reading, name, value)
    line = Line(*(NotConnected("gone") for _ in range(9)))

    async def accept(_item: Item) -> list:
        return []

    async with reads(line, accept):
        await until(lambda: line.connects == 10)  # pauses that grew would be longer than that is waited for


async def test_a_target_joins_a_connection_that_its_source_has_opened_again():
    line = Line()
    session = Session("line", "test", line)
    await session.connect(0)
    connect = reconnecting(session)
    await connect()
    assert line.connects == 1, "it was opened since the target looked last"
    await connect()
    assert line.connects == 2, "this one is the one that was lost"
    await session.connect(2)
    await connect()
    assert line.connects == 3, "its source was faster"


async def test_a_connection_that_is_lost_is_logged_once_and_when_it_is_back():
    session = Session("line", "test", Line())
    with capture_logs() as entries:
        for _ in range(3):
            session.mark(Condition.DOWN, "no connection")
        session.mark(Condition.DOWN, "wrong certificate")
        for _ in range(3):
            session.heard()
            session.mark(Condition.DOWN, "wrong certificate")
    told = [(one["event"], one.get("reason")) for one in entries]
    assert told == [("system down", "no connection"), ("system down", "wrong certificate"), ("system up", None)]
