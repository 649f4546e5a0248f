"""Every table of the journal says in docs/storage.md how long it keeps what it keeps."""

from __future__ import annotations

from pathlib import Path

from mombus.journal import (  # noqa: F401 - each brings its tables
    accounts,
    aliases,
    audit,
    belonging,
    bookmarks,
    bulk,
    deliveries,
    disagreements,
    journal,
    leases,
    notes,
    parked,
    replays,
    requests,
    searches,
    undertakings,
    waiting,
)
from mombus.journal.tables import metadata

STORAGE = Path(__file__).parents[2] / "docs" / "storage.md"
WITH_THEIR_ACTION = {"bulk_chosen"}


def test_every_table_is_in_the_list() -> None:
    told = STORAGE.read_text(encoding="utf-8")
    assert [name for name in metadata.tables if f"`{name}`" not in told] == sorted(WITH_THEIR_ACTION)
