"""A shift is drawn over its time, with round times of the plant's clocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from mombus.web.drawing.floor import NAMES, WIDTH, gantt, graph

PARIS = ZoneInfo("Europe/Paris")
DAY = timedelta(days=1)


def plan(until: datetime, whole: timedelta, *stretches: tuple[float, float | None]) -> dict[str, Any]:
    """One machine with stops, in seconds before `until`."""
    told = [
        {"what": "stop", "start": (until - timedelta(seconds=start)).isoformat(),
         "end": None if end is None else (until - timedelta(seconds=end)).isoformat()}
        for start, end in stretches
    ]  # fmt: skip
    period = {"since": (until - whole).isoformat(), "until": until.isoformat(), "at": until.isoformat()}
    return {"period": period, "lanes": [{"equipment": "CAPPER1", "stretches": told}]}


def test_a_young_plant_is_not_squeezed_into_a_day() -> None:
    until = datetime(2026, 11, 22, 15, 54, 8, tzinfo=UTC)
    young = plan(until, DAY, (100, 80), (50, 0), (0, None))
    drawn = gantt(young, PARIS, fit=True)
    assert drawn["since"] == until - timedelta(seconds=102)
    bars = drawn["lanes"][0]["bars"]
    assert (bars[0]["x"] < NAMES + 30, bars[0]["width"] > 100) == (True, True)
    assert all(bar["x"] + bar["width"] <= WIDTH for bar in bars)
    assert [tick["text"] for tick in drawn["ticks"]] == ["16:52:30", "16:53:00", "16:53:30", "16:54:00"]
    assert gantt(young, PARIS)["since"] is None, "a time that was chosen is drawn whole"
    assert gantt(plan(until, DAY, (80000, 70000), (50, 0)), PARIS, fit=True)["since"] is None
    assert gantt(plan(until, DAY), PARIS, fit=True)["since"] is None


@pytest.mark.parametrize(
    ("until", "whole", "texts"),
    [
        ((2026, 3, 2, 13), timedelta(hours=8), [f"{hour:02}:00" for hour in range(6, 14)]),
        ((2026, 11, 22, 15, 54), DAY, ["18:00", "21:00", "11-22", "03:00", "06:00", "09:00", "12:00", "15:00"]),
        ((2026, 3, 29, 4), timedelta(hours=6), ["23:00", "03-29", "01:00", "03:00", "04:00", "05:00"]),
        ((2026, 10, 25, 4), timedelta(hours=6), ["10-25", "01:00", "02:00", "02:00", "03:00", "04:00"]),
        ((2026, 3, 31), timedelta(days=30), ["03-02", "03-09", "03-16", "03-23"]),
    ],
    ids=["shift", "day", "clocks forward", "clocks back", "month"],
)
def test_times_on_the_axis_are_round_for_the_plant(
    until: tuple[int, ...], whole: timedelta, texts: list[str]
) -> None:  # fmt: skip
    drawn = gantt(plan(datetime(*until, tzinfo=UTC), whole), PARIS)
    assert [tick["text"] for tick in drawn["ticks"]] == texts


def test_a_lot_that_comes_back_to_itself_has_a_line_back() -> None:
    ways = [("T1", "A", "consumed"), ("T1", "B", "produced"), ("T2", "B", "consumed"), ("T2", "A", "produced")]
    found = {
        "lots": [{"id": "B", "depth": -1}, {"id": "A", "depth": 0}],
        "links": [{"work": work, "lot": lot, "direction": way} for work, lot, way in ways],
    }
    drawn = graph(found)
    assert {(line["from"], line["to"]): line["back"] for line in drawn["lines"]} == {
        ("A", "B"): True,
        ("B", "A"): False,
    }
    assert drawn["back"]
