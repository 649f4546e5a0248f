"""What is put away of a system that went is told to whoever keeps its messages in mind."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from types import SimpleNamespace
from typing import Any

from mombus.hub.changing import left
from mombus.journal import deliveries, waiting
from mombus.journal.clearing import ToClear
from mombus.journal.deliveries import Outcome
from mombus.journal.journal import Journal
from mombus.journal.waiting import Wait

NOW = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)


async def test_the_index_is_told_of_what_is_skipped_when_that_comes_later_than_its_last_look(tmp_path):
    journal = await Journal.open(f"sqlite:///{tmp_path / 'journal.db'}")
    row = {
        "target": "mes", "message_id": "m-1", "seq": 1, "object": "production_order", "key": "PO-1", "revision": 1,
        "lanes": "[]", "kind": Wait.PARKED, "reason": "no", "since": NOW, "attempts": 0, "due": None, "deadline": None,
        "waived": False, "missing_object": None, "missing_id": None, "replay": None, "history": 0, "headers": "{}",
        "content": b"",
    }  # fmt: skip
    await journal.write(partial(waiting.put, rows=[row]))
    told: list[tuple[str, datetime]] = []
    core: Any = SimpleNamespace(journal=journal, ended=lambda target, at: told.append((target, at)))
    await left._put_away(core, ToClear("mes", forget=False, skip=True, who="ann", why="it is gone"))
    ended = await journal.read(partial(deliveries.ended, target="mes", message_id="m-1"))
    assert (ended.outcome, told) == (Outcome.SKIPPED, [("mes", ended.at)])
    await journal.close()
