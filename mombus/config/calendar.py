"""The working calendar from a YAML file: shifts as a weekly pattern, written out for the days it is valid."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from canonical.isa95.work import CalendarEntry, WorkCalendar

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MAX_DAYS = 800


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Shift(_Part):
    """One shift of the week; one that ends at or before its start ends on the next day."""

    id: str = Field(min_length=1, max_length=100, description="Name of the shift, such as early.")
    start: time = Field(description="When it starts, by the plant's clock, such as 06:00.")
    end: time = Field(description="When it ends, by the plant's clock.")
    days: tuple[Day, ...] = Field(default=_DAYS[:5], description="The days it starts on; none given: mon to fri.")


class Shifts(_Part):
    """A calendar file."""

    id: str = Field(min_length=1, max_length=100, description="Name of the calendar.")
    description: str | None = Field(default=None, description="What it is for.")
    valid_from: date = Field(description="The first day.")
    valid_until: date = Field(description="The last day; at most 800 days after the first.")
    shifts: tuple[Shift, ...] = Field(min_length=1, description="The shifts of a week.")
    closed: tuple[date, ...] = Field(default=(), description="Days on which no shift starts.")

    @model_validator(mode="after")
    def _valid_in_order(self) -> Shifts:
        days = (self.valid_until - self.valid_from).days
        if not 0 <= days <= MAX_DAYS:
            raise ValueError(f"valid_until must be 0 to {MAX_DAYS} days after valid_from")
        return self

    def calendar(self, timezone: ZoneInfo) -> WorkCalendar:
        """Every shift of every day, in the plant's time zone."""
        entries = []
        for number in range((self.valid_until - self.valid_from).days + 1):
            day = self.valid_from + timedelta(days=number)
            if day not in self.closed:
                entries += [_entry(shift, day, timezone) for shift in self.shifts if _DAYS[day.weekday()] in shift.days]
        return WorkCalendar(id=self.id, description=self.description, work_calendar_entry=tuple(entries))


def _entry(shift: Shift, day: date, timezone: ZoneInfo) -> CalendarEntry:
    last = day if shift.end > shift.start else day + timedelta(days=1)
    return CalendarEntry(
        id=f"{day.isoformat()}/{shift.id}",
        description=shift.id,
        start_time=datetime.combine(day, shift.start, timezone),
        end_time=datetime.combine(last, shift.end, timezone),
    )
