"""PostgreSQL restarts, or a hub stands still in a transaction: nothing is lost, and nobody waits for ever."""

from __future__ import annotations

import asyncio
import signal
import tempfile
import threading
import time
import traceback
from functools import partial
from pathlib import Path

import psutil
import psycopg
import pytest
from databases import ended, started
from patience import PATIENCE_S, until
from sqlalchemy import Connection, make_url, select, text
from sqlalchemy.exc import OperationalError

from mombus.journal import bookmarks, side
from mombus.journal import journal as module
from mombus.journal.databases import alone
from mombus.journal.journal import Journal


def note(connection: Connection, name: str) -> None:
    connection.execute(text("INSERT INTO jottings VALUES (:name) ON CONFLICT DO NOTHING"), {"name": name})


async def names(journal: Journal) -> list[str]:
    return await journal.read(lambda c: [row[0] for row in c.execute(text("SELECT name FROM jottings ORDER BY name"))])


async def test_commits_are_repeated_when_the_server_is_back(monkeypatch):
    monkeypatch.setattr(module, "ASKED_S", 0.0)
    server = started()
    journal = await Journal.open(server.get_uri())
    await journal.write(lambda c: c.execute(text("CREATE TABLE jottings(name TEXT PRIMARY KEY)")) and None)
    postmaster = psutil.Process(server.get_pid())
    postmaster.send_signal(signal.SIGQUIT)
    writing = [asyncio.create_task(journal.write(partial(note, name=f"{number}"))) for number in range(3)]
    reading = asyncio.create_task(names(journal))
    await until(lambda: journal.trouble)
    assert "the journal's database doesn't answer" in journal.trouble
    await until(lambda: ended(postmaster))
    surveying, asking = (
        asyncio.create_task(journal.survey(lambda c: c.execute(text("SELECT 1")).scalar(), patiently=patiently))
        for patiently in (True, False)
    )
    with pytest.raises(OperationalError):
        await asking
    assert not surveying.done(), "only who asks is told soon"
    await asyncio.to_thread(server.ensure_postgres_running)
    await asyncio.gather(*writing)
    assert set(await reading) <= {"0", "1", "2"}
    assert await surveying == 1
    assert await names(journal) == ["0", "1", "2"]
    assert journal.trouble == ""
    await journal.close()
    server.cleanup()


async def test_who_stands_still_in_a_transaction_holds_nobody_up_for_long(postgresql):
    stopped, other = [await Journal.open(postgresql) for _ in range(2)]
    runs, goes_on = [], threading.Event()

    def stand_still(connection: Connection) -> None:
        """As a stopped process does, the first time."""
        alone(connection)
        runs.append(1)
        if len(runs) == 1:
            goes_on.wait(PATIENCE_S)
        connection.execute(text("SELECT 1"))

    standing = asyncio.create_task(stopped.write(stand_still))
    await until(lambda: runs)
    await other.write(alone)
    assert not standing.done()
    goes_on.set()
    await standing
    assert len(runs) == 2
    for journal in (stopped, other):
        await journal.close()


async def test_who_stood_still_in_a_transaction_until_the_server_ended_it_does_it_again(postgresql):
    journal, runs = await Journal.open(postgresql), []

    def stand_still(connection: Connection) -> None:
        """As a process does that gets no time on a busy machine."""
        runs.append(connection.execute(text("SELECT pg_backend_pid()")).scalar())
        if len(runs) == 1:
            connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = '10ms'"))
            with psycopg.connect(postgresql, autocommit=True) as server:
                while server.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", runs).fetchone():
                    time.sleep(0.01)
        connection.execute(text("SELECT 1"))

    await journal.write(stand_still)
    assert len(set(runs)) == 2
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


