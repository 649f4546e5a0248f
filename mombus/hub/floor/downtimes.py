"""Stops added up: a downtime counts as its newest revision says, as far as it lies in the period."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from canonical.isa95.events import Downtime
from mombus.hub.floor.planned import Kind, joined

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from datetime import datetime, timedelta

    from mombus.hub.floor.planned import Plans
    from mombus.hub.floor.reading import Fact

NO_REASON = "no reason given"
NO_CATEGORY = "no category given"
LONGEST_NAME = 250
"""Characters of a reason: people may add a novel."""


@dataclass(frozen=True, slots=True)
class Stop:
    """A downtime in a period: `seconds` of it, an open one until now; `kind` says whether it was planned.

    `why` is the reason as people say it.
    """

    body: Downtime
    seq: int
    message_id: str
    seconds: float
    why: str
    kind: Kind = Kind.UNSAID

    @property
    def open(self) -> bool:
        """True while nobody said that it is over."""
        return self.body.end_time is None

    def short(self, limit: timedelta) -> bool:
        """True if it lasted less, all of it; of an open one nobody knows."""
        return self.body.end_time is not None and self.body.end_time - self.body.start_time < limit

    def row(self, short: timedelta) -> dict[str, Any]:
        """As it is answered; what lasted less than `short` is a short stop."""
        body = self.body
        return {
            "id": body.id, "message_id": self.message_id, "seq": self.seq, "equipment": body.equipment_id,
            "start": body.start_time.isoformat(), "end": body.end_time.isoformat() if body.end_time else None,
            "seconds": self.seconds, "open": self.open, "reason": body.reason.id if body.reason else None,
            "reason_name": self.why if body.reason else None,
            "category": body.reason.category if body.reason else None, "order": body.production_order_id,
            "kind": self.kind.value, "short": self.short(short),
        }  # fmt: skip


def stops(  # noqa: PLR0917 - a period, and what is looked at in it
    facts: Iterable[Fact], since: datetime, until: datetime, now: datetime, equipment: Collection[str] = (),
    plans: Plans | None = None,
) -> list[Stop]:  # fmt: skip
    """The downtimes that lie in the period, the longest first; at all equipment if none is named."""
    found = []
    for fact in facts:
        body = fact.message.body
        if isinstance(body, Downtime) and (not equipment or body.equipment_id in equipment):
            start, end = body.start_time, body.end_time
            if lies_in(start, end, since, until, now):
                kind = plans.kind(body, now) if plans else Kind.UNSAID
                seconds = inside(start, end, since, until, now)
                found.append(Stop(body, fact.seq, fact.message.id, seconds, _why(body, plans), kind))
    return sorted(found, key=lambda stop: (-stop.seconds, stop.seq))


def _why(body: Downtime, plans: Plans | None) -> str:
    """By the reason list, which has one name for each reason; else by what was said with the stop."""
    if body.reason is None:
        return NO_REASON
    listed = plans.reason_name(body.reason.id) if plans else None
    return (listed or body.reason.description or body.reason.id)[:LONGEST_NAME]


def lies_in(start: datetime, end: datetime | None, since: datetime, until: datetime, now: datetime) -> bool:
    """True if some of a stretch lies in a period; an open one goes on until now.

    A moment, which ends when it begins, lies in it as well. `until` itself is of the next period.
    """
    last = end or now
    return start <= last and start < until and (last > since or start == last == since)


def inside(start: datetime, end: datetime | None, since: datetime, until: datetime, now: datetime) -> float:
    """How many seconds of a stretch lie in a period, until now: what is to come hasn't lasted yet. 0: none."""
    return max(0.0, (min(end or now, until, now) - max(start, since)).total_seconds())


def pareto(found: Sequence[Stop], named: Callable[[Stop], str]) -> list[dict[str, Any]]:
    """Bars by name, the longest first, each with its share of the whole and what is cumulated up to it."""
    groups: dict[str, list[Stop]] = {}
    for stop in found:
        groups.setdefault(named(stop), []).append(stop)
    whole, sofar, bars = sum(stop.seconds for stop in found), 0.0, []
    for name, group in sorted(groups.items(), key=lambda one: (-sum(stop.seconds for stop in one[1]), one[0])):
        seconds = sum(stop.seconds for stop in group)
        sofar += seconds
        bars.append({
            "name": name, "count": len(group), "open": sum(stop.open for stop in group), "seconds": seconds,
            "share": _percent(seconds, whole), "cumulated": _percent(sofar, whole),
        })  # fmt: skip
    return bars


def stood_s(found: Iterable[Stop], since: datetime, until: datetime, now: datetime) -> dict[str, float]:
    """For how many seconds of the period each piece of equipment stood: once, where its stops overlap."""
    spans: dict[str, list[tuple[datetime, datetime]]] = {}
    for stop in found:
        body = stop.body
        start, end = max(body.start_time, since), min(body.end_time or now, until, now)
        spans.setdefault(body.equipment_id, []).append((start, max(start, end)))
    return {
        equipment: sum((end - start).total_seconds() for start, end in joined(of)) for equipment, of in spans.items()
    }


def by_reason(stop: Stop) -> str:
    """Why it stood."""
    return stop.why


def by_category(stop: Stop) -> str:
    """What kind of reason it was."""
    reason = stop.body.reason
    return (reason.category if reason else None) or NO_CATEGORY


def by_kind(stop: Stop) -> str:
    """Whether it was planned."""
    return stop.kind.value


def short_ones(found: Iterable[Stop], limit: timedelta) -> list[dict[str, Any]]:
    """Short stops by equipment and reason, those that come to most together first."""
    groups: dict[tuple[str, str], list[Stop]] = {}
    for stop in found:
        if stop.short(limit):
            groups.setdefault((stop.body.equipment_id, by_reason(stop)), []).append(stop)
    rows = [
        {
            "equipment": equipment, "reason": reason, "count": len(group),
            "seconds": sum(stop.seconds for stop in group), "longest_s": max(stop.seconds for stop in group),
        }
        for (equipment, reason), group in groups.items()
    ]  # fmt: skip
    return sorted(rows, key=lambda row: (-row["seconds"], row["equipment"], row["reason"]))


def by_equipment(stop: Stop) -> str:
    """What stood."""
    return stop.body.equipment_id


def _percent(part: float, whole: float) -> float | None:
    return round(100 * part / whole, 6) if whole else None
