"""Works that share a commit: each stands or falls by itself, and what is committed is committed once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError, OperationalError

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


async def test_a_full_disk_undoes_what_it_hits_and_nothing_else_that_was_told_as_done(tmp_path: Path) -> None:
    """SQLite undoes all of a transaction that meets a full disk, and goes on as if each statement were one."""
    journal = await Journal.open(f"sqlite:///{tmp_path}/journal.sqlite")

    def almost_full(connection: Connection) -> None:
        connection.execute(text("CREATE TABLE jottings(name TEXT PRIMARY KEY, size BLOB)"))
        pages = connection.execute(text("PRAGMA page_count")).scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages + 8}")

    def large(connection: Connection) -> None:
        connection.execute(text("INSERT INTO jottings VALUES ('large', zeroblob(1000000))"))

    def small(name: str) -> Callable[[Connection], str]:
        def work(connection: Connection) -> str:
            connection.execute(text("INSERT INTO jottings VALUES (:name, NULL)"), {"name": name})
            return name

        return work

    await journal.write(almost_full)
    works = [small("a"), small("b"), large, small("c")]
    a, b, none, c = await asyncio.gather(*(journal.write(work) for work in works), return_exceptions=True)
    assert (a, b, c) == ("a", "b", "c")
    assert isinstance(none, OperationalError)
    assert "full" in str(none)
    assert await names(journal) == ["a", "b", "c"]
    await journal.close()
