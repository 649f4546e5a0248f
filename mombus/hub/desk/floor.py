"""The shop floor as it stands on the bus: nothing is worked out that nobody stated, but sums of stops and lots."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from canonical.isa95.kpi import Kpi
from mombus.desk import floor
from mombus.hub.floor import downtimes, genealogy, lanes
from mombus.hub.floor.period import in_shift, period_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mombus.config.model import Plant
    from mombus.desk.question import Question
    from mombus.hub.desk.topic import Answer
    from mombus.hub.floor.genealogy import Use
    from mombus.hub.floor.reading import Fact, Reading

LONG_STOP = timedelta(days=7)
"""A stop that began so long before the period, and of which nothing was said since, isn't found."""
LONG_JOB = timedelta(days=3)
LISTED = 500
"""Stops and KPIs in a list."""
STRETCHES = 1500
NAMING = 300
"""Messages that are looked at for one lot, or for one piece of work."""


class Floor:
    """Answers from the facts on the bus."""

    def __init__(self, plant: Plant, reading: Reading) -> None:
        self._plant = plant
        self._reading = reading

    def answers(self) -> Mapping[Question, Answer]:
        """As `mombus.hub.desk.topic.Topic`."""
        return {
            floor.DOWNTIMES: self.downtimes, floor.SHIFT: self.shift, floor.KPIS: self.kpis,
            floor.GENEALOGY: self.genealogy,
        }  # fmt: skip

    async def downtimes(self, asked: floor.Span) -> dict[str, Any]:
        """What stood still, why and for how long. Raises QuestionError, UnknownNameError."""
        now = datetime.now(UTC)
        period = period_of(asked, self._plant, now)
        facts = await self._reading.occurred(["downtime"], period.since - LONG_STOP, period.until)
        found = downtimes.stops(facts.counting, period.since, period.until, now, asked.equipment)
        return {
            "period": period.row(now, partial=facts.partial), "count": len(found),
            "open": sum(stop.open for stop in found), "seconds": sum(stop.seconds for stop in found),
            "by_reason": downtimes.pareto(found, downtimes.by_reason),
            "by_category": downtimes.pareto(found, downtimes.by_category),
            "by_equipment": downtimes.pareto(found, downtimes.by_equipment),
            "stops": [stop.row() for stop in found[:LISTED]], "reversed": facts.reversed,
        }  # fmt: skip

    async def shift(self, asked: floor.Span) -> dict[str, Any]:
        """What went on at each piece of equipment, in the running shift if no time is said.

        Raises QuestionError, UnknownNameError.
        """
        now = datetime.now(UTC)
        period = period_of(in_shift(asked, self._plant, now), self._plant, now)
        stopped = await self._reading.occurred(["downtime"], period.since - LONG_STOP, period.until)
        worked = await self._reading.occurred(lanes.WORK, period.since - LONG_JOB, period.until + LONG_JOB)
        found = downtimes.stops(stopped.counting, period.since, period.until, now, asked.equipment)
        drawn = lanes.lanes(
            found, worked.counting, since=period.since, until=period.until, now=now, equipment=asked.equipment
        )
        many = sum(len(lane["stretches"]) for lane in drawn) > STRETCHES
        partial = stopped.partial or worked.partial or many
        return {"period": period.row(now, partial=partial), "lanes": _at_most(drawn, STRETCHES)}

    async def kpis(self, asked: floor.Span) -> dict[str, Any]:
        """KPIs on the bus whose period lies in the time that is asked for. Raises QuestionError, UnknownNameError."""
        now = datetime.now(UTC)
        period = period_of(asked, self._plant, now)
        facts = await self._reading.occurred(["kpi"], period.since - LONG_STOP, now)
        rows = [
            row for fact in facts.counting
            if (row := _kpi(fact)) is not None and asked.equipment in {None, row["equipment"]}
            and _overlap(row, period.since, period.until)
        ]  # fmt: skip
        rows.sort(key=lambda row: (row["end"], row["equipment"], row["id"]), reverse=True)
        return {
            "period": period.row(now, partial=facts.partial or len(rows) > LISTED), "rows": rows[:LISTED]
        }  # fmt: skip

    async def genealogy(self, asked: floor.Lot) -> dict[str, Any]:
        """Where a lot comes from and where it went."""
        return genealogy.answered(asked.lot, await genealogy.grow(asked.lot, asked.depth, self._uses))

    async def _uses(self, what: str, id: str) -> tuple[list[Use], bool]:
        """The uses that name a lot, or that are a piece of work: an order's, or a transformation's."""
        if what == "lot":
            facts = await self._reading.naming(genealogy.OBJECTS, "material_lot", id, NAMING)
            return genealogy.uses_of(facts.counting), facts.partial
        found: list[Use] = []
        partial = False
        for named in ("production_order", *genealogy.OBJECTS):
            facts = await self._reading.naming(genealogy.OBJECTS, named, id, NAMING)
            found += [use for use in genealogy.uses_of(facts.counting) if use.work == id]
            partial |= facts.partial
        return found, partial


def _kpi(fact: Fact) -> dict[str, Any] | None:
    body, message = fact.message.body, fact.message
    if not isinstance(body, Kpi):
        return None
    return {
        "id": body.id, "formula_version": body.formula_version, "equipment": body.equipment_id,
        "start": body.start_time.isoformat(), "end": body.end_time.isoformat(),
        "value": f"{body.value:f}" if body.value is not None else None, "unit": body.unit_of_measure,
        "status": body.status or "provisional", "findings": list(body.finding), "source": message.source,
        "message_id": message.id, "seq": fact.seq, "revision": message.revision,
    }  # fmt: skip


def _overlap(row: Mapping[str, Any], since: datetime, until: datetime) -> bool:
    return datetime.fromisoformat(row["start"]) < until and datetime.fromisoformat(row["end"]) > since


def _at_most(drawn: list[dict[str, Any]], most: int) -> list[dict[str, Any]]:
    """As many stretches as fit into an answer, lane by lane."""
    left, shown = most, []
    for lane in drawn:
        shown.append({**lane, "stretches": lane["stretches"][: max(0, left)]})
        left -= len(lane["stretches"])
    return shown
