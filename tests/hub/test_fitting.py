"""A list is cut where an answer is full, and goes on from there."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from mombus.desk.disagreements import Wanted
from mombus.desk.kept import KeptItems
from mombus.desk.waiting import Waits
from mombus.hub.desk import fitting as module
from mombus.hub.desk.disagreements import Disagreements
from mombus.hub.desk.fitting import MOST_BYTES, fitting
from mombus.hub.desk.kept import KeptThings
from mombus.hub.desk.undertakings import Undertakings
from mombus.hub.desk.waiting import WaitingRoom
from mombus.journal import disagreements, parked, waiting
from mombus.journal.journal import Journal
from mombus.journal.parked import Parked, ParkedItem
from mombus.journal.waiting import Wait

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from sqlalchemy import Connection

NOW = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    """With three of everything."""
    opened = await Journal.open(f"sqlite:///{tmp_path / 'journal.db'}")
    await opened.write(_three)
    yield opened
    await opened.close()


def _three(connection: Connection) -> None:
    for number in range(3):
        waiting.put(connection, [{
            "target": "mes", "message_id": f"m-{number}", "seq": number + 1, "object": "production_order",
            "key": f"PO-{number}", "revision": 1, "lanes": "[]", "kind": Wait.HELD, "reason": "held", "since": NOW,
            "attempts": 0, "due": None, "deadline": None, "waived": False, "missing_object": None, "missing_id": None,
            "replay": None, "history": 0, "headers": "{}", "content": b"",
        }])  # fmt: skip
        parked.keep(connection, ParkedItem(
            id=f"k-{number}", system="erp", kind=Parked.FAULT, place="line 1", reason="no XML", message=None,
            content=b"<", missing=None, since=NOW,
        ))  # fmt: skip
        disagreements.note(
            connection, object="production_order", key=f"PO-{number}", system="mes", owner="erp", said=b"{}",
            owner_says=None, fields=[], message_id="m", now=NOW,
        )  # fmt: skip


async def test_pages_are_cut_where_they_are_full_and_go_on_from_there(journal, monkeypatch):
    monkeypatch.setattr(module, "MOST_BYTES", 1)
    plant = SimpleNamespace(timezone=UTC)
    config: Any = SimpleNamespace(
        systems=dict.fromkeys(("mes", "erp"), SimpleNamespace(contact=None)), plant=plant, objects=()
    )
    nothing: Any = None
    room = WaitingRoom(config=config, journal=journal, delivery=nothing)
    kept = KeptThings(journal=journal, intake=nothing, undertaken=Undertakings(journal))
    quarrels = Disagreements(config, journal, nothing)
    after: Any = None
    for number in range(3):
        page = await room.page(Waits(after=after))
        after = page["next"]
        assert ([row["id"] for row in page["rows"]], after is None) == ([f"m-{number}"], number == 2)
    after = 0
    for number in range(3):
        page = await kept.page(KeptItems(after=after))
        after = page["next"]
        assert ([row["id"] for row in page["rows"]], after is None) == ([f"k-{number}"], number == 2)
    newest = await quarrels.listed(Wanted())
    assert ([row["key"] for row in newest["rows"]], newest["more"]) == (["PO-2"], True)
    oldest = await quarrels.listed(Wanted(before=2))
    assert ([row["key"] for row in oldest["rows"]], oldest["more"]) == (["PO-0"], False)


def test_as_many_as_fit_by_their_bytes_and_one_at_least():
    large = {"text": "\u20ac" * (MOST_BYTES // 7)}
    assert [len(fitting([large] * n)) for n in (0, 1, 2, 3)] == [0, 1, 2, 2]
    assert len(fitting([{"text": "x" * 2 * MOST_BYTES}, large])) == 1
    assert len(fitting([{"n": 1}] * 200)) == 200
