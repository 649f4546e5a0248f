"""Closed windows in the site's time: over midnight, one after another, and when the clocks change."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from mombus.config.closing import closed_at, closing, open_minutes
from mombus.config.rate import per_second

PARIS = ZoneInfo("Europe/Paris")


def until(now: str, *texts: str) -> str | None:
    """When it opens, both in the site's time; None if it is open."""
    moment = datetime.fromisoformat(now)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=PARIS)
    found = closed_at([closing(text) for text in texts], moment.astimezone(UTC), PARIS)
    return found.until.astimezone(PARIS).isoformat(" ", "minutes") if found else None


def test_a_window_of_the_week():
    assert until("2026-03-08 01:59", "Sun 02:00-04:00") is None
    assert until("2026-03-08 02:00", "Sun 02:00-04:00") == "2026-03-08 04:00+01:00"
    assert until("2026-03-08 04:00", "Sun 02:00-04:00") is None
    assert until("2026-03-09 03:00", "Sun 02:00-04:00") is None, "a Monday"


def test_over_midnight_and_days_in_a_row():
    assert until("2026-03-10 00:30", "Mon-Fri 22:00-01:00") == "2026-03-10 01:00+01:00"
    assert until("2026-03-09 00:30", "Mon-Fri 22:00-01:00") is None, "Sunday's night"
    assert until("2026-03-08 00:30", "Fri-Sun 22:00-01:00") == "2026-03-08 01:00+01:00"
    assert until("2026-03-12 23:00", "22:00-24:00") == "2026-03-13 00:00+01:00"


def test_windows_that_follow_one_another_are_one_closing():
    assert until("2026-03-08 01:30", "Sun 01:00-02:00", "Sun 02:00-05:00") == "2026-03-08 05:00+01:00"


def test_a_period_between_two_dates():
    month_end = "2026-03-31 18:00 to 2026-04-01 06:00"
    assert until("2026-03-31 17:59", month_end) is None
    assert until("2026-03-31 23:00", month_end) == "2026-04-01 06:00+02:00"
    assert until("2026-12-25 12:00", "2026-12-25 to 2026-12-27") == "2026-12-27 00:00+01:00"


def test_when_the_clocks_are_set_forward_the_hour_that_is_not_there_is_not_waited_for():
    assert until("2026-03-29T00:59:00+00:00", "Sun 02:00-04:00") is None
    assert until("2026-03-29T01:00:00+00:00", "Sun 02:00-04:00") == "2026-03-29 04:00+02:00"


def test_when_the_clocks_are_set_back_both_hours_are_closed():
    assert until("2026-10-25T00:30:00+00:00", "Sun 02:00-03:00") == "2026-10-25 03:00+01:00"
    assert until("2026-10-25T01:30:00+00:00", "Sun 02:00-02:45") == "2026-10-25 02:45+01:00"


@pytest.mark.parametrize(
    "text", ["Sun", "Sonntag 02:00-04:00", "Sun 2:00-4:00", "2026-02-30 to 2026-03-01", "Sun 25:00-26:00"]
)
def test_what_is_no_window_says_so(text):
    with pytest.raises(ValueError, match="write"):
        closing(text)


def test_a_period_does_not_end_before_it_begins():
    with pytest.raises(ValueError, match="ends before"):
        closing("2026-04-01 to 2026-03-31")


def test_what_is_left_of_a_week():
    assert open_minutes([closing("Sun 02:00-04:00")]) == 7 * 1440 - 120
    assert open_minutes([closing("00:00-24:00")]) == 0
    assert open_minutes([closing("Mon-Fri 22:00-06:00"), closing("06:00-22:00")]) == 8 * 60 * 2


def test_rates():
    assert [per_second(text) for text in ("10/s", "600/min", "36/h")] == [10.0, 10.0, 0.01]
    for text in ("0/s", "10", "10/day", "fast"):
        with pytest.raises(ValueError, match="write 10/s"):
            per_second(text)
