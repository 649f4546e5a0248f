"""Systems for the hub's tests: connectors made in the test, joined to a real hub with its real broker and journal."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar
from zoneinfo import ZoneInfo

from patience import PATIENCE_S, until

from canonical.isa95.operations import OperationsRequest, SegmentRequirement
from canonical.message import Message, Verb
from connectors.connector import (
    Absent,
    Accept,
    ConnectorConfig,
    Effect,
    Health,
    Item,
    Level,
    Offer,
    Outcome,
    Probe,
    Receipt,
)
from mombus.config.kinds import load_kind
from mombus.config.model import Bus, Config, Http, Ownership, Plant, Route, System

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    import pytest

    from connectors.connector import Surroundings

NOW = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
REPLIES = (Verb.ACKNOWLEDGE, Verb.SHOW, Verb.SYNC)


class Quiet:
    """A system that neither says nor takes anything."""

    Config: ClassVar[type[ConnectorConfig]] = ConnectorConfig
    summary: ClassVar[str] = "test"

    def __init__(self, config: Any = None, surroundings: Surroundings | None = None) -> None:
        self.surroundings = surroundings

    async def connect(self) -> None:
        """Always there."""

    async def close(self) -> None:
        """Nothing to close."""

    async def probe(self) -> Probe:
        return Probe(Health.OK)


class Asker(Quiet):
    """Says what it is told to say, and keeps what it gets."""

    offers: frozenset[Offer] = frozenset()
    accepts: ClassVar[dict[Offer, Accept]] = {
        Offer(name, verb): Accept(Effect.IDEMPOTENT)
        for name in ("production_order", "maintenance_request")
        for verb in REPLIES
    }

    def __init__(self, config: Any = None, surroundings: Surroundings | None = None) -> None:
        super().__init__(config, surroundings)
        self.to_say: asyncio.Queue[Item] = asyncio.Queue()
        self.got: list[Message] = []
        self.document: str | None = None

    async def say(self, message: Message) -> Outcome:
        """Say one message and return what the hub did with it."""
        told: asyncio.Future[Sequence[Outcome]] = asyncio.get_running_loop().create_future()

        async def settle(outcomes: Sequence[Outcome]) -> None:
            told.set_result(outcomes)

        await self.to_say.put(Item(messages=(message,), settle=settle))
        return (await asyncio.wait_for(told, PATIENCE_S))[0]

    async def read(self, bookmark: str | None) -> AsyncIterator[Item]:
        while True:
            yield await self.to_say.get()

    async def write(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        self.got += messages
        return [Receipt(Level.ACCEPTED, self.document) for _ in messages]

    async def find(self, message: Message) -> Receipt | Absent:
        return Receipt(Level.ACCEPTED) if message in self.got else Absent()

    async def answers(self, number: int) -> list[Message]:
        """The first answers it got, once there are so many."""
        await until(lambda: len(self.got) >= number)
        return self.got


class Owner(Quiet):
    """Answers gets, and does nothing else. `has` are its orders, `trouble` is raised in their place."""

    def __init__(self, config: Any = None, surroundings: Surroundings | None = None) -> None:
        super().__init__(config, surroundings)
        self.has = ["PO-1", "PO-2"]
        self.trouble: list[Exception] = []
        self.asked = 0

    async def answer(self, get: Message) -> AsyncIterator[Message]:
        self.asked += 1
        if self.trouble:
            raise self.trouble.pop(0)
        for key in self.has:
            if get.key in {"", key}:
                yield order(key, verb=Verb.SHOW)


def order(key: str, text: str = "water", *, source: str = "erp", **more: Any) -> Message:
    body = OperationsRequest(id=key, description=text, segment_requirement=(SegmentRequirement(id="10"),))
    return Message.of(
        "production_order", body, source=source, site="lyon", occurred=NOW, recorded=datetime.now(UTC), **more
    )


def get(key: str = "PO-1") -> Message:
    now = datetime.now(UTC)
    return Message.of(
        "production_order", None, verb=Verb.GET, source="mes", site="lyon", key=key,
        lanes=(f"production_order:{key}",), occurred=now, recorded=now, revision=0,
    )  # fmt: skip


def wire(monkeypatch: pytest.MonkeyPatch, made: dict[str, Any]) -> None:
    """Let the systems `test.<name>` be the connectors in `made`; the other kinds are what they are."""

    def kind(name: str) -> Any:
        if name.startswith("test."):
            return lambda _config, _surroundings: made[name.removeprefix("test.")]
        return load_kind(name)

    monkeypatch.setattr("mombus.hub.building.load_kind", kind)


def config(
    folder: Path, *names: str, owns: dict[str, str], routes: tuple[Route, ...] = (), bus: Bus | None = None,
    http: Http | None = None, **systems: Any,
) -> Config:  # fmt: skip
    """A configuration of test systems; `systems` gives others their real configuration."""
    declared = {name: ConnectorConfig(connector=f"test.{name}") for name in names} | systems
    return Config(
        plant=Plant(enterprise="acme", site="lyon", timezone=ZoneInfo("Europe/Paris")), http=http or Http(port=0),
        bus=bus or Bus(), systems={name: System(name=name, config=its) for name, its in declared.items()},
        objects=tuple(Ownership(object=name, owner=owner) for name, owner in owns.items()),
        routes=routes, folder=folder,
    )  # fmt: skip
