"""The gate before the intake: shut while nothing can be stored, so that whoever hands over hears it at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from mombus.bus.errors import NotReachable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from connectors.connector import Item, Outcome
    from mombus.bus.link import Link
    from mombus.hub.connecting import TakesIn
    from mombus.journal.bookmarks import Term

GRACE = timedelta(seconds=2)
"""A broker that is away for so long may just be starting again: what comes meanwhile waits for it."""


class Gate:
    """Asked as the intake behind it. `stopped` says why the disk takes nothing more, None while it does."""

    def __init__(self, intake: TakesIn, link: Link, stopped: Callable[[], str | None]) -> None:
        self._intake = intake
        self._link = link
        self._stopped = stopped

    async def accept(self, system: str, item: Item, term: Term | None = None) -> Sequence[Outcome]:
        """As `Intake.accept`. Raises NotReachable while the gate is shut."""
        shut = self._shut()
        if shut is not None:
            raise NotReachable(shut)
        return await self._intake.accept(system, item, term)

    async def bookmark(self, system: str, term: Term | None = None) -> str | None:
        """As `Intake.bookmark`."""
        return await self._intake.bookmark(system, term)

    def _shut(self) -> str | None:
        if not self._link.up and datetime.now(UTC) - self._link.since > GRACE:
            return self._link.reason
        return self._stopped()
