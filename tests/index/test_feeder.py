"""Feeding the index never ends: not by what is strange on the bus, not by a database that is busy."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from patience import PATIENCE_S
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from canonical.isa95.resources import MaterialDefinition
from canonical.message import Message
from canonical.wire import MESSAGE_ID, to_headers
from mombus.bus.connection import connect
from mombus.bus.embedded import EmbeddedBroker
from mombus.bus.publishing import Letter
from mombus.bus.streams import MOM, Limits
from mombus.index import feeder
from mombus.index.feeder import Feeder
from mombus.index.tables import index_metadata, messages
from mombus.journal.journal import Journal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

NOW = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)


def material(key: str) -> Message:
    body = MaterialDefinition(id=key, description="water")
    return Message.of("material", body, source="erp", site="lyon", occurred=NOW, recorded=NOW, revision=1)


@asynccontextmanager
async def feeding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seen) -> AsyncIterator[tuple]:
    monkeypatch.setattr(feeder, "AGAIN_S", 0.05)
    async with EmbeddedBroker(tmp_path / "broker") as broker, connect(broker.url, limits=Limits()) as bus:
        index = await Journal.open(f"sqlite:///{tmp_path / 'index.sqlite'}", schema=index_metadata)
        feed = asyncio.create_task(Feeder(bus.js, index, seen).run())
        try:
            yield bus, index
            assert not feed.done(), "feeding has ended"
        finally:
            feed.cancel()
            await asyncio.wait({feed})
            await index.close()


async def keys(index: Journal) -> list[str]:
    return await index.read(lambda c: list(c.execute(select(messages.c.key).order_by(messages.c.seq)).scalars()))


async def until_fed(index: Journal, *expected: str) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            if await keys(index) == list(expected):
                return
            await asyncio.sleep(0.01)


async def test_an_object_that_the_catalogue_lacks_is_passed_over(tmp_path, monkeypatch):
    """As a newer or older version of mombus may have stored it."""
    async with feeding(tmp_path, monkeypatch, lambda message, _at: message.row) as (bus, index):
        headers = {**to_headers(material("X")), "ce-type": "mom.forgotten.sync", MESSAGE_ID: "1"}
        await bus.publish_letters([Letter("mom.lyon.forgotten.sync.erp.x.x", headers, b"{}")])
        await bus.publish(material("FG-1000"))
        await until_fed(index, "FG-1000")


async def test_who_is_told_and_fails_does_not_end_it(tmp_path, monkeypatch):
    def seen(message: Message, _at: datetime) -> None:
        if message.key == "FG-1":
            raise RuntimeError("no")

    async with feeding(tmp_path, monkeypatch, seen) as (bus, index):
        await bus.publish(material("FG-1"))
        await bus.publish(material("FG-2"))
        await until_fed(index, "FG-1", "FG-2")


async def test_a_database_that_does_not_take_it_now_is_tried_again(tmp_path, monkeypatch):
    async with feeding(tmp_path, monkeypatch, lambda _message, _at: None) as (bus, index):
        await bus.publish(material("FG-1"))
        await until_fed(index, "FG-1")
        really, refused = index.write, []

        async def busy(work):
            if len(refused) < 2:
                refused.append(work)
                raise OperationalError("INSERT", {}, Exception("database is locked"))
            return await really(work)

        monkeypatch.setattr(index, "write", busy)
        await bus.publish(material("FG-2"))
        await until_fed(index, "FG-1", "FG-2")
        assert len(refused) == 2


@pytest.mark.parametrize("more", [True, False], ids=["more comes", "it was the last"])
async def test_what_is_lost_on_its_way_is_read_again(tmp_path, monkeypatch, more):
    """As when a connection ends: here somebody else takes what was to be delivered."""
    monkeypatch.setattr(feeder, "IDLE_S", 0.1)
    async with feeding(tmp_path, monkeypatch, lambda _message, _at: None) as (bus, index):
        await bus.publish(material("FG-0"))
        await until_fed(index, "FG-0")
        (reader,) = await bus.js.consumers_info(MOM)
        inbox = bus.client.new_inbox()
        taker = await bus.client.subscribe(inbox)
        await bus.client.publish(f"$JS.API.CONSUMER.MSG.NEXT.{MOM}.{reader.name}", b'{"batch": 1}', reply=inbox)
        taken = asyncio.create_task(taker.next_msg(PATIENCE_S))
        expected = ["FG-0"]
        while not taken.done():
            expected.append(f"FG-{len(expected)}")
            await bus.publish(material(expected[-1]))
            await asyncio.wait({taken}, timeout=0.05)
        if more:
            expected.append("FG-last")
            await bus.publish(material(expected[-1]))
        await until_fed(index, *expected)
