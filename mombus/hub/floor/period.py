"""The time that is looked at: a shift of the calendar, or from when until when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from mombus.bus.commands import UnknownNameError
from mombus.desk.question import QuestionError
from mombus.hub.replay.selecting import SelectionError, moment

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from canonical.isa95.work import CalendarEntry
    from mombus.config.model import Plant
    from mombus.desk.floor import Span

DAY = timedelta(days=1)
LONGEST = timedelta(days=92)
AROUND = timedelta(days=2)
"""How far from the period shifts are offered to choose from."""


@dataclass(frozen=True, slots=True)
class Period:
    """From when until when, in the plant's calendar."""

    since: datetime
    until: datetime
    shift: CalendarEntry | None
    around: Sequence[CalendarEntry]

    def row(self, now: datetime, *, partial: bool) -> dict[str, Any]:
        """As it is answered."""
        return {
            "at": now.isoformat(), "since": self.since.isoformat(), "until": self.until.isoformat(),
            "shift": _row(self.shift) if self.shift else None, "shifts": [_row(one) for one in self.around],
            "partial": partial,
        }  # fmt: skip


def period_of(asked: Span, plant: Plant, now: datetime) -> Period:
    """What is asked for; the last day if nothing is said. Raises QuestionError, UnknownNameError for no such shift."""
    entries = plant.calendar.work_calendar_entry if plant.calendar else ()
    if asked.shift is not None:
        found = next((one for one in entries if one.id == asked.shift), None)
        if found is None:
            raise UnknownNameError("shift", asked.shift, [one.id for one in entries if _near(one, now, now)])
        return Period(found.start_time, found.end_time, found, _around(entries, found.start_time, found.end_time))
    try:
        until = moment(asked.until, plant.timezone, now) if asked.until else now
        since = moment(asked.since, plant.timezone, now) if asked.since else until - DAY
    except SelectionError as error:
        raise QuestionError(str(error)) from error
    if not since < until <= since + LONGEST:
        raise QuestionError(f"since must be before until, by {LONGEST.days} days at most")
    return Period(since, until, None, _around(entries, since, until))


def in_shift(asked: Span, plant: Plant, now: datetime) -> Span:
    """What is asked for, about the running shift if no time is said and one runs."""
    if asked.shift or asked.since or asked.until or plant.calendar is None:
        return asked
    running = (one for one in plant.calendar.work_calendar_entry if one.start_time <= now < one.end_time)
    shift = next(running, None)
    return asked if shift is None else asked.model_copy(update={"shift": shift.id})


def _around(entries: Sequence[CalendarEntry], since: datetime, until: datetime) -> list[CalendarEntry]:
    return [one for one in entries if _near(one, max(since, until - AROUND), until)]


def _near(entry: CalendarEntry, since: datetime, until: datetime) -> bool:
    return entry.end_time > since - AROUND and entry.start_time < until + DAY


def _row(entry: CalendarEntry) -> dict[str, Any]:
    return {
        "id": entry.id, "name": entry.description or entry.id, "start": entry.start_time.isoformat(),
        "end": entry.end_time.isoformat(),
    }  # fmt: skip
