"""The systems as people see them: state, configuration without secrets, their part in the plant."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from connectors.connector import ConnectorError
from mombus.bus.commands import UnknownNameError
from mombus.config.scrubbing import Scrubber
from mombus.delivery.delivery import UnknownTargetError
from mombus.desk.question import QuestionError
from mombus.desk.systems import PROBE, RESUME, SYSTEM, SYSTEMS, Name, Resume
from mombus.hub.desk.undelivered import seen_to
from mombus.journal import audit
from mombus.journal.audit import Deed

if TYPE_CHECKING:
    from mombus.config.model import Config, Route, System
    from mombus.delivery.delivery import Delivery
    from mombus.desk.question import Nothing, Question
    from mombus.hub.desk.topic import Answer
    from mombus.hub.session import Session
    from mombus.journal.journal import Journal


class Systems:
    """Answers about the systems. `rows` tells how each is, of all hubs."""

    def __init__(
        self, *, config: Config, journal: Journal, delivery: Delivery, sessions: Mapping[str, Session],
        rows: Callable[[], Awaitable[Sequence[Mapping[str, Any]]]],
    ) -> None:  # fmt: skip
        self._config = config
        self._journal = journal
        self._delivery = delivery
        self._sessions = sessions
        self._rows = rows
        self._scrubber = Scrubber.of(config)
        self.look: Callable[[str], Awaitable[None]] | None = None
        """Looks at a system as the doctor does; what is found is in its row."""

    def answers(self) -> Mapping[Question, Answer]:
        """As `mombus.hub.desk.topic.Topic`."""
        return {SYSTEMS: self.all, SYSTEM: self.one, PROBE: self.probe, RESUME: self.resume}

    async def all(self, _asked: Nothing) -> Sequence[Mapping[str, Any]]:
        """How each of them is."""
        return await self._rows()

    async def one(self, asked: Name) -> Mapping[str, Any]:
        """How it is, how it is connected, what goes to it and comes from it."""
        session, declared = self._session(asked.system), self._config.systems[asked.system]
        row = next(row for row in await self._rows() if row["name"] == asked.system)
        ways = [self._way(route) for route in self._config.routes]
        return {
            **row, "do": seen_to(row, declared.contact) if row["health"] != "ok" else "",
            "contact": declared.contact, "decides": list(declared.decides), "settings": self._settings(declared),
            "owns": [owned.object for owned in self._config.objects if owned.owner == asked.system],
            "gets": [way for way in ways if asked.system in way["to"]],
            "gives": [way for way in ways if way["source"] == asked.system],
            "spool": session.spool(), "spool_limit": declared.spool,
        }  # fmt: skip

    async def probe(self, asked: Name) -> Mapping[str, Any]:
        """Ask the system now, and look at its certificates and its clock."""
        session, begun = self._session(asked.system), time.monotonic()
        probe = await session.probe()
        took_s = round(time.monotonic() - begun, 3)
        if self.look is not None:
            await self.look(asked.system)
        return {
            "health": str(probe.health), "reason": self._scrubber.text(probe.reason),
            "took_s": took_s,
            "last_data": probe.last_data.isoformat() if probe.last_data else None,
        }  # fmt: skip

    async def resume(self, asked: Resume) -> Mapping[str, Any]:
        """A person says that a halted system can work again: its credentials were mended, say. Audited."""
        session = self._session(asked.system)
        try:
            await session.resume()
        except ConnectorError as error:
            raise QuestionError(f"{asked.system} can't be told: {error}") from error
        with suppress(UnknownTargetError):
            self._delivery.resume(asked.system)
        deed = Deed(
            at=datetime.now(UTC), who=asked.who, action="resume", target=asked.system, message_id=None, why=asked.why,
            result="tried",
        )  # fmt: skip
        await self._journal.write(partial(audit.note, deed=deed))
        return {"ok": True, "text": f"{asked.system} is tried again; `mombus status` shows how it goes"}

    def _session(self, name: str) -> Session:
        session = self._sessions.get(name)
        if session is None:
            raise UnknownNameError("system", name, self._sessions)
        return session

    def _settings(self, declared: System) -> list[dict[str, Any]]:
        """Its connector's fields as they are in effect, those that were declared first; secrets are `***`."""
        config = declared.config
        found: dict[str, Any] = self._scrubber.data(config.model_dump(mode="json", fallback=str))
        said = config.model_fields_set
        rows = [{"name": name, "value": value, "declared": name in said} for name, value in found.items()]
        return sorted(rows, key=lambda row: not row["declared"])

    def _way(self, route: Route) -> dict[str, Any]:
        owners = dict.fromkeys(owned.owner for owned in self._config.objects if owned.object == route.object)
        return {
            "object": route.object, "source": " or ".join(owners), "to": list(route.to), "effect": str(route.effect),
            "within_s": route.within.total_seconds() if route.within else None, "when": route.when,
        }  # fmt: skip
