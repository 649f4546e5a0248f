"""What follows from a flood of messages is bounded: no bodies are held, and it is said once."""

from __future__ import annotations

import asyncio
import gc
import weakref
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from hub_plant import order, until
from structlog.testing import capture_logs

from mombus.hub import observing as module
from mombus.hub.observing import Observing


class Looked:
    """Notes what is looked at again."""

    def __init__(self) -> None:
        self.arrivals: list[tuple[str, str]] = []

    async def arrived(self, object: str, id: str) -> None:
        self.arrivals.append((object, id))


async def test_a_flood_is_bounded_and_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "QUEUE", 50)
    watched = Observing(aliases=None, intake=SimpleNamespace(counts={}), on_hop=None)  # type: ignore[arg-type]
    watched.delivery = looked = Looked()  # type: ignore[assignment]
    body = order("PO-0").body
    held = weakref.ref(body)
    with capture_logs() as logged:
        watched.stored(order("PO-0").with_body(body), datetime.now(UTC))
        for n in range(1, 200):
            watched.stored(order(f"PO-{n}"), datetime.now(UTC))
        assert len(logged) == 1
        del body
        gc.collect()
        assert held() is None
        running = asyncio.create_task(watched.run())
        await until(lambda: len(looked.arrivals) == 50)
        await asyncio.sleep(0)
        for n in range(200, 300):
            watched.stored(order(f"PO-{n}"), datetime.now(UTC))
        assert len(logged) == 2
        running.cancel()
    assert looked.arrivals[:2] == [("production_order", "PO-0"), ("production_order", "PO-1")]
