"""The gate before the intake: shut while nothing can be stored, so that whoever hands over hears it at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from canonical.message import Message
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
    """Asked as the intake behind it. `stopped` says why the disk takes nothing more, None while it does.

    `refused` is told the account, what it tried and why it may not, when a system speaks for another.
    """

    def __init__(
        self, intake: TakesIn, link: Link, stopped: Callable[[], str | None], refused: Callable[[str, str, str], None]
    ) -> None:
        self._refused = refused
        self._intake = intake
        self._link = link
        self._stopped = stopped

    async def accept(self, system: str, item: Item, term: Term | None = None) -> Sequence[Outcome]:
        """As `Intake.accept`. Raises NotReachable while the gate is shut."""
        shut = self._shut()
        if shut is not None:
            raise NotReachable(shut)
        for one in item.messages:
            if isinstance(one, Message) and one.source != system:
                why = f"{system} can't speak for {one.source}: the item is kept"
                self._refused(system, f"hand over {one.verb} {one.object} of {one.source}", why)
        return await self._intake.accept(system, item, term)

    async def bookmark(self, system: str, term: Term | None = None) -> str | None:
        """As `Intake.bookmark`."""
        return await self._intake.bookmark(system, term)

    def _shut(self) -> str | None:
        if not self._link.up and datetime.now(UTC) - self._link.since > GRACE:
            return self._link.reason
        return self._stopped()
