"""Stops, shifts and lots as drawings: plain numbers for the templates, which draw them as SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import Any

WIDTH = 1000
NAMES = 170
"""Room for the names of lanes."""
LANE, TOP = 34, 28
BOX, BOX_HEIGHT, COLUMN, ROW = 180, 46, 250, 62
TICKS = 8


def gantt(plan: Mapping[str, Any], zone: tzinfo) -> dict[str, Any]:
    """A lane for each piece of equipment over the period, work above stops; times as in `zone`."""
    since, until, now = (datetime.fromisoformat(plan["period"][name]) for name in ("since", "until", "at"))
    whole = (until - since).total_seconds()

    def x(at: datetime) -> float:
        part = (min(max(at, since), until) - since).total_seconds() / whole
        return round(NAMES + part * (WIDTH - NAMES), 1)

    lanes = []
    for number, lane in enumerate(plan["lanes"]):
        y = TOP + number * LANE
        bars = []
        for one in lane["stretches"]:
            start = x(datetime.fromisoformat(one["start"]))
            end = x(datetime.fromisoformat(one["end"]) if one["end"] else now)
            stop = one["what"] == "stop"
            bars.append({**one, "x": start, "width": max(2.0, round(end - start, 1)), "y": y + (16 if stop else 3)})
        lanes.append({"equipment": lane["equipment"], "y": y, "bars": bars})
    height = TOP + len(lanes) * LANE + 4
    return {"width": WIDTH, "height": height, "names": NAMES, "lane": LANE, "lanes": lanes,
            "ticks": [{"x": x(at), "text": at.astimezone(zone).strftime("%H:%M" if whole <= 172800 else "%d.%m.")}
                      for at in _ticks(since, until)],
            "now": x(now) if since <= now < until else None}  # fmt: skip


def _ticks(since: datetime, until: datetime) -> list[datetime]:
    step: timedelta = (until - since) / TICKS
    return [since + step * number for number in range(TICKS)]


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
    return {
        "width": (max(columns) - first) * COLUMN + BOX + 16, "height": tallest * ROW + 8, "box": BOX,
        "box_height": BOX_HEIGHT, "lots": list(boxes.values()), "lines": _lines(found["links"], boxes),
    }  # fmt: skip


def _lines(links: Sequence[Mapping[str, Any]], boxes: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A line from each lot that a piece of work used to each that it made."""
    works: dict[str, dict[str, list[str]]] = {}
    for link in links:
        works.setdefault(link["work"], {"consumed": [], "produced": []})[link["direction"]].append(link["lot"])
    return [
        {"work": work, "from": start, "to": end, "path": _curve(boxes[start], boxes[end])}
        for work, lots in works.items() for start in lots["consumed"] for end in lots["produced"] if start != end
    ]  # fmt: skip


def _curve(start: Mapping[str, Any], end: Mapping[str, Any]) -> str:
    x1, y1 = start["x"] + BOX, start["y"] + BOX_HEIGHT / 2
    x2, y2 = end["x"], end["y"] + BOX_HEIGHT / 2
    middle = (x1 + x2) / 2
    return f"M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}"
