"""A journey's drawing: in order, nothing covered, and what waits reaches until now."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from mombus.web.drawing.lanes import DRAWN, axis, lanes, look_of

AT = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
NOW = AT + timedelta(hours=3)


def hop(seconds: float, id: str, source: str = "erp", target: str | None = None, **more: Any) -> dict[str, Any]:
    return {
        "at": (AT + timedelta(seconds=seconds)).isoformat(), "message_id": id, "object": "production_order",
        "source": source, "target": target, "state": "delivered" if target else "stored", "waits": False,
        "delay_s": 0.0,
    } | more  # fmt: skip


def test_each_system_has_a_lane_in_the_order_of_the_journey() -> None:
    drawn = lanes([hop(0, "a"), hop(1, "a", target="mes"), hop(2, "b", "mes"), hop(3, "b", "mes", "erp")], NOW, UTC)
    assert [lane.name for lane in drawn.lanes] == ["erp", "mes"]
    assert [mark.y for mark in drawn.marks] == [drawn.lanes[i].y for i in (0, 1, 1, 0)]
    assert [mark.look for mark in drawn.marks] == ["said", "good", "said", "good"]


def test_the_axis_has_the_plants_time() -> None:
    ticks = lanes([hop(0, "a")], NOW, ZoneInfo("Asia/Tokyo")).ticks
    assert ticks[0].at.utcoffset() == timedelta(hours=9)


def test_later_is_further_right_and_a_night_isnt_endless() -> None:
    times = [AT + timedelta(seconds=s) for s in (0, 0.001, 1, 60, 40_000)]
    places = list(axis(times).values())
    gaps = [b - a for a, b in pairwise(places)]
    assert all(gap > 10 for gap in gaps)
    assert gaps == sorted(gaps)
    assert gaps[-1] < 100


def test_a_line_goes_from_who_said_it_to_who_got_it() -> None:
    drawn = lanes([hop(0, "a"), hop(0.5, "a", target="mes")], NOW, UTC)
    (way,) = drawn.ways
    said, got = drawn.marks
    assert (way.x1, way.y1, way.x2, way.y2, way.bar) == (said.x, said.y, got.x, got.y, False)


def test_what_waits_has_a_bar_until_now_and_what_took_long_one_until_then() -> None:
    drawn = lanes([
        hop(0, "a"), hop(90, "a", target="mes", delay_s=90.0),
        hop(100, "b"), hop(101, "b", target="wms", state="parked", waits=True),
    ], NOW, UTC)  # fmt: skip
    bars = [way for way in drawn.ways if way.bar]
    arrived, parked = bars
    assert (arrived.look, arrived.x1, arrived.x2) == ("good", drawn.marks[0].x, drawn.marks[1].x)
    assert (parked.look, parked.x1) == ("bad", drawn.marks[3].x)
    assert parked.x2 == pytest.approx(drawn.width - 40, abs=1)


def test_no_mark_covers_another() -> None:
    drawn = lanes([hop(0, str(i)) for i in range(4)] + [hop(5, str(i), target="mes") for i in range(4)], NOW, UTC)
    assert len({(mark.x, mark.y) for mark in drawn.marks}) == 8


def test_labels_and_times_dont_overlap() -> None:
    drawn = lanes([hop(i, str(i)) for i in range(100)], NOW, UTC)
    labelled = [mark.x for mark in drawn.marks if mark.label]
    assert all(b - a > 100 for a, b in pairwise(labelled))
    ticks = [tick.x for tick in drawn.ticks]
    assert all(b - a >= 90 for a, b in pairwise(ticks))
    assert [tick.new_day for tick in drawn.ticks[:2]] == [True, False]
    assert ticks[1] - ticks[0] > 120, "a time with its date takes more room"


def test_of_a_long_journey_the_newest_is_drawn() -> None:
    drawn = lanes([hop(i, str(i)) for i in range(DRAWN + 5)], NOW, UTC)
    assert (len(drawn.marks), drawn.left_out) == (DRAWN, 5)
    assert drawn.marks[-1].hop["message_id"] == str(DRAWN + 4)


def test_what_a_person_should_see_looks_bad() -> None:
    assert look_of(hop(0, "a", target="erp", state="rejected")) == "bad"
    assert look_of(hop(0, "a", target="erp", state="retrying", waits=True)) == "waits"
    assert look_of(hop(0, "a", target="erp", state="superseded")) == "good"


def test_an_empty_journey_has_an_empty_drawing() -> None:
    assert lanes([], NOW, UTC).marks == ()
