"""Flows as they run: how many messages of each object, from whom, to whom, and the last ones."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mombus.index.rhythm import Rhythm

if TYPE_CHECKING:
    from canonical.message import Message

WINDOW_S = 60
LAST = 100


class Rate:
    """Events in the last minute, counted by the second: sixty numbers, however many events."""

    __slots__ = ("_counts", "_second", "total")

    def __init__(self) -> None:
        self._counts = [0] * WINDOW_S
        self._second = 0
        self.total = 0

    def add(self, now: datetime, count: int = 1) -> None:
        """Count `count` events at `now`."""
        self._move(int(now.timestamp()))
        self._counts[self._second % WINDOW_S] += count
        self.total += count

    def per_minute(self, now: datetime) -> int:
        """Events in the minute before `now`."""
        self._move(int(now.timestamp()))
        return sum(self._counts)

    def _move(self, second: int) -> None:
        if second - self._second >= WINDOW_S:
            self._counts = [0] * WINDOW_S
            self._second = second
        while self._second < second:
            self._second += 1
            self._counts[self._second % WINDOW_S] = 0


@dataclass(slots=True)
class Flow:
    """One object from its source, or to one target: how much, and when and how the last one went."""

    rate: Rate = field(default_factory=Rate)
    last: datetime | None = None
    state: str = ""
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """One of the last messages."""

    at: datetime
    message_id: str
    object: str
    verb: str
    key: str
    source: str
    lane: str


class Flows:
    """What runs now, in memory: counted since the hub started; how routes went last is known from before."""

    def __init__(self) -> None:
        self.incoming: dict[tuple[str, str], Flow] = {}
        """By (object, source)."""
        self.outgoing: dict[tuple[str, str], Flow] = {}
        """By (object, target)."""
        self.last: deque[Seen] = deque(maxlen=LAST)
        self.arrivals: dict[str, dict[str, str]] = {}
        """How the last messages went: message id → target → state."""
        self.said: dict[str, Rhythm] = {}
        """When each system says something."""
        self.got: dict[str, Rhythm] = {}
        """When something is delivered to each."""

    def seen(self, message: Message, stored: datetime) -> None:
        """A message was stored."""
        flow = self.incoming.setdefault((message.object, message.source), Flow())
        flow.rate.add(datetime.now(UTC))
        flow.last, flow.state = stored, "stored"
        _rhythm(self.said, message.source).add(stored)
        if len(self.last) == LAST:
            self.arrivals.pop(self.last[0].message_id, None)
        self.last.append(
            Seen(stored, message.id, message.object, message.verb, message.key, message.source, message.lane)
        )

    def counted(self, object: str, source: str, count: int) -> None:
        """So many more messages were stored; used where each by itself doesn't matter."""
        if count:
            now = datetime.now(UTC)
            flow = self.incoming.setdefault((object, source), Flow())
            flow.rate.add(now, count)
            flow.last, flow.state = now, "stored"
            _rhythm(self.said, source).add(now)

    def arrived(
        self, message_id: str, object: str, target: str, *, state: str, at: datetime, reason: str | None = None
    ) -> None:
        """A message went a step further, or stopped, on its way to a target."""
        flow = self.outgoing.setdefault((object, target), Flow())
        flow.last, flow.state, flow.reason = at, state, reason
        if state == "delivered":
            flow.rate.add(datetime.now(UTC))
            _rhythm(self.got, target).add(at)
        self.arrivals.setdefault(message_id, {})[target] = state
        while len(self.arrivals) > 2 * LAST:
            self.arrivals.pop(next(iter(self.arrivals)))


def _rhythm(rhythms: dict[str, Rhythm], system: str) -> Rhythm:
    """A system's own; what isn't there yet is made only then."""
    found = rhythms.get(system)
    if found is None:
        found = rhythms[system] = Rhythm()
    return found
