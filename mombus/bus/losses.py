"""What is lost when a spool is full: counted, and told as one gap where the lost things would have stood."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from canonical.message import Message
from canonical.objects import Kind
from connectors.connector import Gap, Item
from mombus.bus.items import pack, unpack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from canonical.element import Element

WHAT = "what its spool could not keep"


@dataclass(frozen=True, slots=True)
class Losses:
    """The losses of one stretch. `number` is the row of the spool that says so, None while there is none."""

    gap: Gap
    number: int | None = None

    @classmethod
    def of(cls, item: Item, reason: str, now: datetime) -> Losses:
        """The first of a stretch."""
        since = min((_begin(one) for one in item.messages), default=now)
        places = {place for one in item.messages if (place := _equipment(one)) is not None}
        only = places.pop() if len(places) == 1 and all(map(_equipment, item.messages)) else None
        return cls(Gap(WHAT, since=since, until=now, reason=reason, lost=_values(item), equipment=only))

    def and_of(self, item: Item, now: datetime) -> Losses:
        """One more. Its beginning stays: it names the gap."""
        more = Losses.of(item, self.gap.reason, now).gap
        return replace(self, gap=replace(
            self.gap, until=now, lost=(self.gap.lost or 0) + (more.lost or 0),
            equipment=self.gap.equipment if more.equipment == self.gap.equipment else None,
        ))  # fmt: skip

    @classmethod
    def kept(cls, number: int, content: bytes) -> Losses | None:
        """As a spool's row says them."""
        (gap,) = unpack(content).messages
        return cls(gap, number) if isinstance(gap, Gap) else None

    @property
    def content(self) -> bytes:
        """For the spool's row."""
        return pack(Item(messages=(self.gap,)))


def _begin(one: Message | Gap) -> datetime:
    return one.since if isinstance(one, Gap) else one.occurred


def _equipment(one: Message | Gap) -> str | None:
    return one.equipment if isinstance(one, Gap) else getattr(_body(one), "equipment_id", None)


def _body(message: Message) -> Element | None:
    try:
        return message.body
    except ValueError:
        return None


def _values(item: Item) -> int:
    """Readings, where a message carries several; else messages and unreadable parts."""
    return sum(_counted(item)) + len(item.faults)


def _counted(item: Item) -> Iterator[int]:
    for one in item.messages:
        if isinstance(one, Gap):
            yield one.lost or 0
        elif one.row.kind is Kind.SIGNAL:
            yield len(getattr(_body(one), "reading", ())) or 1
        else:
            yield 1
