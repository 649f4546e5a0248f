"""Facts read from the bus by the index: what counts of each, as many as fit into an answer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from canonical.message import Action, message_id
from mombus.hub.replay.history import read
from mombus.index import facts

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import datetime, timedelta

    from canonical.message import Message
    from mombus.bus.connection import Bus
    from mombus.index.facts import Found
    from mombus.journal.journal import Journal

MOST = 2000
"""Messages looked at for one answer."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A message with its place on the bus."""

    seq: int
    message: Message


@dataclass(frozen=True, slots=True)
class Facts:
    """What counts, what was taken back, and whether there is more."""

    counting: Sequence[Fact]
    undone: Sequence[Fact]
    partial: bool


class Reading:
    """Reads facts whole."""

    def __init__(self, bus: Bus, index: Journal) -> None:
        self._bus = bus
        self._index = index

    async def occurred(
        self, objects: Sequence[str], since: datetime, until: datetime, beyond: timedelta
    ) -> Facts:  # fmt: skip
        """Facts of which a revision occurred in that time, or not longer than `beyond` after it: as they are now."""
        look = partial(facts.occurred, objects=objects, since=since, until=until, beyond=beyond, limit=MOST)
        return await self._read(await self._index.survey(look))

    async def stated(self, objects: Sequence[str]) -> Facts:
        """What was said of these objects last."""
        return await self._read(await self._index.survey(partial(facts.stated, objects=objects, limit=MOST)))

    async def revisions(self, object: str, id: str, limit: int) -> list[Fact]:
        """All that was said about what a message of an object is about, the newest first; empty: there is none."""
        look = partial(facts.revisions, object=object, id=id, limit=limit)
        found = await read(self._bus, await self._index.survey(look))
        return [Fact(seq, await self._bus.whole(message)) for seq, message in sorted(found, reverse=True)]

    async def naming(self, objects: Sequence[str], named: str, value: str, limit: int) -> Facts:
        """Facts that name a thing."""
        look = partial(facts.naming, objects=objects, named=named, value=value, limit=limit)
        return await self._read(await self._index.survey(look))

    async def _read(self, found: Found) -> Facts:
        whole = [Fact(seq, await self._bus.whole(message)) for seq, message in await read(self._bus, found.seqs)]
        undone = taken_back(fact.message for fact in whole)
        counting = [fact for fact in whole if counts(fact.message, undone)]
        return Facts(counting, [fact for fact in whole if is_undone(fact.message, undone)], found.partial)


def taken_back(messages: Iterable[Message]) -> frozenset[str]:
    """The ids of what reversals undo: of a fact, as it was said first."""
    return frozenset(message.reverses for message in messages if message.reverses is not None)


def counts(message: Message, undone: Collection[str]) -> bool:
    """False for a reversal, for what one undoes, and for what was deleted."""
    return (
        message.reverses is None and message.action is not Action.DELETE and bool(message.content)
        and not is_undone(message, undone)
    )  # fmt: skip


def is_undone(message: Message, undone: Collection[str]) -> bool:
    """True if a reversal names it, in whatever revision."""
    first = message_id(message.source, message.object, message.verb, message.key, "0")
    return message.id in undone or first in undone
