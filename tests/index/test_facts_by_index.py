"""Facts are found by their objects and by what they name: a million other messages don't make it slower."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event

from mombus.index import facts
from mombus.index.tables import index_metadata
from mombus.journal.databases import open_engines

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy import Connection

SIX = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
DAY = timedelta(days=1)
WORK = ["job_response", "production_response"]

ASKED: dict[str, Callable[[Connection], Any]] = {
    "of one object": lambda c: facts.occurred(c, ["downtime"], SIX, SIX + DAY, DAY, 5),
    "of several": lambda c: facts.occurred(c, WORK, SIX, SIX + DAY, DAY, 5),
    "said last": lambda c: facts.stated(c, ["reason_code", "capability"], 5),
    "of a lot": lambda c: facts.naming(c, WORK, "material_lot", "L-1", 5),
}


@pytest.mark.parametrize("what", ASKED)
def test_facts_are_found_by_their_objects(what: str, tmp_path: Path) -> None:
    writing, *_ = open_engines(f"sqlite:///{tmp_path / 'index.sqlite'}")
    steps: list[str] = []

    def explain(connection: Any, _cursor: Any, statement: str, given: Any, *_: Any) -> None:
        if statement.startswith("SELECT"):
            cursor = connection.connection.cursor().execute(f"EXPLAIN QUERY PLAN {statement}", given)
            steps.extend(row[3] for row in cursor.fetchall())

    with writing.begin() as connection:
        index_metadata.create_all(connection)
        event.listen(writing, "before_cursor_execute", explain)
        ASKED[what](connection)
    writing.dispose()
    looked = [step for step in steps if step.startswith(("SEARCH", "SCAN")) and "messages" in step]
    assert looked
    assert all("INDEX ix_messages_object (object=?" in step for step in looked), looked
