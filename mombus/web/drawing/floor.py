"""Stops, shifts and lots as drawings: plain numbers for the templates, which draw them as SVG."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import Any

WIDTH = 1000
NAMES = 170
"""Room for the names of lanes."""
LANE, TOP = 34, 28
BOX, BOX_HEIGHT, COLUMN, ROW = 180, 46, 250, 62
DIP = 30
"""How far lines that lead back go below the lots."""
NARROWEST = 2.0
"""Of a bar, so that what was short is seen."""
TICKS, LABEL = 9, 45
"""Times on the axis at most, and room for one."""
HOUR_S, DAY_S = 3600, 86400
STEPS_S = (
    1, 5, 10, 30, 60, 120, 300, 600, 900, 1800, *(hours * HOUR_S for hours in (1, 2, 3, 4, 6, 12)),
    *(days * DAY_S for days in (1, 2, 7, 14)),
)  # fmt: skip
"""Seconds between two times on the axis."""


def gantt(plan: Mapping[str, Any], zone: tzinfo, *, fit: bool = False) -> dict[str, Any]:
    """A lane for each piece of equipment over the period, work above stops; times as in `zone`.

    With `fit` it begins with what is known first, `since`, where that is in the second half of the period: a plant
    that is an hour old isn't squeezed into the last of 24.
    """
    since, until, now = (datetime.fromisoformat(plan["period"][name]) for name in ("since", "until", "at"))
    begun = _begun(plan, since, until) if fit else None
    since = begun or since
    whole = (until - since).total_seconds()

    def x(at: datetime) -> float:
        part = (min(max(at, since), until) - since).total_seconds() / whole
        return round(NAMES + part * (WIDTH - NAMES), 1)

    lanes = []
    for number, lane in enumerate(plan["lanes"]):
        y = TOP + number * LANE
        bars = []
        for one in lane["stretches"]:
            start = min(x(datetime.fromisoformat(one["start"])), WIDTH - NARROWEST)
            end = x(datetime.fromisoformat(one["end"]) if one["end"] else now)
            width = max(NARROWEST, round(end - start, 1))
            bars.append({**one, "x": start, "width": width, "y": y + (16 if one["what"] == "stop" else 3)})
        lanes.append({"equipment": lane["equipment"], "y": y, "bars": bars})
    ticks = [(x(at), text) for at, text in _ticks(since, until, zone)]
    return {
        "width": WIDTH, "height": TOP + len(lanes) * LANE + 4, "names": NAMES, "lane": LANE, "lanes": lanes,
        "ticks": [{"x": place, "text": text} for place, text in ticks if place <= WIDTH - LABEL], "since": begun,
        "now": x(now) if since <= now < until else None,
    }  # fmt: skip


def _begun(plan: Mapping[str, Any], since: datetime, until: datetime) -> datetime | None:
    """Shortly before the first stretch; None if that is in the first half of the period, or there is none."""
    starts = [datetime.fromisoformat(one["start"]) for lane in plan["lanes"] for one in lane["stretches"]]
    first = min(starts, default=since)
    if first - since < (until - since) / 2 or first >= until:
        return None
    return first - (until - first) / 50


def _ticks(since: datetime, until: datetime, zone: tzinfo) -> Iterator[tuple[datetime, str]]:
    """Round times of the clocks in `zone`, few enough to be read; where a day begins, its date."""
    whole_s = (until - since).total_seconds()
    step_s = next((step_s for step_s in STEPS_S if whole_s / step_s <= TICKS), STEPS_S[-1])
    local = since.astimezone(zone)
    stride_s = min(step_s, HOUR_S)
    at = since + timedelta(seconds=-(local.minute * 60 + local.second + local.microsecond / 1e6) % stride_s)
    while at < until:
        local = at.astimezone(zone)
        if _is_round(local, step_s):
            day_begins = local.hour == local.minute == local.second == 0
            yield at, local.strftime("%m-%d" if day_begins else "%H:%M" if step_s >= 60 else "%H:%M:%S")
        at += timedelta(seconds=stride_s)


def _is_round(local: datetime, step_s: int) -> bool:
    """Of steps up to an hour all are; longer ones begin with the day, those of days with the week."""
    if step_s <= HOUR_S:
        return True
    if step_s < DAY_S:
        return local.hour % (step_s // HOUR_S) == 0
    return local.hour == 0 and (local.toordinal() - 1) % (step_s // DAY_S) == 0


def graph(found: Mapping[str, Any]) -> dict[str, Any]:
    """Lots in columns by their distance, what they are made of on the left; work on the lines between."""
    columns: dict[int, list[Mapping[str, Any]]] = {}
    for lot in found["lots"]:
        columns.setdefault(lot["depth"], []).append(lot)
    first, tallest = min(columns), max(len(column) for column in columns.values())
    boxes = {
        lot["id"]: {
            **lot, "x": 8 + (depth - first) * COLUMN,
            "y": 8 + number * ROW + (tallest - len(column)) * ROW / 2,
        }
        for depth, column in columns.items() for number, lot in enumerate(column)
    }  # fmt: skip
    lines = _lines(found["links"], boxes)
    back = any(line["back"] for line in lines)
    return {
        "width": (max(columns) - first) * COLUMN + BOX + 16, "height": tallest * ROW + 8 + (DIP if back else 0),
        "box": BOX, "box_height": BOX_HEIGHT, "lots": list(boxes.values()), "lines": lines, "back": back,
    }  # fmt: skip


def _lines(links: Sequence[Mapping[str, Any]], boxes: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A line from each lot that a piece of work used to each that it made."""
    works: dict[str, dict[str, list[str]]] = {}
    for link in links:
        works.setdefault(link["work"], {"consumed": [], "produced": []})[link["direction"]].append(link["lot"])
    return [
        {"work": work, "from": start, "to": end, **_way(boxes[start], boxes[end])}
        for work, lots in works.items() for start in lots["consumed"] for end in lots["produced"]
    ]  # fmt: skip


def _way(start: Mapping[str, Any], end: Mapping[str, Any]) -> dict[str, Any]:
    """To the right; back, around the lots from below, where a lot became one that it is made of itself."""
    if start["x"] < end["x"]:
        return {"back": False, "path": _curve(start, end)}
    x1, x2 = start["x"] + BOX * 0.6, end["x"] + BOX * 0.4
    y1, y2 = start["y"] + BOX_HEIGHT, end["y"] + BOX_HEIGHT
    low = max(y1, y2) + DIP
    return {"back": True, "path": f"M{x1} {y1}C{x1} {low} {x2} {low} {x2} {y2}"}


def _curve(start: Mapping[str, Any], end: Mapping[str, Any]) -> str:
    x1, y1 = start["x"] + BOX, start["y"] + BOX_HEIGHT / 2
    x2, y2 = end["x"], end["y"] + BOX_HEIGHT / 2
    middle = (x1 + x2) / 2
    return f"M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}"