async def test_what_only_a_person_can_mend_is_said_at_once_and_without_the_password(monkeypatch):
    monkeypatch.setattr(module, "AWAY_S", 3600.0)
    folder = Path(tempfile.mkdtemp(prefix="mombus-pg-"))
    server = started(folder)
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute("CREATE ROLE hub LOGIN PASSWORD 'sesame'")
        (folder / "pg_hba.conf").write_text("local all postgres trust\nlocal all all scram-sha-256\n")
        connection.execute("SELECT pg_reload_conf()")
    await until(lambda: asks_for_a_password(server.get_uri().replace("postgres:@", "hub@")))
    for user, database, why in (
        ("hub:swordfish@", "postgres", 'password authentication failed for user "hub": check `bus: store_user` and'),
        ("hub@", "postgres", "no password supplied: set `bus: store_password`"),
        ("hub:sesame@", "plant", 'database "plant" does not exist: create the database, or correct `bus: store`'),
        ("postgres:swordfish@", "plant", 'database "plant" does not exist'),
    ):
        with pytest.raises(ConnectionError, match="the journal's database can't be used: connection failed") as raised:
            await Journal.open(f"postgresql://{user}/{database}?host={folder}")
        told = "".join(traceback.format_exception(raised.value))
        assert why in told
        assert "swordfish" not in told
        assert "sesame" not in told
    server.cleanup()


def asks_for_a_password(uri: str) -> bool:
    """True once the server has read who may come in."""
    try:
        psycopg.connect(uri).close()
    except psycopg.OperationalError:
        return True
    return False


async def test_a_line_that_swallows_what_is_asked_is_cut_and_the_next_is_used(postgresql, monkeypatch):
    monkeypatch.setattr(side, "LOOK_S", 0.1)
    monkeypatch.setattr(module, "AWAY_S", 60.0)
    monkeypatch.setattr(module, "SILENT_S", 0.2)
    flows, opened = asyncio.Event(), []
    flows.set()

    async def passed_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(65536):
            if not flows.is_set():
                return  # it is gone, and the line stays open
            writer.write(chunk)

    async def taken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_unix_connection(f"{make_url(postgresql).query['host']}/.s.PGSQL.5432")
        opened.append((writer, back))
        await asyncio.gather(passed_on(reader, back), passed_on(there, writer))

    async with await asyncio.start_server(taken, "127.0.0.1", 0) as line:
        port = line.sockets[0].getsockname()[1]
        url = make_url(postgresql).set(host="127.0.0.1", port=port, query={}, password="x")
        journal = await Journal.open(url.render_as_string(hide_password=False))
        await journal.write(lambda c: c.execute(text("CREATE TABLE jottings(name TEXT PRIMARY KEY)")) and None)
        monkeypatch.setattr(side, "HANGS_S", 2.0)
        flows.clear()
        writing, reading = (
            asyncio.create_task(work) for work in (journal.write(partial(note, name="a")), names(journal))
        )
        await until(lambda: "hasn't answered for" in journal.trouble)
        flows.set()
        await asyncio.wait_for(asyncio.gather(writing, reading), PATIENCE_S)
        assert await names(journal) == ["a"]
        assert (journal.trouble, len(opened) > 2) == ("", True)
        await journal.close()
        for pair in opened:
            for end in pair:
                end.transport.abort()


async def test_a_server_that_stands_still_is_waited_for(monkeypatch):
    monkeypatch.setattr(module, "SILENT_S", 0.2)
    server = started()
    journal = await Journal.open(server.get_uri())
    await journal.write(lambda c: c.execute(text("CREATE TABLE jottings(name TEXT PRIMARY KEY)")) and None)
    all_of_it = [psutil.Process(server.get_pid()), *psutil.Process(server.get_pid()).children(recursive=True)]
    for process in all_of_it:
        process.suspend()
    writing = asyncio.create_task(journal.write(partial(note, name="a")))
    await until(lambda: "hasn't answered for" in journal.trouble)
    for process in all_of_it:
        process.resume()
    await asyncio.wait_for(writing, PATIENCE_S)
    assert (await names(journal), journal.trouble) == (["a"], "")
    await journal.close()
    server.cleanup()
