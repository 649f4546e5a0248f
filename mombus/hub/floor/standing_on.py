"""What a stated KPI stands on: the events of its period and equipment, and what it may not know of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from canonical.isa95.gap import Gap
from mombus.hub.floor.downtimes import by_kind, pareto, stops
from mombus.hub.floor.lanes import WORK, times, where
from mombus.hub.floor.planned import Kind

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from canonical.isa95.kpi import Kpi
    from mombus.hub.floor.downtimes import Stop
    from mombus.hub.floor.planned import Plans
    from mombus.hub.floor.reading import Fact, Facts


FOR_EVER = datetime.max.replace(tzinfo=UTC)


class Ground(NamedTuple):
    """What was read for it: stops, work, what wires lost, and plans."""

    stopped: Facts
    worked: Facts
    lost: Facts
    plans: Plans


def standing_on(
    body: Kpi, stated: datetime, equipment: Collection[str], ground: Ground, now: datetime
) -> dict[str, Any]:
    """Events and doubts of a KPI that was noted at `stated`; `equipment` is what it is about, with what is below."""
    found = stops(ground.stopped.counting, body.start_time, body.end_time, now, equipment, ground.plans)
    noted = {fact.seq: fact.message.recorded for fact in ground.stopped.counting}
    late_stops = sum(noted[stop.seq] > stated for stop in found)
    events: list[dict[str, Any]] = [{
        "object": "downtime", "count": len(found), "seconds": sum(stop.seconds for stop in found), "late": late_stops,
    }]  # fmt: skip
    for name in WORK:
        work = [
            fact for fact in ground.worked.counting if fact.message.object == name and _about(fact, body, equipment)
        ]
        events.append({
            "object": name, "count": len(work), "seconds": None,
            "late": sum(fact.message.recorded > stated for fact in work),
        })  # fmt: skip
    late, gaps = sum(one["late"] for one in events), _gaps(body, ground.lost.counting, equipment)
    doubts = _doubts(body, found, gaps, late, _overlapping(found))
    return {
        "events": events, "stops": pareto(found, by_kind), "doubts": doubts,
        "partial": any(one.partial for one in ground),
    }  # fmt: skip


def _doubts(body: Kpi, found: Sequence[Stop], gaps: int, late: int, overlapping: int) -> list[dict[str, Any]]:
    told = {
        "stated with a finding": len(body.finding),
        "noted after it was stated": late,
        "stretches in which a wire lost something": gaps,
        "of its stops still open, counted until now": sum(stop.open for stop in found),
        "of its stops began while the same equipment stood already": overlapping,
        "of its stops without a reason": sum(stop.body.reason is None for stop in found),
        "of its stops that nobody said to be planned or not": sum(stop.kind is Kind.UNSAID for stop in found),
    }
    return [{"text": text, "count": count} for text, count in told.items() if count]


def _overlapping(found: Sequence[Stop]) -> int:
    """How many began before an earlier one of the same equipment was over."""
    over: dict[str, datetime] = {}
    number = 0
    for stop in sorted(found, key=lambda one: (one.body.start_time, one.seq)):
        last = over.get(stop.body.equipment_id)
        number += last is not None and stop.body.start_time < last
        end = stop.body.end_time or FOR_EVER
        over[stop.body.equipment_id] = end if last is None else max(last, end)
    return number


def _gaps(body: Kpi, lost: Sequence[Fact], equipment: Collection[str]) -> int:
    """Those of this equipment, and those that might be of any."""
    return sum(
        isinstance(gap := fact.message.body, Gap) and gap.equipment_id in {None, *equipment}
        and gap.since < body.end_time and (gap.until is None or gap.until > body.start_time)
        for fact in lost
    )  # fmt: skip


def _about(fact: Fact, body: Kpi, equipment: Collection[str]) -> bool:
    """Whether work was done at the equipment in the period."""
    start, end = times(fact.message.body)
    return (
        start is not None and start < body.end_time and (end is None or end > body.start_time)
        and any(one in equipment for one in where(fact.message.body))
    )  # fmt: skip
