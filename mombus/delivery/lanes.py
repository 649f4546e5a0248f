"""Lanes: what must not overtake what. A message may be in several; it goes when it is the first in all of them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from nats.aio.msg import Msg

    from canonical.message import Message
    from connectors.connector import Offer
    from mombus.delivery.target import Rule
    from mombus.journal.waiting import Wait


class Phase(Enum):
    """Where an entry is."""

    QUEUED = auto()
    """In hand, its turn hasn't come or it is about to be written."""
    WRITING = auto()
    STORED = auto()
    """In the waiting room; only its keys are in memory."""
    GONE = auto()
    """Dealt with."""


@dataclass(slots=True, eq=False)
class Entry:
    """One message on its way to one target.

    `message` is None while only the waiting room has it; `roomed` says that the waiting room has a row of it.
    `delivery` is what to acknowledge, None once that is done. `revision` is given for states only.
    `open`: an earlier write may have taken effect; `ended` is the event loop's time when the last one of this process
    ended without an answer, None if it made none, -inf if none can still take effect. `enters`: it passed a `when`,
    which is to be remembered.
    `due` is the event loop's time of the next attempt. `replay` is the replay that brings it again, `history` its
    sequence in the stream then: replayed messages stand behind `seq`, the last one read when they were put there, in
    the order of history. `locks` are its lock keys, once they were asked for.
    `owed` is the id of the message that must be posted first, if one must.
    """

    id: str
    seq: int
    object: str
    key: str
    lanes: tuple[str, ...]
    revision: int | None = None
    message: Message | None = None
    rule: Rule | None = None
    offer: Offer | None = None
    delivery: Msg | None = None
    roomed: bool = False
    phase: Phase = Phase.QUEUED
    kind: Wait | None = None
    due: float | None = None
    attempts: int = 0
    since: datetime | None = None
    deadline: datetime | None = None
    waived: bool = False
    open: bool = False
    ended: float | None = None
    enters: bool = False
    missing: tuple[str, str] | None = None
    late: bool = False
    replay: str | None = None
    history: int = 0
    locks: frozenset[str] | None = None
    owed: str | None = None

    @property
    def place(self) -> tuple[int, int]:
        """Where it stands in its lanes."""
        return (self.seq, self.history)

    @property
    def is_second(self) -> bool:
        """True for a second effect that a person wants: it has an id of its own, made of the first one's."""
        return self.replay is not None and self.id.endswith(f":{self.replay}")

    @property
    def in_hand(self) -> Message:
        """The message. Raises LookupError when only the waiting room has it."""
        if self.message is None:
            raise LookupError(f"{self.object} {self.key} is in the waiting room")
        return self.message

    @property
    def asks(self) -> bool:
        """True for a request to the owner."""
        return self.offer is not None and self.offer.verb.asks

    @property
    def thing(self) -> tuple[str, str]:
        """Which thing it is about."""
        return (self.object, self.key)


class Lanes:
    """The lanes of one target: entries by their place, in memory as long as they aren't dealt with."""

    def __init__(self) -> None:
        self._queues: dict[str, deque[Entry]] = {}

    def __len__(self) -> int:
        return len(self._queues)

    def add(self, entry: Entry) -> None:
        """Put an entry in its lanes, by its place in the stream."""
        for lane in entry.lanes:
            queue = self._queues.get(lane)
            if queue is None:
                self._queues[lane] = deque((entry,))
            elif queue[-1].place <= entry.place:
                queue.append(entry)
            else:
                queue.insert(next(i for i, other in enumerate(queue) if other.place > entry.place), entry)

    def remove(self, entry: Entry) -> list[Entry]:
        """Take an entry out; returns those that are first in all their lanes because of that."""
        freed: list[Entry] = []
        for lane in entry.lanes:
            queue = self._queues[lane]
            if queue[0] is entry:
                queue.popleft()
            else:
                queue.remove(entry)
            if not queue:
                del self._queues[lane]
            elif queue[0] not in freed:
                freed.append(queue[0])
        return [other for other in freed if self.is_first(other)]

    def is_first(self, entry: Entry) -> bool:
        """True if nothing is before it in any of its lanes."""
        return all(self._queues[lane][0] is entry for lane in entry.lanes)

    def is_blocked(self, entry: Entry) -> bool:
        """True if something stored is before it in one of its lanes."""
        return any(other.phase is Phase.STORED for other in self._before(entry))

    def behind(self, entry: Entry) -> list[Entry]:
        """The queued entries that can't go as long as `entry` waits, also because of one another, in stream order."""
        found: dict[str, Entry] = {}
        open_entries = [entry]
        while open_entries:
            first = open_entries.pop()
            for other in self._after(first):
                if other.phase is Phase.QUEUED and other.id not in found:
                    found[other.id] = other
                    open_entries.append(other)
        return sorted(found.values(), key=lambda other: other.place)

    def neighbour(self, entry: Entry, other: Entry) -> bool:
        """True if `other` is directly before `entry` in all of its lanes, and in no further ones."""
        if set(entry.lanes) != set(other.lanes):
            return False
        for lane in entry.lanes:
            queue = self._queues[lane]
            place = len(queue) - 1 if queue[-1] is entry else queue.index(entry)
            if place == 0 or queue[place - 1] is not other:
                return False
        return True

    def firsts(self) -> Iterator[Entry]:
        """Every entry that is first in all its lanes."""
        seen: set[str] = set()
        for queue in self._queues.values():
            entry = queue[0]
            if entry.id not in seen and self.is_first(entry):
                seen.add(entry.id)
                yield entry

    def _before(self, entry: Entry) -> Iterable[Entry]:
        for lane in entry.lanes:
            for other in self._queues[lane]:
                if other is entry:
                    break
                yield other

    def _after(self, entry: Entry) -> Iterable[Entry]:
        for lane in entry.lanes:
            passed = False
            for other in self._queues[lane]:
                if passed:
                    yield other
                passed = passed or other is entry
