"""The audit trail: rows are only added, and whoever gets at the database can't change them unseen."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from databases import started
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from typer.testing import CliRunner

from mombus.cli import audit as command
from mombus.journal import audit, chain
from mombus.journal.audit import START, Deed, seal
from mombus.journal.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Callable

DAY = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
STAYS = "rows of the audit trail"


def deed(number: int, who: str = "ada") -> Deed:
    return Deed(
        at=DAY.replace(minute=number % 60), who=who, action="skip", target="erp", message_id=f"m-{number}",
        why=f"it was wrong, “{number}”", result="skipped",
    )  # fmt: skip


async def write(journal: Journal, count: int = 5, first: int = 1, who: str = "ada") -> None:
    for number in range(first, first + count):
        await journal.write(partial(audit.note, deed=deed(number, who)))


@pytest.fixture(scope="module")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = started(tmp_path_factory.mktemp("pg"))
    yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    server.cleanup()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


@pytest.fixture
async def journal(file: Path) -> AsyncIterator[Journal]:
    opened = await Journal.open(f"sqlite:///{file}")
    yield opened
    await opened.close()


def tampered(file: Path, *statements: str) -> None:
    """Do to the trail what the triggers refuse, as somebody would who has the file."""
    with closing(sqlite3.connect(file)) as database:
        for name in ("UPDATE", "DELETE", "insert"):
            database.execute(f"DROP TRIGGER IF EXISTS audit_{name}")
        for statement in statements:
            database.execute(statement)
        database.commit()


async def test_a_trail_that_nobody_touched_is_intact(journal: Journal) -> None:
    assert await journal.read(chain.verify) == chain.Verdict(0, 0, START, ())
    await write(journal)
    noted = await journal.read(audit.deeds)
    assert [one.number for one in noted] == [5, 4, 3, 2, 1]
    verdict = await journal.read(chain.verify)
    assert (verdict.intact, verdict.rows, verdict.number, verdict.head) == (True, 5, 5, noted[0].hash)


async def test_deeds_that_share_a_commit_follow_each_other_and_one_undone_leaves_no_hole(journal: Journal) -> None:
    def undone(connection: object) -> None:
        audit.note(connection, deed(9))
        raise LookupError("changed its mind")

    works = [partial(audit.note, deed=deed(number)) for number in range(20)]
    await asyncio.gather(*map(journal.write, [*works[:7], undone, *works[7:]]), return_exceptions=True)
    verdict = await journal.read(chain.verify)
    assert (verdict.intact, verdict.rows, verdict.number) == (True, 20, 20)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET who = 'bob' WHERE number = 2",
        "DELETE FROM audit WHERE number = 5",
        "INSERT OR REPLACE INTO audit SELECT number, at, 'bob', action, target, message_id, why, result, previous, "
        "hash FROM audit WHERE number = 2",
        "INSERT INTO audit SELECT 99, at, who, action, target, message_id, why, result, previous, hash FROM audit "
        "WHERE number = 2",
    ],
)
async def test_the_database_refuses_to_change_what_is_written(journal: Journal, statement: str) -> None:
    await write(journal)
    with pytest.raises(DBAPIError, match=STAYS):
        await journal.write(lambda connection: connection.execute(text(statement)))
    assert (await journal.read(chain.verify)).intact


INSERTED = (
    "UPDATE audit SET number = -number WHERE number > 2",
    "UPDATE audit SET number = 1 - number WHERE number < 0",
    "INSERT INTO audit SELECT 3, at, who, action, target, message_id, why, result, previous, hash FROM audit "
    "WHERE number = 2",
)  # fmt: skip


@pytest.mark.parametrize(
    ("statements", "words"),
    [
        (("UPDATE audit SET why = 'because' WHERE number = 3",), ["row 3 was changed"]),
        (("UPDATE audit SET at = 'long ago' WHERE number = 3",), ["row 3 was changed"]),
        (("UPDATE audit SET who = x'00ff' WHERE number = 3",), ["row 3 was changed"]),
        (("UPDATE audit SET hash = 'nothing' WHERE number = 3",), ["row 3 was changed", "row 4 doesn't follow row 3"]),
        (("DELETE FROM audit WHERE number = 3",), ["row 3 is missing: removed"]),
        (("DELETE FROM audit WHERE number < 3",), ["rows 1 to 2 are missing: removed"]),
        (INSERTED, [f"row {number} was changed" for number in (3, 4, 5, 6)]),
    ],
)
async def test_what_was_changed_removed_or_put_in_is_named(
    journal: Journal, file: Path, statements: tuple[str, ...], words: list[str]
) -> None:
    await write(journal)
    tampered(file, *statements)
    faults = (await journal.read(chain.verify)).faults
    assert len(faults) == len(words)
    for fault, expected in zip(faults, words, strict=True):
        assert fault.startswith(expected)


async def test_a_row_with_a_hash_made_for_it_breaks_the_one_behind_it(journal: Journal, file: Path) -> None:
    await write(journal)
    with closing(sqlite3.connect(file)) as database:
        database.row_factory = sqlite3.Row
        row = dict(database.execute("SELECT * FROM audit WHERE number = 2").fetchone())
    forged = seal(row["previous"], row | {"who": "bob"})
    tampered(file, f"UPDATE audit SET who = 'bob', hash = '{forged}' WHERE number = 2")  # noqa: S608 - a hash
    (fault,) = (await journal.read(chain.verify)).faults
    assert fault.startswith("row 3 doesn't follow row 2")


async def test_only_a_head_noted_elsewhere_tells_of_rows_that_were_cut_off(journal: Journal, file: Path) -> None:
    await write(journal)
    head = (await journal.read(chain.verify)).head
    await write(journal, count=2, first=6)
    assert (await journal.read(partial(chain.verify, head=head))).intact
    tampered(file, "DELETE FROM audit WHERE number > 3")
    assert (await journal.read(chain.verify)).intact
    (fault,) = (await journal.read(partial(chain.verify, head=head))).faults
    assert head in fault
    assert "cut off" in fault


async def test_the_command_reads_a_journal_without_a_hub(journal: Journal, file: Path) -> None:
    await write(journal, count=3)
    await write(journal, count=2, first=4, who="bob")

    def run(*args: str) -> tuple[int, str]:
        done = CliRunner().invoke(command.app, [*args, "--journal", str(file)], standalone_mode=False)
        return done.return_value, done.stdout

    code, said = await asyncio.to_thread(run, "verify", "--json")
    assert (code, json.loads(said)["intact"]) == (0, True)
    code, said = await asyncio.to_thread(run, "--who", "bob", "--json")
    assert [row["number"] for row in json.loads(said)] == [5, 4]
    tampered(file, "UPDATE audit SET who = 'eve' WHERE number = 4")
    code, said = await asyncio.to_thread(run, "verify")
    assert code == 1
    assert "row 4 was changed" in said


def test_a_journal_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    done = CliRunner().invoke(command.app, ["verify", "--journal", str(tmp_path / "none.sqlite")])
    assert done.exit_code == 1
    assert "the journal can't be read: unable to open" in done.output


def test_a_journals_address_that_is_none_is_told_without_its_password() -> None:
    done = CliRunner().invoke(command.app, ["verify", "--journal", "postgresql://hub:planted-9f8e@db:port/mombus"])
    assert done.exit_code == 1
    assert "the journal can't be read: " in done.output
    assert "planted" not in done.output


async def test_hubs_that_share_a_postgresql_journal_write_one_chain(postgresql: str) -> None:
    first = await Journal.open(postgresql)
    second = await Journal.open(postgresql)
    try:
        await asyncio.gather(write(first, 20, who="ada"), write(second, 20, who="bob"))
        verdict = await second.read(chain.verify)
        assert (verdict.faults, verdict.rows, verdict.number) == ((), 40, 40)
        for statement in ("UPDATE audit SET who = 'eve'", "DELETE FROM audit", "TRUNCATE audit"):
            with pytest.raises(DBAPIError, match=STAYS):
                await first.write(partial(_execute, statement))
        await first.write(partial(_execute, "ALTER TABLE audit DISABLE TRIGGER ALL"))
        await first.write(partial(_execute, "UPDATE audit SET who = 'eve' WHERE number = 7"))
        assert (await second.read(chain.verify)).faults[0].startswith("row 7 was changed")
    finally:
        await first.close()
        await second.close()


def _execute(statement: str, connection: object) -> None:
    run: Callable[..., object] = connection.execute
    run(text(statement))
