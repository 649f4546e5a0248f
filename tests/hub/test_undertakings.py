"""What a person decided about a kept message, and its note in the audit trail: both or neither, whenever it stops."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from hub_plant import order

from connectors.connector import Item
from mombus.bus.connection import connect
from mombus.bus.embedded import EmbeddedBroker
from mombus.bus.errors import NotReachable
from mombus.bus.intake import Intake
from mombus.bus.requests import Requests
from mombus.bus.streams import MOM, Limits
from mombus.config.model import Ownership
from mombus.desk.kept import KeptDecision
from mombus.hub.desk.kept import KeptThings
from mombus.hub.desk.undertakings import Undertakings
from mombus.journal import audit, parked, undertakings
from mombus.journal.journal import Journal
from mombus.journal.undertakings import Undertaking
from mombus.ownership.aliases import Aliases
from mombus.ownership.owners import Owners

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import pytest

    from mombus.bus.connection import Bus
    from mombus.journal.audit import Noted

LATER = timedelta(minutes=2)


class Hub:
    """What of a hub has to do with it, started anew as often as one likes."""

    def __init__(self, bus: Bus, journal: Journal, owner: str | None = None) -> None:
        owned = (Ownership(object="production_order", owner=owner),) if owner else ()
        self.bus, self.journal = bus, journal
        self.intake = Intake(
            bus=bus, journal=journal, owners=Owners(owned), aliases=Aliases({}, journal),
            requests=Requests(bus, journal), site="lyon",
        )  # fmt: skip
        self.undertaken = Undertakings(journal, clock=lambda: datetime.now(UTC) + LATER)
        self.kept = KeptThings(journal=journal, intake=self.intake, undertaken=self.undertaken)

    async def take(self) -> dict[str, object]:
        (item,) = await self.journal.read(parked.rows)
        return dict(await self.kept.do(KeptDecision(command="take", id=item.id[:8], who="ann", why="it has an owner")))

    async def deeds(self) -> list[tuple[str, str, str]]:
        found: list[Noted] = list(await self.journal.read(audit.deeds))
        return [(one.who, one.action, one.result) for one in found]


@asynccontextmanager
async def something_kept(folder: Path) -> AsyncIterator[Hub]:
    """A hub where somebody owns now what nobody owned when it was said."""
    async with EmbeddedBroker(folder / "broker") as broker, connect(broker.url, limits=Limits()) as bus:
        journal = await Journal.open(f"sqlite:///{folder / 'journal.db'}")
        before = Hub(bus, journal)
        await before.intake.start()
        await before.intake.accept("erp", Item(messages=(order("PO-1"),)))
        yield Hub(bus, journal, "erp")
        await journal.close()


async def test_a_kill_between_the_message_and_its_note_is_made_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    async with something_kept(tmp_path) as hub:
        stored = asyncio.Event()

        async def killed(*_: object) -> None:
            stored.set()
            await asyncio.Event().wait()

        monkeypatch.setattr(hub.intake._custody, "close", killed)
        taking = asyncio.create_task(hub.take())
        reached = asyncio.create_task(stored.wait())
        await asyncio.wait({taking, reached}, return_when=asyncio.FIRST_COMPLETED)
        taking.cancel()
        assert await hub.deeds() == []
        anew = Hub(hub.bus, hub.journal, "erp")
        await asyncio.gather(*(anew.undertaken.go_on() for _ in range(2)))
        assert await anew.deeds() == [("ann", "take", "taken in")]
        assert (await hub.journal.read(parked.count), (await hub.bus.js.stream_info(MOM)).state.messages) == (0, 1)
        await Hub(hub.bus, hub.journal, "erp").undertaken.go_on()
        assert len(await anew.deeds()) == 1


async def test_what_the_broker_cant_take_now_is_taken_when_it_can(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    async with something_kept(tmp_path) as hub:
        with monkeypatch.context() as away:

            async def publish(*_: object, **__: object) -> None:
                raise NotReachable("the broker is away")

            away.setattr(hub.bus, "publish_letters", publish)
            told = await hub.take()
            assert (told["ok"], "the hub tries it again by itself" in str(told["text"])) == (False, True)
            await hub.undertaken.go_on()
            assert await hub.deeds() == []
        again = Hub(hub.bus, hub.journal, "erp")
        again.undertaken._clock = lambda: datetime.now(UTC) + 2 * LATER
        await again.undertaken.go_on()
        assert await again.deeds() == [("ann", "take", "taken in")]


async def test_what_was_dealt_with_meanwhile_is_noted_as_not_done_whatever_else_fails(tmp_path: Path):
    async with something_kept(tmp_path) as hub:
        gone = Undertaking(id="gone", kind="take", who="bob", why="x", said={}, since=datetime.now(UTC))
        other = replace(gone, id="other", kind="of another release", since=gone.since - LATER)
        for one in (other, gone):
            await hub.journal.write(partial(undertakings.begin, undertaking=one))
        await hub.undertaken.go_on()
        assert await hub.deeds() == [("bob", "take", "not done: no message is kept under 'gone'")]
        (item,) = await hub.journal.read(parked.rows)
        dismiss = KeptDecision(command="dismiss", id=item.id, who="ann", why="old")
        assert [(await hub.kept.do(dismiss))["ok"] for _ in range(2)] == [True, False]
        assert (await hub.deeds())[:2] == [
            ("ann", "dismiss", "it isn't kept (any more)"), ("ann", "dismiss", "dismissed"),
        ]  # fmt: skip
