"""The shop floor as it stands on the bus: nothing is worked out that nobody stated, but sums of stops and lots."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from canonical.isa95.kpi import Kpi
from mombus.bus.commands import UnknownNameError
from mombus.config.duration import duration
from mombus.desk import floor
from mombus.desk.question import QuestionError
from mombus.hub.desk.fitting import fitting
from mombus.hub.floor import downtimes, genealogy, lanes, planned
from mombus.hub.floor.downtimes import by_category, by_kind, by_reason
from mombus.hub.floor.period import in_shift, period_of
from mombus.hub.floor.planned import Plans
from mombus.hub.floor.standing_on import Ground, standing_on

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from canonical.isa95.resources import Equipment
    from mombus.config.model import Plant
    from mombus.desk.question import Question
    from mombus.hub.desk.topic import Answer
    from mombus.hub.floor.downtimes import Stop
    from mombus.hub.floor.genealogy import Use
    from mombus.hub.floor.reading import Fact, Facts, Reading

LONG_STOP = timedelta(days=7)
"""A stop that began so long before the period, and of which nothing was said since, isn't found."""
SAID_LATER = timedelta(days=3)
"""A stop or work that was said so long after the period at first, with its times, is found."""
LONG_JOB = timedelta(days=3)
LONG_KPI = timedelta(days=31)
"""How long after a time the period of a KPI about it may end."""
LISTED = 500
"""Stops and KPIs in a list."""
BARS = 100
"""Bars of one drawing."""
NAMED = {
    "reason": by_reason, "category": by_category, "equipment": downtimes.by_equipment, "kind": by_kind
}  # fmt: skip
"""By what stops are added up."""
REVISIONS = 50
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
            floor.KPI: self.kpi, floor.GENEALOGY: self.genealogy,
        }  # fmt: skip

    async def downtimes(self, asked: floor.Stops) -> dict[str, Any]:
        """What stood still, why and for how long. Raises QuestionError, UnknownNameError."""
        now, short = datetime.now(UTC), _short(asked.short)
        period = period_of(asked, self._plant, now)
        facts, plans = await self._stopped(period.since, period.until), await self._plans()
        equipment = self._equipment(asked.equipment)

        def lying(those: Sequence[Fact]) -> list[Stop]:
            """The stops among them that are looked at."""
            there = downtimes.stops(those, period.since, period.until, now, equipment, plans)
            return [stop for stop in there if _wanted(stop, asked, short)]

        found = lying(facts.counting)
        seconds = sum(stop.seconds for stop in found)
        drawn = {name: downtimes.pareto(found, named) for name, named in NAMED.items()}
        once = downtimes.stood_s(found, period.since, period.until, now)
        return {
            "period": period.row(now, partial=facts.partial or plans.partial), "count": len(found),
            "open": sum(stop.open for stop in found), "seconds": seconds,
            "overlap_s": max(0.0, round(seconds - sum(once.values()), 3)),
            **{f"by_{name}": bars[:BARS] for name, bars in drawn.items()},
            "more_bars": {name: len(bars) - BARS for name, bars in drawn.items() if len(bars) > BARS},
            "short_s": short.total_seconds(),
            "short_stops": downtimes.short_ones(found, short)[:BARS],
            "stops": fitting([stop.row(short) for stop in found[:LISTED]]), "reversed": len(lying(facts.undone)),
        }  # fmt: skip

    async def shift(self, asked: floor.Span) -> dict[str, Any]:
        """What went on at each piece of equipment, in the running shift if no time is said.

        Raises QuestionError, UnknownNameError.
        """
        now = datetime.now(UTC)
        period = period_of(in_shift(asked, self._plant, now), self._plant, now)
        stopped, plans = await self._stopped(period.since, period.until), await self._plans()
        worked = await self._worked(period.since, period.until)
        equipment = self._equipment(asked.equipment)
        found = downtimes.stops(stopped.counting, period.since, period.until, now, equipment, plans)
        drawn = lanes.lanes(
            found, worked.counting, since=period.since, until=period.until, now=now, equipment=equipment
        )
        many = sum(len(lane["stretches"]) for lane in drawn) > STRETCHES
        partial = stopped.partial or worked.partial or plans.partial or many
        return {"period": period.row(now, partial=partial), "lanes": _at_most(drawn, STRETCHES)}

    async def kpis(self, asked: floor.Span) -> dict[str, Any]:
        """KPIs on the bus whose period lies in the time that is asked for. Raises QuestionError, UnknownNameError."""
        now = datetime.now(UTC)
        period = period_of(asked, self._plant, now)
        facts = await self._reading.occurred(["kpi"], period.since - LONG_STOP, period.until, LONG_KPI)
        equipment = self._equipment(asked.equipment)
        rows = [
            row for fact in facts.counting
            if (row := _kpi(fact)) is not None and (not equipment or row["equipment"] in equipment)
            and _overlap(row, period.since, period.until)
        ]  # fmt: skip
        rows.sort(key=lambda row: (row["equipment"], row["id"]))
        rows.sort(key=lambda row: datetime.fromisoformat(row["end"]), reverse=True)
        return {
            "period": period.row(now, partial=facts.partial or len(rows) > LISTED), "rows": rows[:LISTED]
        }  # fmt: skip

    async def kpi(self, asked: floor.KpiAsked) -> dict[str, Any]:
        """One KPI with what it stands on. Raises UnknownNameError."""
        said = await self._reading.revisions("kpi", asked.id, REVISIONS)
        rows = [row for fact in said if (row := _kpi(fact)) is not None]
        stated = next((fact for fact in said if fact.message.id == asked.id), None)
        if stated is None or not isinstance(stated.message.body, Kpi):
            raise UnknownNameError("KPI", asked.id, hint="`GET /api/kpi` lists those of a time")
        body = stated.message.body
        equipment = self._equipment(body.equipment_id)
        ground = Ground(
            await self._stopped(body.start_time, body.end_time), await self._worked(body.start_time, body.end_time),
            await self._reading.occurred(["gap"], body.start_time - LONG_STOP, body.end_time, LONG_STOP),
            await self._plans(),
        )  # fmt: skip
        mine = next(row for row in rows if row["message_id"] == asked.id)
        return {
            "row": mine, "earlier": [row for row in rows if row["seq"] < mine["seq"]],
            "since": next((row for row in rows if row["seq"] > mine["seq"]), None), "equipment": sorted(equipment),
            **standing_on(body, stated.message.recorded, equipment, ground, datetime.now(UTC)),
        }  # fmt: skip

    async def _stopped(self, since: datetime, until: datetime) -> Facts:
        return await self._reading.occurred(["downtime"], since - LONG_STOP, until, SAID_LATER)

    async def _worked(self, since: datetime, until: datetime) -> Facts:
        return await self._reading.occurred(lanes.WORK, since - LONG_JOB, until, SAID_LATER)

    async def _plans(self) -> Plans:
        stated = await self._reading.stated(planned.OBJECTS)
        calendar = self._plant.calendar.work_calendar_entry if self._plant.calendar else ()
        return Plans(stated.counting, calendar, partial=stated.partial)

    def _equipment(self, named: str | None) -> frozenset[str]:
        """A piece of equipment and what is below it; nothing if none is named."""
        if named is None:
            return frozenset()
        return frozenset({named, *_below(self._plant.equipment, named)})

    async def genealogy(self, asked: floor.Lot) -> dict[str, Any]:
        """Where a lot comes from and where it went."""
        return genealogy.answered(asked.lot, await genealogy.grow(asked.lot, asked.depth, self._uses))

    async def _uses(self, what: str, id: str) -> tuple[list[Use], bool]:
        """The uses that name a lot, or that are a piece of work: an order's, or a transformation's."""
        if what == "lot":
            facts = await self._reading.naming(genealogy.OBJECTS, "material_lot", id, NAMING)
            return genealogy.uses_of(facts.counting), facts.partial
        found: dict[int, Fact] = {}
        partial = False
        for named in ("production_order", *genealogy.OBJECTS):
            facts = await self._reading.naming(genealogy.OBJECTS, named, id, NAMING)
            found.update((fact.seq, fact) for fact in facts.counting)
            partial |= facts.partial
        return [use for use in genealogy.uses_of(found.values()) if use.work == id], partial


def _short(text: str) -> timedelta:
    try:
        found: timedelta = duration(text)
    except (ValueError, OverflowError) as error:
        raise QuestionError(f"short: {error}") from error
    return found


def _wanted(stop: Stop, asked: floor.Stops, short: timedelta) -> bool:
    named = ((asked.reason, by_reason), (asked.category, by_category), (asked.kind, by_kind))
    return all(value is None or of(stop) == value for value, of in named) and asked.size in {
        None, "short" if stop.short(short) else "long"
    }  # fmt: skip


def _below(tree: Iterable[Equipment], named: str) -> Iterator[str]:
    """The ids below a piece of equipment, at any depth."""
    for one in tree:
        yield from _ids(one.equipment_child) if one.id == named else _below(one.equipment_child, named)


def _ids(tree: Iterable[Equipment]) -> Iterator[str]:
    for one in tree:
        yield one.id
        yield from _ids(one.equipment_child)


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
