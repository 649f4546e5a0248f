"""What follows from a flood of messages is bounded: no bodies are held, and it is said once."""

from __future__ import annotations

import asyncio
import gc
import weakref
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hub_plant import order
from patience import until
from structlog.testing import capture_logs

from mombus.delivery.target import Hop, State
from mombus.hub import observing as module
from mombus.hub.observing import Observing
from mombus.index.outcomes import Outcomes
from mombus.journal.journal import Journal
from mombus.ownership.aliases import Aliases

if TYPE_CHECKING:
    from pathlib import Path

UNREAD = Outcomes(None, None, shared=False)  # type: ignore[arg-type]


class Looked:
    """Notes what is looked at again."""

    def __init__(self) -> None:
        self.arrivals: list[tuple[str, str]] = []
        self.released = 0
        self.counts: dict[tuple[str, str, str], int] = {}

    async def arrived(self, object: str, id: str, _target: str | None = None) -> None:
        self.arrivals.append((object, id))

    async def release(self) -> int:
        self.released += 1
        return 0


def _warnings(entries: list[Any]) -> list[Any]:
    return [entry for entry in entries if entry["log_level"] == "warning"]


async def test_a_flood_is_bounded_and_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "QUEUE", 50)
    intake: Any = SimpleNamespace(counts={})
    watched = Observing(aliases=None, intake=intake, outcomes=UNREAD, on_hop=None)  # type: ignore[arg-type]
    watched.delivery = looked = Looked()  # type: ignore[assignment]
    body = order("PO-0").body
    held = weakref.ref(body)
    with capture_logs() as entries:
        watched.stored(order("PO-0").with_body(body), datetime.now(UTC))
        for n in range(1, 200):
            watched.stored(order(f"PO-{n}"), datetime.now(UTC))
        assert len(_warnings(entries)) == 1
        del body
        gc.collect()
        assert held() is None
        running = asyncio.create_task(watched.run())
        await until(lambda: len(looked.arrivals) == 50)
        await asyncio.sleep(0)
        for n in range(200, 300):
            watched.stored(order(f"PO-{n}"), datetime.now(UTC))
        assert len(_warnings(entries)) == 2
        running.cancel()
    assert looked.arrivals[:2] == [("production_order", "PO-0"), ("production_order", "PO-1")]


async def test_numbers_that_come_together_are_learned_in_one_commit_and_none_is_passed_over(tmp_path: Path) -> None:
    journal = await Journal.open(f"sqlite:///{tmp_path / 'journal.db'}")
    aliases, looked = Aliases({}, journal), Looked()
    watched = Observing(aliases=aliases, intake=looked, outcomes=UNREAD, on_hop=None)  # type: ignore[arg-type]
    watched.delivery = looked  # type: ignore[assignment]
    for n in range(module.AT_ONCE):
        watched.hop(Hop(
            at=datetime.now(UTC), target="erp", state=State.DELIVERED, message_id=f"m-{n}", object="production_order",
            key=f"PO-{n}", document=f"45{n:04}",
        ))  # fmt: skip
    running = asyncio.create_task(watched.run())
    await until(lambda: len(looked.arrivals) == module.AT_ONCE)
    running.cancel()
    assert looked.released == 1
    for n in range(0, module.AT_ONCE, 50):
        assert await aliases.documents("erp", "production_order", f"PO-{n}") == [f"45{n:04}"]
    await journal.close()
