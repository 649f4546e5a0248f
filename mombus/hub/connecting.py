"""The part `connectors`: the systems this process speaks with, read for ever, and their doors."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Protocol

import structlog
from sqlalchemy.exc import SQLAlchemyError

from connectors.connector import ConfigError, Halted, Hosted, RetryableError, Source
from mombus.bus.errors import BusError
from mombus.hub.reading import Reading
from mombus.hub.session import Condition
from mombus.journal.bookmarks import Term

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping, Sequence

    from starlette.types import ASGIApp

    from connectors.connector import Item, Outcome
    from mombus.hub.session import Session
    from mombus.journal.leaseholder import Lease

GOODBYE_S = 5.0
ANOTHER = "another hub has it"

log = structlog.get_logger()


class TakesIn(Protocol):
    """What takes items in, here or in another process: `mombus.bus.intake.Intake` is one."""

    async def accept(self, system: str, item: Item, term: Term | None = None, /) -> Sequence[Outcome]:
        """As `Intake.accept`."""

    async def bookmark(self, system: str, term: Term | None = None, /) -> str | None:
        """As `Intake.bookmark`."""


class Connecting:
    """The connections of the systems in `sessions`; what they say goes to `intake`."""

    def __init__(self, sessions: Mapping[str, Session], intake: TakesIn) -> None:
        self._sessions = sessions
        self._intake = intake

    def running(self) -> Mapping[str, Coroutine[None, None, None]]:
        """What runs for ever, by name: every source is read, every other system is connected."""
        return dict(map(self._run, self._sessions.values()))

    def _run(self, session: Session, term: Term | None = None) -> tuple[str, Coroutine[None, None, None]]:
        system, connector = session.system, session.connector
        if not isinstance(connector, Source):
            return f"connecting {system}", _connect_first(session)
        reading = Reading(
            session, connector, accept=lambda item: self._intake.accept(system, item, term),
            bookmark=lambda: self._intake.bookmark(system, term),
        )  # fmt: skip
        return f"reading {system}", reading.run()

    def reaches(self, system: str) -> bool:
        """True if the connection to a system is this process's."""
        return system in self._sessions

    async def serve(self, system: str, lease: Lease) -> None:
        """Read one system under a lease, or connect it if it isn't read, until cancelled.

        The connection stays until `leave`.
        """
        session = self._sessions[system]
        _mark_starting(session)
        await self._run(session, Term(lease))[1]

    async def connect(self, system: str) -> None:
        """Connect one system that another hub reads, until cancelled. The connection stays until `leave`."""
        session = self._sessions[system]
        _mark_starting(session)
        await _connect_first(session)

    async def leave(self, system: str) -> None:
        """Say goodbye to one system: another hub has it, or will."""
        session = self._sessions[system]
        session.left = session.opened
        session.mark(Condition.ELSEWHERE, ANOTHER)
        await say_goodbye([session], GOODBYE_S)

    def doors(self) -> Mapping[str, ASGIApp]:
        """The applications of the hosted connectors, by their path, each behind its doorkeeper."""
        from mombus.web.doorkeeper import Doorkeeper  # noqa: PLC0415 - heavy, only where somebody listens

        for session in self._sessions.values():
            if isinstance(session.connector, Hosted):
                app = session.connector.app(partial(self._deliver, session))
                session.doorkeeper = Doorkeeper(
                    app, session.connector.door, system=session.system, path=session.connector.path
                )
        return {one.doorkeeper.path: one.doorkeeper for one in self._sessions.values() if one.doorkeeper}

    async def close(self, within_s: float) -> None:
        """Say goodbye to every system; one that clings isn't waited for."""
        await say_goodbye(list(self._sessions.values()), within_s)

    async def _deliver(self, session: Session, item: Item) -> Sequence[Outcome]:
        session.heard()
        try:
            return await self._intake.accept(session.system, item)
        except (BusError, SQLAlchemyError) as error:
            raise RetryableError(f"it can't be stored now: {str(error).splitlines()[0]}") from error


async def say_goodbye(sessions: Sequence[Session], within_s: float) -> None:
    """Close connections, each for itself: one that hangs, even when it is broken off, keeps nobody."""
    closing = [asyncio.create_task(session.connector.close(), name=session.system) for session in sessions]
    try:
        if closing:
            await asyncio.wait(closing, timeout=within_s)
    finally:
        for task in closing:
            if not task.done():
                log.warning("a system wasn't left in time", system=task.get_name(), seconds=within_s)
                task.cancel()


def _mark_starting(session: Session) -> None:
    """Another task may have connected it already."""
    if session.condition is Condition.ELSEWHERE:
        session.mark(Condition.STARTING, "not connected yet")


async def _connect_first(session: Session) -> None:
    """A system that is only written to is connected once; its inbox connects it again after that."""
    pause_s = 0.2
    while session.opened == session.left:
        try:
            await session.connect(session.left)
        except (Halted, ConfigError) as error:
            log.error("system halted", system=session.system, reason=str(error))
            await session.halt(str(error))
        except Exception as error:  # noqa: BLE001 - one system's fault never stops another's
            session.mark(Condition.DOWN, str(error) or type(error).__name__)
        await asyncio.sleep(pause_s)
        pause_s = min(5.0, pause_s * 2)
    await asyncio.Event().wait()
