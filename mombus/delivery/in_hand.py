"""What a target has in hand: read for it, not given to it yet, and not in its waiting room."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from mombus.delivery.lanes import Phase

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from canonical.message import Message
    from mombus.delivery.lanes import Entry

FIRST = 20
"""How many messages and lanes are named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InHand:
    """What is in hand of one object: how many, since when the first, how many over their promise.

    `seqs` are the first of them in the stream, `lanes` the first lanes.
    """

    object: str
    count: int
    since: datetime
    late: int
    seqs: tuple[int, ...]
    lanes: tuple[str, ...]
    lanes_total: int


class Unsent(NamedTuple):
    """One message in hand: since when it should go, and why it doesn't; None if its turn is about to come."""

    message_id: str
    target: str
    since: datetime
    attempts: int
    reason: str | None


def in_hand(entries: Iterable[Entry], now: datetime) -> tuple[InHand, ...]:
    """By object, in the order in which they came."""
    found: dict[str, list[tuple[Entry, Message]]] = {}
    for entry, message in unsent(entries):
        found.setdefault(entry.object, []).append((entry, message))
    return tuple(_together(object, all_of_it, now) for object, all_of_it in found.items())


def unsent(entries: Iterable[Entry]) -> Iterator[tuple[Entry, Message]]:
    """Those of a target's entries that it wasn't given, with their messages."""
    for entry in entries:
        if entry.phase in {Phase.QUEUED, Phase.WRITING} and not entry.roomed and entry.message is not None:
            yield entry, entry.message


def _together(object: str, all_of_it: list[tuple[Entry, Message]], now: datetime) -> InHand:
    lanes = dict.fromkeys(entry.lanes[0] for entry, _ in all_of_it)
    return InHand(
        object=object, count=len(all_of_it), since=min(message.recorded for _, message in all_of_it),
        late=sum(entry.deadline is not None and entry.deadline < now for entry, _ in all_of_it),
        seqs=tuple(entry.seq for entry, _ in all_of_it[:FIRST]), lanes=tuple(lanes)[:FIRST], lanes_total=len(lanes),
    )  # fmt: skip
