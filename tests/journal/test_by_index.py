"""What delivery asks the journal about every batch is found by index: a million rows don't make it slower."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event

from mombus.index.arrivals import that_wait
from mombus.journal import aliases, deliveries, parked, promises, waiting
from mombus.journal.aliases import Learned
from mombus.journal.databases import open_engines
from mombus.journal.parked import Parked, ParkedItem
from mombus.journal.replays import withdraw_cancelled
from mombus.journal.tables import metadata
from mombus.journal.waiting import Wait

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy import Connection

NOW = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
FAULT = ParkedItem(
    id="i", system="erp", kind=Parked.FAULT, place="p", reason="r", message=None, content=b"", missing=None, since=NOW
)
LEARNED = Learned("erp", "production_order", "4711", "PO-1", NOW)
THINGS = [("material", "M-1"), ("material", "M-2"), ("production_order", "PO-1")]

ASKED: dict[str, tuple[Callable[[Connection], Any], set[str]]] = {
    "what is known of a batch": (
        lambda c: deliveries.look_up(c, "erp", ["a", "b"], THINGS, THINGS),
        {
            "sqlite_autoindex_deliveries_1 (target=? AND message_id=?)",
            "sqlite_autoindex_revisions_1 (target=? AND object=? AND key=?)",
            "sqlite_autoindex_entered_1 (target=? AND object=? AND key=?)",
        },
    ),
    "intents taken back": (
        lambda c: deliveries.withdraw(c, "erp", ["a"]),
        {"sqlite_autoindex_deliveries_1 (target=? AND message_id=?)"},
    ),
    "open intents": (lambda c: deliveries.open_intents(c, "erp"), {"deliveries_begun (target=?)"}),
    "replies owed": (lambda c: deliveries.unreplied(c, "erp"), {"deliveries_unreplied (target=?)"}),
    "outcomes too old": (
        lambda c: deliveries.prune(c, "erp", NOW, 10),
        {"deliveries_ended (target=? AND at<?)", "sqlite_autoindex_deliveries_1 (target=? AND message_id=?)"},
    ),
    "what waits": (
        lambda c: waiting.messages(c, "erp", ["a"]), {"sqlite_autoindex_waiting_1 (target=? AND message_id=?)"},
    ),
    "what waits for one reason, newest first": (
        lambda c: that_wait(c, targets=["erp"], kinds=[Wait.PARKED], attempts=0, before=9, limit=5),
        {"waiting_kind (target=? AND kind=? AND seq<?)", "waiting_kind (target=? AND kind=?)"},
    ),
    "what begins like that": (
        lambda c: waiting.beginning(c, "erp", "ab", 2),
        {"sqlite_autoindex_waiting_1 (target=? AND message_id>? AND message_id<?)"},
    ),
    "what is kept and begins like that": (
        lambda c: parked.beginning(c, "ab", 2), {"sqlite_autoindex_parked_1 (id>? AND id<?)"},
    ),
    "something to keep": (
        lambda c: parked.keep(c, FAULT),
        {"sqlite_autoindex_parked_1 (id=?)", "parked_number"},
    ),
    "promises that were kept": (
        lambda c: (promises.done(c, NOW), promises.newest_late(c, "material", "erp", NOW, 5)),
        {"deliveries_ended (target=? AND at>?)", "sqlite_autoindex_positions_1"},
    ),
    "numbers to learn": (
        lambda c: (aliases.learn(c, [LEARNED]), aliases.unlearned(c)),
        {
            "deliveries_ended (target=? AND at>?)", "sqlite_autoindex_positions_1", "",
            "sqlite_autoindex_learned_aliases_1 (system=? AND object=? AND native=?) LEFT-JOIN",
        },
    ),
    "the next that waits": (
        lambda c: waiting.rows(c, target="erp", limit=5), {"waiting_order (target=?)"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", ASKED)
def test_it_is_found_by_index(what: str, tmp_path: Path) -> None:
    ask, indexes = ASKED[what]
    plans = plan(tmp_path, ask)
    assert {step.partition("INDEX ")[2] for step in plans if step.startswith(("SEARCH", "SCAN"))} == indexes


def test_cancelled_replays_are_looked_for_among_open_intents_only(tmp_path: Path) -> None:
    plans = plan(tmp_path, lambda c: withdraw_cancelled(c, "erp", lambda _: True))
    assert any("deliveries_begun" in step for step in plans)


def plan(tmp_path: Path, ask: Callable[[Connection], Any]) -> list[str]:
    """The steps by which SQLite answers."""
    writing, *_ = open_engines(f"sqlite:///{tmp_path / 'journal.sqlite'}")
    with writing.begin() as connection:
        metadata.create_all(connection)
        deliveries.settle(connection, "erp", 1)
    steps: list[str] = []

    def explain(connection: Any, _cursor: Any, statement: str, given: Any, *_: Any) -> None:
        if statement.startswith(("SELECT", "DELETE")):
            cursor = connection.connection.cursor().execute(f"EXPLAIN QUERY PLAN {statement}", given)
            steps.extend(row[3] for row in cursor.fetchall())

    event.listen(writing, "before_cursor_execute", explain)
    with writing.begin() as connection:
        ask(connection)
    writing.dispose()
    return steps
