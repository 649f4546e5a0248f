"""The gate before the intake: shut while nothing can be stored, so that a caller is told at once."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from freezing import frozen
from hub_plant import order
from patience import until

from connectors.connector import Item, Outcome, RetryableError, waits
from mombus.bus.connection import connect
from mombus.bus.embedded import EmbeddedBroker
from mombus.bus.errors import NotReachable
from mombus.hub.connecting import Connecting
from mombus.hub.session import Session
from mombus.hub.store import gate as module
from mombus.hub.store.gate import Gate

ITEM = Item(messages=(order("PO-1"),), settle=waits)


class Intake:
    async def accept(self, system: str, item: Item, _term: object = None) -> list[Outcome]:
        return [Outcome(message.id, message.key, accepted=True) for message in item.messages]

    async def bookmark(self, system: str, _term: object = None) -> str | None:
        return "7"


def nobody_is_told(account: str, what: str, why: str) -> None:
    raise AssertionError(f"{account} was refused {what}: {why}")


async def test_it_shuts_when_the_broker_is_away_for_longer_than_a_start(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "GRACE", timedelta(seconds=0.2))
    async with EmbeddedBroker(tmp_path / "broker") as broker, connect(broker.url) as bus:
        gate = Gate(Intake(), bus.link, lambda: None, nobody_is_told)
        assert (await gate.accept("erp", ITEM))[0].accepted
        with frozen(broker.pid):
            await until(lambda: not bus.link.up)
            await asyncio.sleep(0.3)
            with pytest.raises(NotReachable, match="the broker doesn't answer"):
                await gate.accept("erp", ITEM)
            assert await gate.bookmark("erp") == "7"
        await until(lambda: bus.link.up)
        assert (await gate.accept("erp", ITEM))[0].accepted


async def test_a_caller_is_told_why_when_the_disk_is_nearly_full(tmp_path):
    async with EmbeddedBroker(tmp_path / "broker") as broker, connect(broker.url) as bus:
        gate = Gate(Intake(), bus.link, lambda: "1 GiB is left on the disk", nobody_is_told)
        connecting = Connecting({}, gate)
        with pytest.raises(RetryableError, match="it can't be stored now: 1 GiB is left"):
            await connecting._deliver(Session("erp", "test", None), ITEM)  # type: ignore[arg-type]
