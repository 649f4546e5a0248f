"""What a person writes to select from history, understood: times in the plant's zone, spans as so long ago."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from mombus.config.duration import duration
from mombus.index.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

_TIMES = ("since", "until")
EARLIEST, LATEST = 2, 9998
"""Years: what is asked for is looked for some weeks around as well."""


class SelectionError(ValueError):
    """A selection that can't be understood; the text names what is wrong."""


def selection_of(said: Mapping[str, Any], zone: ZoneInfo, now: datetime) -> Selection:
    """The selection that was said. Times without an offset are the plant's. Raises SelectionError."""
    times = {name: moment(said[name], zone, now) for name in _TIMES if said.get(name)}
    try:
        return Selection.model_validate({**{k: v for k, v in said.items() if k not in _TIMES}, **times})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(step) for step in first["loc"])
        raise SelectionError(f"{place}: {str(first['msg']).removeprefix('Value error, ')}") from None


def moment(text: Any, zone: ZoneInfo, now: datetime) -> datetime:
    """A time: `2026-03-02 06:00`, with an offset or in `zone`; a day's beginning; `06:00` of today; `4h` ago.

    Raises SelectionError.
    """
    if not isinstance(text, str):
        raise SelectionError(f"{text!r} is no time")
    try:
        ago: timedelta = duration(text)
    except ValueError:
        ago = timedelta()
    if ago:
        return now - ago
    found: datetime | None
    try:
        found = _moment(text, zone, now)
    except OverflowError:
        found = None
    if found is None or not EARLIEST <= found.year <= LATEST:
        raise SelectionError(f"'{text}' is too far away: give a time between the years {EARLIEST} and {LATEST}")
    return found


def _moment(text: str, zone: ZoneInfo, now: datetime) -> datetime:
    for read in (datetime.fromisoformat, _of_today(now.astimezone(zone).date())):
        try:
            found: datetime = read(text.strip())
        except ValueError:
            continue
        return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)
    raise SelectionError(f"'{text}' is no time: write 2026-03-02, '2026-03-02 06:00', 06:00, or 4h for so long ago")


def _of_today(today: date) -> Any:
    return lambda text: datetime.combine(today, time.fromisoformat(text))
