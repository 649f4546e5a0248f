"""Works that share a commit: each stands or falls by itself, and what is committed is committed once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from mombus.journal.journal import Journal


@pytest.fixture
async def journal(store: str) -> AsyncIterator[Journal]:
    journal = await Journal.open(store)
    await journal.write(lambda c: c.execute(text("CREATE TABLE jottings(name TEXT PRIMARY KEY)")))
    yield journal
    await journal.close()


def note(name: str) -> object:
    def work(connection: Connection) -> str:
        connection.execute(text("INSERT INTO jottings VALUES (:name)"), {"name": name})
        return name

    return work


async def names(journal: Journal) -> list[str]:
    return await journal.read(lambda c: [row[0] for row in c.execute(text("SELECT name FROM jottings ORDER BY name"))])


async def test_a_work_that_fails_is_undone_alone(journal: Journal) -> None:
    def half(connection: Connection) -> None:
        connection.execute(text("INSERT INTO jottings VALUES ('half')"))
        raise LookupError("changed its mind")

    works = [note("a"), note("b"), half, note("a"), note("c")]
    results = await asyncio.gather(*(journal.write(work) for work in works), return_exceptions=True)
    assert results[0] == "a"
    assert results[1] == "b"
    assert isinstance(results[2], LookupError)
    assert isinstance(results[3], IntegrityError)
    assert results[4] == "c"
    assert await names(journal) == ["a", "b", "c"]


async def test_one_alone_that_fails_leaves_nothing(journal: Journal) -> None:
    await journal.write(note("a"))
    with pytest.raises(IntegrityError):
        await journal.write(note("a"))
    assert await journal.write(note("b")) == "b"
    assert await names(journal) == ["a", "b"]
