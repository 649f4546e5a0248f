"""What is in hand for a target, by object: how much, since when, and which lanes it is about first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mombus.delivery.lanes import Phase

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from mombus.delivery.lanes import Entry

LANES = 3
"""How many lanes a queue names."""


@dataclass(frozen=True, slots=True)
class Queue:
    """Messages of one object that a target hasn't got yet and that aren't in the waiting room.

    `since` is when the oldest was recorded, `lanes` are those of the first ones, `late` is how many are over their
    deadline.
    """

    object: str
    count: int
    since: datetime
    lanes: tuple[str, ...]
    late: int


def queues(entries: Iterable[Entry], now: datetime) -> tuple[Queue, ...]:
    """The queues of a target's entries, the longest first."""
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.phase is not Phase.STORED and entry.message is not None:
            found.setdefault(entry.object, []).append(entry)
    return tuple(sorted((_queue(*one, now) for one in found.items()), key=lambda queue: -queue.count))


def _queue(object: str, entries: list[Entry], now: datetime) -> Queue:
    lanes: dict[str, None] = {}
    for entry in entries:
        lanes.setdefault(entry.lanes[0])
        if len(lanes) == LANES:
            break
    oldest = min(entry.in_hand.recorded for entry in entries)
    late = sum(entry.deadline is not None and entry.deadline < now for entry in entries)
    return Queue(object, len(entries), oldest, tuple(lanes), late)
