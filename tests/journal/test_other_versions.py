"""A journal that another version wrote is refused with what to do, before anything in it is changed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from mombus.index.tables import index_metadata
from mombus.journal import belonging, bookmarks, parked  # noqa: F401 - they bring their tables
from mombus.journal.journal import Journal
from mombus.journal.versions import OtherVersionError

ADVICE = "Start the version that wrote it, or this one with a database and a folder of its own"


async def changed(store: str, *statements: str) -> None:
    await (await Journal.open(store)).close()
    engine = create_engine(store)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


async def test_an_older_one(store):
    await changed(store, "ALTER TABLE bookmarks DROP COLUMN term", "DROP TABLE parked")
    with pytest.raises(OtherVersionError) as refused:
        await Journal.open(store)
    assert str(refused.value).endswith(
        f" was written by an older version of mombus: its table bookmarks has no term. {ADVICE}"
    )
    engine = create_engine(store)
    with engine.connect() as connection:
        assert not engine.dialect.has_table(connection, "parked"), "nothing was made in it"
    engine.dispose()


async def test_a_newer_one(store):
    await changed(
        store, "DROP TABLE belonging", "CREATE TABLE belonging (bus TEXT PRIMARY KEY, journal TEXT, mark BIGINT, "
        "last_seq BIGINT, epoch TEXT NOT NULL)",
    )  # fmt: skip
    with pytest.raises(OtherVersionError, match="a newer version of mombus: its table belonging has epoch"):
        await Journal.open(store)


async def test_what_was_added_and_may_be_empty_is_left_alone(store):
    await changed(store, "CREATE TABLE later (id TEXT)", "ALTER TABLE bookmarks ADD COLUMN note TEXT")
    await (await Journal.open(store)).close()


async def test_an_index_may_be_deleted(tmp_path):
    store = f"sqlite:///{tmp_path / 'index.sqlite'}"
    await (await Journal.open(store, schema=index_metadata)).close()
    engine = create_engine(store)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE messages RENAME COLUMN verb TO word"))
    engine.dispose()
    with pytest.raises(OtherVersionError, match=r"index.sqlite .* has no verb. Delete it: the index is made"):
        await Journal.open(store, schema=index_metadata)


def test_run_says_so_and_ends(tmp_path: Path) -> None:
    """Without a traceback."""
    (tmp_path / "routes.yaml").write_text(
        "version: 1\nplant: {enterprise: acme, site: lyon, timezone: UTC}\nhttp: {port: 0}\nsystems: {}\nobjects: {}\n"
    )
    (tmp_path / ".mombus").mkdir()
    engine = create_engine(f"sqlite:///{tmp_path / '.mombus' / 'journal.sqlite'}")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE bookmarks (system TEXT PRIMARY KEY, bookmark TEXT, at TEXT)"))
    engine.dispose()
    command = [sys.executable, "-m", "mombus", "run", str(tmp_path / "routes.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 1
    assert f"its table bookmarks has no term. {ADVICE}" in done.stderr
    assert "Traceback" not in done.stderr
