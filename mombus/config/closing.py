"""When a system may not be written to: windows of the week and periods between two dates, in the plant's time zone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from zoneinfo import ZoneInfo

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
WEEK_MIN = 7 * 24 * 60
_WINDOW = re.compile(r"(?:(?P<days>[A-Za-z,-]+) +)?(?P<from>\d\d:\d\d) *- *(?P<to>\d\d:\d\d)")
_PERIOD = re.compile(r"(?P<from>\d{4}-\d\d-\d\d(?: \d\d:\d\d)?) +to +(?P<to>\d{4}-\d\d-\d\d(?: \d\d:\d\d)?)")
_CHAIN = 50
"""Windows that follow one another without a break are one closing; more of them than this are looked at later."""


class Closing(NamedTuple):
    """It is closed until then, because of `text`, as it was declared."""

    until: datetime
    text: str


@dataclass(frozen=True, slots=True)
class Window:
    """Closed every week on `days` (0 is Monday) from one time of the day to another, the next day's if not later."""

    text: str
    days: frozenset[int]
    start: time
    end: time

    def spans(self, day: date, timezone: ZoneInfo) -> Iterator[tuple[datetime, datetime]]:
        """Where it is closed because of `day`; an end that happens twice (clocks set back) is the later one."""
        if day.weekday() in self.days:
            last = day if self.end > self.start else day + timedelta(days=1)
            yield (
                datetime.combine(day, self.start, timezone).astimezone(UTC),
                datetime.combine(last, self.end, timezone).replace(fold=1).astimezone(UTC),
            )


@dataclass(frozen=True, slots=True)
class Period:
    """Closed once, from one time to another of the site's clock."""

    text: str
    start: datetime
    end: datetime

    def spans(self, _day: date, timezone: ZoneInfo) -> Iterator[tuple[datetime, datetime]]:
        """Where it is closed."""
        yield (
            self.start.replace(tzinfo=timezone).astimezone(UTC),
            self.end.replace(tzinfo=timezone, fold=1).astimezone(UTC),
        )


def closing(text: str) -> Window | Period:
    """Read `Sun 02:00-04:00`, `Mon-Fri 22:00-23:30`, `02:00-02:15` (every day) or `2026-03-31 18:00 to 2026-04-01`.

    A date without a time is its midnight. Raises ValueError that says what was expected.
    """
    if found := _WINDOW.fullmatch(text.strip()):
        if found["from"] == found["to"]:
            raise ValueError(f"'{text}' ends when it begins; write 00:00-24:00 for the whole day")
        start, end = _time(found["from"]), _time(found["to"])
        return Window(text, _days(found["days"]), start, end)
    if found := _PERIOD.fullmatch(text.strip()):
        period = Period(text, _moment(found["from"]), _moment(found["to"]))
        if period.end <= period.start:
            raise ValueError(f"'{text}' ends before it begins")
        return period
    raise ValueError(f"'{text}' is no closed window; write 'Sun 02:00-04:00' or '2026-03-31 18:00 to 2026-04-01 06:00'")


def closed_at(windows: Iterable[Window | Period], now: datetime, timezone: ZoneInfo) -> Closing | None:
    """The closing that `now` is in, with its end; None if it is open."""
    windows, until, text = tuple(windows), now, ""
    for _ in range(_CHAIN):
        found = max(_around(windows, until, timezone), default=None)
        if found is None:
            break
        until, text = found.until, text or found.text
    return Closing(until, text) if text else None


def open_minutes(windows: Iterable[Window | Period]) -> int:
    """How many minutes of a week no window closes."""
    closed: set[int] = set()
    for window in windows:
        if isinstance(window, Window):
            length = (_minute(window.end) - _minute(window.start)) % (24 * 60) or 24 * 60
            for day in window.days:
                start = day * 24 * 60 + _minute(window.start)
                closed.update(minute % WEEK_MIN for minute in range(start, start + length))
    return WEEK_MIN - len(closed)


def _around(windows: tuple[Window | Period, ...], now: datetime, timezone: ZoneInfo) -> Iterator[Closing]:
    today = now.astimezone(timezone).date()
    for window in windows:
        for day in (today - timedelta(days=1), today):
            for start, end in window.spans(day, timezone):
                if start <= now < end:
                    yield Closing(end, window.text)


def _days(text: str | None) -> frozenset[int]:
    if text is None:
        return frozenset(range(7))
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        start, end = _day(first), _day(last if dash else first)
        found.update(range(start, end + 1) if start <= end else (*range(start, 7), *range(end + 1)))
    return frozenset(found)


def _day(text: str) -> int:
    try:
        return DAYS.index(text.capitalize())
    except ValueError:
        raise ValueError(f"'{text}' is no day of the week; write {', '.join(DAYS)}") from None


def _time(text: str) -> time:
    try:
        return time.fromisoformat("00:00" if text == "24:00" else text)
    except ValueError:
        raise ValueError(f"'{text}' is no time of the day; write 02:00") from None


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"'{text}' is no date; write 2026-03-31 or 2026-03-31 18:00") from None


def _minute(of_day: time) -> int:
    return of_day.hour * 60 + of_day.minute
