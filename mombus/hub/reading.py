"""Reads one system for ever: connect, read, hand over, and begin again when the connection is lost."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import structlog

from connectors.connector import ConfigError, ConnectorError, Halted, RetryableError
from mombus.hub.session import Condition

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from connectors.connector import Item, Outcome, Source
    from mombus.hub.session import Session

FIRST_S = 0.2
MOST_S = 30.0

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

    async def run(self) -> None:
        """Until cancelled."""
        seen = self._session.opened
        while True:
            try:
                await self._session.connect(seen)
                seen = self._session.opened
                await self._read()
            except (Halted, ConfigError) as error:
                log.error("system halted", system=self._session.system, reason=str(error))
                await self._session.halt(str(error))
            except RetryableError as error:
                await self._pause(error, error.retry_after_s)
            except ConnectorError as error:
                await self._pause(error, None)
            except Exception as error:
                log.exception("connector failed", system=self._session.system)
                await self._pause(error, None)

    async def _read(self) -> None:
        async for item in self._source.read(await self._bookmark()):
            self._session.heard()
            await self._accept(item)
            self._pause_s = FIRST_S

    async def _pause(self, error: Exception, retry_after_s: float | None) -> None:
        self._session.mark(Condition.DOWN, str(error) or type(error).__name__)
        pause_s = retry_after_s or self._pause_s * random.uniform(0.8, 1.2)  # noqa: S311 - spreading, not secrecy
        log.warning("system down", system=self._session.system, reason=str(error), again_in_s=round(pause_s, 1))
        await asyncio.sleep(pause_s)
        self._pause_s = min(MOST_S, self._pause_s * 2)
