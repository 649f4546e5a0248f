"""The newest row of the audit trail, remembered by the broker: tells when rows were cut off, or all were written anew.

A chain of hashes alone can't tell that. So the broker keeps the number and hash of the newest row that the hub saw, at
its start, every few seconds and at its end. A trail in which that row isn't any more, or isn't the same, is told to
people, and what the broker remembers stays until somebody takes it as it is with `mombus journal adopt`. Who can write
to both the database and the broker can still deceive it: a head noted elsewhere tells that, too.
"""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

from canonical.subjects import token
from mombus.bus.streams import MARK_ROOT, MARKS
from mombus.journal import audit

if TYPE_CHECKING:
    from nats.js import JetStreamContext

    from mombus.journal.audit import Head
    from mombus.journal.journal import Journal


class Trail:
    """Looks whether the audit trail still has what the broker remembers of it. `wrong` is what is wrong."""

    def __init__(self, js: JetStreamContext, journal: Journal, site: str) -> None:
        self._js, self._journal, self._site = js, journal, site
        self.wrong: str | None = None

    async def check(self) -> None:
        """Compare, and have the broker remember the newest row. Raises nats errors when it doesn't answer."""
        left = await remembered(self._js, self._site)
        newest, there = await self._journal.read(partial(audit.heads, at=left.number if left else 0))
        if left is not None and there != left:
            self.wrong = (
                f"row {left.number} with the hash {left.hash[:16]}…, which the broker remembers, is not in the audit "
                "trail any more: rows were cut off or written anew. `mombus audit verify` tells what is left; restore "
                "the right copy, or take it as it is with `mombus journal adopt`"
            )
            return
        self.wrong = None
        if newest is not None and newest != left:
            await remember(self._js, self._site, newest)


async def remembered(js: JetStreamContext, site: str) -> Head | None:
    """What the broker remembers, None for nothing. Raises nats errors."""
    from nats.js.errors import NotFoundError  # noqa: PLC0415 - imported where it is used

    try:
        said = json.loads((await js.get_last_msg(MARKS, _subject(site))).data or b"")
    except NotFoundError:
        return None
    return audit.Head(said["number"], said["hash"])


async def remember(js: JetStreamContext, site: str, head: Head) -> None:
    """Have the broker remember this row as the newest."""
    await js.publish(_subject(site), json.dumps(head._asdict()).encode())


def _subject(site: str) -> str:
    return f"{MARK_ROOT}.{token(site)}.audit"
