"""What the hub keeps of what it didn't publish: parked items with their reasons, and disagreements."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING, TypeAlias

from canonical.subjects import token
from canonical.wire import MESSAGE_ID
from mombus.bus.errors import BusError
from mombus.bus.publishing import Letter
from mombus.bus.repeated import is_uncounted
from mombus.bus.streams import DEAD_ROOT
from mombus.journal import disagreements, parked
from mombus.journal.parked import Parked, ParkedItem

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from canonical.message import Message
    from connectors.connector import Fault
    from mombus.bus.connection import Bus
    from mombus.journal.journal import Journal
    from mombus.ownership.aliases import Missing
    from mombus.ownership.decision import Refused

NOTIFY_S = 5.0
MOST_PLACE = 200
MOST_REASON = 500
"""Characters of what is said of a kept thing."""
_WAITING = (Parked.ALIAS, Parked.BEHIND)
Record: TypeAlias = "Callable[[Connection, bool], None]"
"""Writes down what a person did, in the transaction of what it changes: it is told whether it changed anything."""


class Custody:
    """Keeps what can't go on. Keeping the same thing again changes nothing."""

    def __init__(self, bus: Bus, journal: Journal, site: str) -> None:
        self._bus = bus
        self._journal = journal
        self._site = site
        self._disagreed: set[tuple[str, str]] = set()
        self._blocked: dict[str, set[str]] = {}

    async def load(self) -> None:
        """Read what is open, once before the first item."""
        self._disagreed = await self._journal.read(disagreements.open_keys)
        for row in await self._journal.read(partial(parked.rows, kinds=_WAITING)):
            self.block(row)

    async def park_fault(self, system: str, fault: Fault, document: str | None, raw: str | None) -> None:
        """Keep a part of a document that can't be read; `raw` is the id under which all of it is kept."""
        content = fault.raw or b""
        place = f"{document}: {fault.place}" if document else fault.place
        await self._park(ParkedItem(
            id=_id(system, place, fault.reason, content), system=system, kind=Parked.FAULT, place=place,
            reason=fault.reason, message=None, content=content, missing=None, since=_now(), raw=raw,
        ))  # fmt: skip

    async def park(
        self, message: Message, system: str, kind: Parked, reason: str, missing: tuple[str, str] | None = None
    ) -> None:
        """Keep a message as the system said it."""
        place = f"{message.verb} {message.object} {message.key}"
        item = ParkedItem(
            id=_id(system, message.id, "", message.content), system=system, kind=kind, place=place, reason=reason,
            message=message, content=message.content, missing=missing, since=_now(),
        )  # fmt: skip
        await self._park(item)
        if kind in _WAITING:
            self.block(item)

    async def refresh(self, system: str) -> None:
        """Read again what is open before an item of a system: another hub may have kept something, or let it pass."""
        self._disagreed |= await self._journal.read(disagreements.open_keys)
        waiting = await self.waiting(system)
        self.unblock(system)
        for item in waiting:
            self.block(item)

    def blocks(self, system: str, message: Message) -> bool:
        """True while something before it in one of its lanes waits for an alias."""
        return not self._blocked.get(system, _NONE).isdisjoint(message.lanes)

    def block(self, item: ParkedItem) -> None:
        """What follows in the item's lanes waits behind it."""
        if item.message is not None:
            self._blocked.setdefault(item.system, set()).update(item.message.lanes)

    def unblock(self, system: str) -> None:
        """The waiting items of a system are being tried again in order."""
        self._blocked.pop(system, None)

    async def waiting(self, system: str | None = None) -> list[ParkedItem]:
        """What waits for an alias, and what waits behind it, in order."""
        return await self._journal.read(partial(parked.rows, system=system, kinds=_WAITING))

    async def find(self, id: str) -> ParkedItem | None:
        """The kept thing with that id."""
        return await self._journal.read(lambda c: parked.find(c, id))

    async def close(self, id: str, how: str, record: Record | None = None) -> bool:
        """It is dealt with. `record` writes down, with it, whether that changed anything."""

        def work(connection: Connection) -> bool:
            done = parked.close(connection, id, how=how, now=_now())
            if record is not None:
                record(connection, done)
            return done

        return await self._journal.write(work)

    async def still_missing(self, item: ParkedItem, missing: Missing) -> None:
        """It was tried again in vain."""
        await self._journal.write(lambda c: parked.change(
            c, item.id, kind=Parked.ALIAS, reason=str(missing), missing=(missing.object, missing.id)
        ))  # fmt: skip
        self.block(item)

    async def still_refused(self, item: ParkedItem, reason: str) -> None:
        """What it waited for is there, but it may not be said."""
        await self._journal.write(lambda c: parked.change(
            c, item.id, kind=Parked.REFUSED, reason=reason, missing=None
        ))  # fmt: skip

    async def disagree(self, message: Message, refused: Refused) -> None:
        """Somebody who isn't the owner says otherwise."""
        said = b"" if message.action == "Delete" else message.content
        await self._journal.write(lambda c: disagreements.note(
            c, object=message.object, key=message.key, system=message.source, owner=refused.owner or "", said=said,
            owner_says=refused.owner_says, fields=disagreements.differing(said, refused.owner_says),
            message_id=message.id, now=_now(),
        ))  # fmt: skip
        self._disagreed.add((message.object, message.key))

    async def agree(self, message: Message) -> None:
        """Somebody says what the owner says: their disagreement, if any, ends."""
        if (message.object, message.key) in self._disagreed:
            await self._journal.write(lambda c: disagreements.close(
                c, message.object, message.key, how="the system says the owner's value now", now=_now(),
                system=message.source,
            ))  # fmt: skip

    async def owner_says(self, message: Message) -> None:
        """The owner's word: disagreements about that key end, or compare with the new value from now on."""
        thing = (message.object, message.key)
        if thing in self._disagreed:
            said = b"" if message.action == "Delete" else message.content
            left = await self._journal.write(lambda c: disagreements.owner_said(c, *thing, said, now=_now()))
            if not left:
                self._disagreed.discard(thing)

    async def _park(self, item: ParkedItem) -> None:
        item = replace(item, place=_short(item.place, MOST_PLACE), reason=_short(item.reason, MOST_REASON))
        waits = item.kind in _WAITING
        anew = waits and item.message is not None and is_uncounted(item.message)
        if await self._journal.write(lambda c: parked.keep(c, item, anew=anew)) and not waits:
            await self._notify(item)

    async def _notify(self, item: ParkedItem) -> None:
        """A notification copy in DEAD; the journal has the truth, so that a broker in trouble doesn't matter."""
        headers = {
            MESSAGE_ID: item.id, "ce-id": item.id, "ce-type": f"parked.{item.kind.replace(' ', '-')}",
            "ce-source": token(item.system), "ce-subject": token(item.place), "ce-reason": token(item.reason[:500]),
        }  # fmt: skip
        subject = f"{DEAD_ROOT}.{token(self._site)}.{token(item.system)}.intake"
        try:
            await self._bus.publish_letters([Letter(subject, headers, item.content[:900_000])], deadline_s=NOTIFY_S)
        except BusError:
            return


_NONE: frozenset[str] = frozenset()


def _short(text: str, most: int) -> str:
    """Bad input may repeat itself in what is said of it; all of it is in the content."""
    return text if len(text) <= most else f"{text[:most]}… ({len(text)} characters)"


def _now() -> datetime:
    return datetime.now(UTC)


def _id(system: str, place: str, reason: str, content: bytes) -> str:
    text = "\x1f".join((system, place, reason, ""))
    return blake2b(text.encode("utf-8", "surrogatepass") + content, digest_size=16).hexdigest()
