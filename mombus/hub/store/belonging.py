"""Whether journal and broker belong together: neither wiped, nor restored from a backup that the other is ahead of.

Both remember a mark, which grows every few seconds and at every start. The journal's is written first: the broker's is
never ahead of it, unless the journal is an older copy. The journal also remembers how far MOM had got: a MOM that ends
before is an older copy. Going on with either would repeat or lose effects, so the hub refuses, and says what to do.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

import structlog

from canonical.subjects import token
from mombus.bus.errors import NotOurs
from mombus.bus.streams import LATEST, MARK_ROOT, MARKS, MOM
from mombus.hub.store.trail import Trail
from mombus.journal import belonging, deliveries
from mombus.journal.belonging import Mark
from mombus.journal.databases import away

if TYPE_CHECKING:
    from datetime import datetime

    from nats.js import JetStreamContext
    from sqlalchemy import Connection

    from mombus.journal.journal import Journal

EVERY_S = 10.0
CLOSE_S = 2.0
WAY_ON = (
    "Restore the right copy and start again; or, if there is none, see what `mombus journal adopt` would do and let it"
)

log = structlog.get_logger()


class Found(NamedTuple):
    """What the broker says of itself: MOM's creation and last sequence, and the mark left there."""

    created: datetime
    last_seq: int
    left: Mark | None


async def look(js: JetStreamContext, site: str) -> Found:
    """Ask the broker. Raises NotOurs when a stream is gone, nats errors when nobody answers."""
    from nats.js.errors import NotFoundError  # noqa: PLC0415 - imported where it is used

    try:
        stream = await js.stream_info(MOM)
        await js.stream_info(LATEST)
    except NotFoundError as error:
        raise NotOurs(
            "MOM or LATEST doesn't exist: it was deleted, or the broker's store was wiped. Stop the hub and start it "
            "again: it makes LATEST anew from MOM, or says what to do about MOM"
        ) from error
    if stream.created is None:
        raise NotOurs(f"the broker doesn't tell when {MOM} was created")
    try:
        left = json.loads((await js.get_last_msg(MARKS, _subject(site))).data or b"")
    except NotFoundError:
        return Found(stream.created, stream.state.last_seq, None)
    return Found(stream.created, stream.state.last_seq, Mark(left["journal"], left["mark"], left["last_seq"]))


def difference(mine: Mark | None, created: datetime | None, found: Found) -> str | None:
    """What is wrong, None if they belong together. `mine` and `created` (of MOM) are the journal's."""
    left = found.left
    if created is not None and created != found.created:
        return (
            f"the broker's {MOM} was created {found.created.isoformat()}, the journal belongs to one of "
            f"{created.isoformat()}: the broker's store was wiped or replaced"
        )
    if mine is None:
        unknown = left is not None and found.last_seq
        return "the journal is new, but the broker has history of another: the journal was deleted" if unknown else None
    if left is not None and left.journal != mine.journal:
        return "the broker's streams belong to another journal"
    if left is not None and left.mark > mine.mark:
        return f"the journal is an older copy (mark {mine.mark}, the broker has {left.mark}): it was restored"
    if found.last_seq < mine.last_seq:
        return (
            f"the broker's {MOM} is an older copy (it ends at {found.last_seq}, the journal saw {mine.last_seq}): "
            "it was restored"
        )
    return None


class Belonging:
    """Looks whether a journal and a broker belong together, at the start and from then on. `wrong` is what is wrong."""

    def __init__(self, js: JetStreamContext, journal: Journal, site: str) -> None:
        self._js = js
        self._journal = journal
        self._site = site
        self.wrong: str | None = None
        self.trail = Trail(js, journal, site)

    async def check(self) -> None:
        """Mark both; called before anything else is done. Raises NotOurs with what to do.

        Meanwhile both may go on: how far the journal saw the stream is asked before the stream is looked at, the mark
        in the journal, which is there before the broker's, after.
        """
        before, _ = await self._journal.read(known)
        found = await look(self._js, self._site)
        mine, created = await self._journal.read(known)
        if mine is not None:
            mine = mine._replace(last_seq=before.last_seq if before is not None else 0)
        wrong = difference(mine, created, found)
        if wrong is not None:
            raise NotOurs(f"{wrong}. {WAY_ON}")
        mark = await self._journal.write(lambda c: belonging.advance(c, found.last_seq))
        await leave(self._js, self._site, mark)
        await self.trail.check()

    async def run(self) -> None:
        """Look for ever; what is found wrong while running is told to people."""
        from nats.errors import Error  # noqa: PLC0415 - imported where it is used

        while True:
            await asyncio.sleep(EVERY_S)
            try:
                await self.check()
            except NotOurs as error:
                if str(error) != self.wrong:
                    log.error("broker and journal don't belong together", reason=str(error))
                self.wrong = str(error)
            except (Error, TimeoutError, ConnectionError) as error:
                log.debug("the broker can't be looked at", reason=str(error) or type(error).__name__)
            except Exception as error:
                if reason := away(error):
                    log.warning("broker and journal can't be compared", reason=reason)
                else:
                    log.exception("broker and journal can't be compared")
            else:
                self.wrong = None

    async def close(self) -> None:
        """Mark both a last time, so that a copy made of either before is known as older. Never raises."""
        with suppress(Exception):
            async with asyncio.timeout(CLOSE_S):
                await self.check()


async def leave(js: JetStreamContext, site: str, mark: Mark) -> None:
    """Leave the mark on the broker."""
    await js.publish(_subject(site), json.dumps(mark._asdict()).encode())


def known(connection: Connection) -> tuple[Mark | None, datetime | None]:
    """The journal's mark, with how far it saw MOM, and the creation time of the MOM it belongs to."""
    mine = belonging.mark(connection)
    if mine is not None:
        mine = mine._replace(last_seq=max(mine.last_seq, deliveries.furthest(connection)))
    return mine, deliveries.stream_created(connection, MOM)


def _subject(site: str) -> str:
    return f"{MARK_ROOT}.{token(site)}"
