"""The newest version of each thing, remembered within bounds and looked up in the broker otherwise."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING, TypeVar

from canonical.objects import Kind
from mombus.ownership.decision import digest
from mombus.ownership.versions import Version

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from canonical.message import Message
    from mombus.bus.connection import Bus

T = TypeVar("T")
REMEMBERED = 100_000
AT_ONCE = 64
"""Look-ups that are under way at the same time."""


class Revisions:
    """Knows what was said last about a thing: from memory, else from its subject in MOM and from LATEST.

    LATEST has what MOM has already dropped by age, and what was said in another lane or by an earlier owner; the
    subject in MOM gives the sequence to compare with when publishing.
    """

    def __init__(self, bus: Bus, size: int = REMEMBERED) -> None:
        self._bus = bus
        self._size = size
        self._known: OrderedDict[tuple[str, str, str], Version] = OrderedDict()
        self._facts: OrderedDict[str, bytes] = OrderedDict()
        self._fresh: dict[tuple[tuple[str, str, str], str], Version | None] = {}

    async def known(self, message: Message) -> Version | None:
        """The newest version of the message's thing; its `seq` is the last one on the message's own subject, or 0."""
        thing, subject = _thing(message), message.subject
        remembered = self._known.get(thing)
        if remembered is not None and remembered.subject == subject:
            self._known.move_to_end(thing)
            return remembered
        if (thing, subject) in self._fresh:
            return self._fresh.pop((thing, subject))
        return await self._look_up(message, remembered)

    async def look_ahead(self, messages: Iterable[Message]) -> None:
        """Look up many states at once that are about to be asked for one by one."""
        self._fresh.clear()
        unknown = {
            (_thing(message), message.subject): message for message in messages if _thing(message) not in self._known
        }
        for part in _parts(list(unknown), AT_ONCE):
            found = await asyncio.gather(*(self._look_up(unknown[which], None) for which in part))
            self._fresh.update(zip(part, found, strict=True))

    async def newest(self, message: Message) -> Message | None:
        """What was said last about the message's thing, as the broker has it."""
        _, said = await self._said(message)
        return max(said, key=lambda one: one.revision or 0, default=None)

    async def _said(self, message: Message) -> tuple[int, list[Message]]:
        """The last sequence on the message's own subject, or 0, and what was said last there and anywhere."""
        last = await self._bus.last_statement(message)
        said = [last[1]] if last else []
        if (latest := await self._bus.latest(message.object, message.key, site=message.site)) is not None:
            said.append(latest)
        return last[0] if last else 0, said

    async def _look_up(self, message: Message, remembered: Version | None) -> Version | None:
        subject = message.subject
        seq, said = await self._said(message)
        versions = [Version(one.revision or 0, digest(one), subject, seq) for one in said]
        if remembered is not None:
            versions.append(remembered._replace(subject=subject, seq=seq))
        return max(versions, key=lambda version: version.revision, default=None)

    def fact(self, fact: Message) -> bytes | None:
        """The digest of what was said under a fact's id, if that is remembered."""
        return self._facts.get(fact.id)

    def remember(self, message: Message, seq: int) -> None:
        """A statement is stored at `seq`: a state's newest version, or a fact."""
        self._fresh.pop((_thing(message), message.subject), None)
        if message.row.kind is Kind.FACT:
            self._facts[message.id] = digest(message)
            if len(self._facts) > self._size:
                self._facts.popitem(last=False)
        elif message.row.kind is Kind.STATE:
            self._remember_state(message, seq)

    def forget(self, message: Message) -> None:
        """Somebody else wrote about that thing: look it up again."""
        self._known.pop(_thing(message), None)
        self._fresh.pop((_thing(message), message.subject), None)

    def _remember_state(self, message: Message, seq: int) -> None:
        thing = _thing(message)
        self._known[thing] = Version(message.revision or 0, digest(message), message.subject, seq)
        self._known.move_to_end(thing)
        if len(self._known) > self._size:
            self._known.popitem(last=False)


def _thing(message: Message) -> tuple[str, str, str]:
    return message.site, message.object, message.key


def _parts(whole: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(whole), size):
        yield whole[start : start + size]
