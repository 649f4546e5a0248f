"""Reads one system for ever: connect, read, hand over, and begin again when the connection is lost."""

from __future__ import annotations

import asyncio
import math
import random
from typing import TYPE_CHECKING

import structlog
from sqlalchemy.exc import SQLAlchemyError

from connectors.connector import ConfigError, ConnectorError, Halted, NotConnected, RetryableError
from mombus.bus.errors import BusError
from mombus.bus.spool import Lost
from mombus.hub.session import Condition
from mombus.journal.leases import LeaseLost

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from connectors.connector import Item, Outcome, Source
    from mombus.hub.session import Session

FIRST_S = 0.2
MOST_S = 5.0
HELD_S = 30.0
"""A connection that held so long is tried again soon when it is lost."""
FINISH_S = 5.0
"""How long storing an item may still take when the hub stops."""

log = structlog.get_logger()


class Reading:
    """Reads one source into the bus. One system's fault never stops another's."""

    def __init__(
        self,
        session: Session,
        source: Source,
        *,
        accept: Callable[[Item], Awaitable[Sequence[Outcome]]],
        bookmark: Callable[[], Awaitable[str | None]],
    ) -> None:
        self._session = session
        self._source = source
        self._accept = accept
        self._bookmark = bookmark
        self._pause_s = FIRST_S
        self._held_since = math.inf

    async def run(self) -> None:
        """Until cancelled."""
        seen = self._session.left
        while True:
            try:
                self._held_since = math.inf
                await self._session.connect(seen)
                seen = self._session.opened
                self._held_since = asyncio.get_running_loop().time()
                await self._read()
            except (Halted, ConfigError) as error:
                log.error("system halted", system=self._session.system, reason=str(error))
                await self._session.halt(str(error))
            except RetryableError as error:
                await self._pause(error, error.retry_after_s)
            except (ConnectorError, LeaseLost) as error:
                await self._pause(error, None)
            except asyncio.CancelledError:
                if _asked_to_end():
                    raise
                await self._pause(NotConnected("its client broke off"), None)
            except Exception as error:
                log.exception("connector failed", system=self._session.system)
                await self._pause(error, None)

    async def _read(self) -> None:
        async for item in self._source.read(await self._bookmark()):
            self._session.heard()
            await self._store(item)
            self._pause_s = FIRST_S
        raise NotConnected("its source ended")

    async def _store(self, item: Item) -> None:
        """Hand an item over. The system may not be able to say it again: what has begun is finished, also at a stop."""
        storing = asyncio.create_task(self._store_surely(item))
        try:
            await asyncio.shield(storing)
        except asyncio.CancelledError:
            await asyncio.wait({storing}, timeout=FINISH_S)
            storing.cancel()
            raise

    async def _store_surely(self, item: Item) -> None:
        """Nothing else is read while the broker or the journal can't store it."""
        pause_s = FIRST_S
        while True:
            try:
                await self._accept(item)
            except Lost:
                return
            except (BusError, SQLAlchemyError) as error:
                reason = str(error).splitlines()[0]
                log.warning("not stored yet", system=self._session.system, reason=reason, again_in_s=pause_s)
                await asyncio.sleep(pause_s)
                pause_s = min(MOST_S, pause_s * 2)
            else:
                return

    async def _pause(self, error: Exception, retry_after_s: float | None) -> None:
        if asyncio.get_running_loop().time() - self._held_since > HELD_S:
            self._pause_s = FIRST_S
        self._session.mark(Condition.DOWN, str(error) or type(error).__name__)
        pause_s = retry_after_s or self._pause_s * random.uniform(0.8, 1.2)  # noqa: S311 - spreading, not secrecy
        await asyncio.sleep(pause_s)
        self._pause_s = min(MOST_S, self._pause_s * 2)


def _asked_to_end() -> bool:
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0
