"""Goes on with what people decided where a kill, or a broker that was away, came in between a deed and its note."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import structlog
from sqlalchemy.exc import SQLAlchemyError

from mombus.bus.errors import BusError
from mombus.delivery.verdict import text
from mombus.journal import undertakings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mombus.journal.journal import Journal
    from mombus.journal.undertakings import Undertaking

EVERY_S = 30.0
AT_WORK = timedelta(minutes=1)
"""Who began may still be at it for so long: longer than the broker is waited for."""

log = structlog.get_logger()


class Undertakings:
    """Asks those who began to go on. `clock` is for tests."""

    def __init__(self, journal: Journal, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._journal = journal
        self._clock = clock
        self._go_on: dict[str, Callable[[Undertaking], Awaitable[object]]] = {}

    def take(self, kind: str, go_on: Callable[[Undertaking], Awaitable[object]]) -> None:
        """Go on with those of this kind by `go_on`, which may do again what was done, and writes down how it ended."""
        self._go_on[kind] = go_on

    async def run(self) -> None:
        """Go on with what is left, for ever."""
        while True:
            try:
                await self.go_on()
            except SQLAlchemyError as error:
                log.warning("what people decided is looked at again later", reason=str(error).splitlines()[0])
            await asyncio.sleep(EVERY_S)

    async def go_on(self) -> None:
        """Go on with all that nobody is at any more. What the broker can't take now is left for the next time."""
        now = self._clock()
        take_up = partial(undertakings.take_up, before=now - AT_WORK, now=now)
        for one in await self._journal.write(take_up):
            try:
                await self._go_on[one.kind](one)
            except BusError as error:
                log.warning("what somebody decided waits for the broker", about=one.id, who=one.who, reason=str(error))
            except SQLAlchemyError:
                raise
            except Exception as error:  # noqa: BLE001 - what fails here holds up nothing else, and is tried again
                log.error("what somebody decided can't be gone on with", about=one.id, who=one.who, reason=text(error))
