"""A journey as swimlanes: a lane for each system, messages as lines from who said them to who got them, over time.

The axis isn't even: what is a moment long and what is a night long both have to be seen, so that ten times the time is
only a little more room. Events never swap places, and none covers another in its lane.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from math import log10
from typing import Any

LEFT, TOP, LANE, RIGHT = 120, 30, 58, 40
"""Room for the lanes' names, for the axis, of one lane, and behind the last event."""
LEAST, MORE = 11.0, 13.0
"""Room between two events, and what is added for each ten times of the seconds between them."""
TICK, DATED, LETTER = 92, 122, 6.6
"""Room that a time needs on the axis, one with its date, and one letter of a label."""
DRAWN = 400
"""Hops on one drawing: the newest, if there are more."""
LONG_S = 1.0
"""What took longer is drawn as waiting."""
GOOD = frozenset({"delivered", "superseded", "stored"})


@dataclass(frozen=True, slots=True)
class Mark:
    """One hop. `label` is empty where there is no room for it; `look` is `said`, `good`, `waits` or `bad`."""

    x: float
    y: float
    look: str
    label: str
    hop: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Way:
    """From where a message was said to where it got, or waits; `bar` is from when to when it waited there."""

    x1: float
    y1: float
    x2: float
    y2: float
    look: str
    bar: bool


@dataclass(frozen=True, slots=True)
class Lane:
    """One system's."""

    name: str
    y: float


@dataclass(frozen=True, slots=True)
class Tick:
    """A time on the axis."""

    x: float
    at: datetime
    new_day: bool


@dataclass(frozen=True, slots=True)
class Lanes:
    """Everything on the drawing; `left_out` older hops aren't on it."""

    width: int
    height: int
    lanes: tuple[Lane, ...]
    ticks: tuple[Tick, ...]
    ways: tuple[Way, ...]
    marks: tuple[Mark, ...]
    left_out: int


def lanes(hops: Sequence[Mapping[str, Any]], now: datetime, zone: tzinfo) -> Lanes:
    """The drawing of a journey's hops, in time order as the hub tells of them. What waits, waits until `now`.

    The axis has the time of day in `zone`, and the date where a day begins.
    """
    shown = hops[-DRAWN:]
    times = {id(hop): datetime.fromisoformat(hop["at"]) for hop in shown}
    ends = [now] if any(hop["waits"] for hop in shown) else []
    place = axis(sorted({*times.values(), *ends}))
    rows = {name: Lane(name, TOP + LANE * (i + 0.5)) for i, name in enumerate(_systems(shown))}
    marks = _marks(shown, times, place, rows)
    width = max(place.values(), default=LEFT) + RIGHT
    return Lanes(
        int(width), TOP + LANE * len(rows) + 8, tuple(rows.values()), tuple(_ticks(place, zone)),
        tuple(_ways(marks, place.get(now, width))), tuple(marks), len(hops) - len(shown),
    )  # fmt: skip


def axis(times: Sequence[datetime]) -> dict[datetime, float]:
    """Where each time is; they come in order."""
    found: dict[datetime, float] = {}
    x = float(LEFT)
    for i, time in enumerate(times):
        if i:
            x += LEAST + MORE * log10(1 + (time - times[i - 1]).total_seconds())
        found[time] = round(x, 1)
    return found


def look_of(hop: Mapping[str, Any]) -> str:
    """How a hop looks: what a person should see first is `bad`."""
    if hop["target"] is None:
        return "said"
    if hop["state"] in {"parked", "in doubt", "held", "rejected", "awaiting alias"}:
        return "bad"
    return "waits" if hop["waits"] else "good" if hop["state"] in GOOD else "bad"


def _systems(hops: Sequence[Mapping[str, Any]]) -> list[str]:
    """Every system of the journey, as they come into it."""
    return list(dict.fromkeys(name for hop in hops for name in (hop["source"], hop["target"]) if name))


def _marks(
    hops: Sequence[Mapping[str, Any]], times: Mapping[int, datetime], place: Mapping[datetime, float],
    rows: Mapping[str, Lane],
) -> list[Mark]:  # fmt: skip
    free: dict[str, float] = {}
    taken: set[tuple[float, float]] = set()
    marks = []
    for hop in hops:
        name = hop["target"] or hop["source"]
        x, y = place[times[id(hop)]], rows[name].y
        while (x, y) in taken:
            y += 9
        taken.add((x, y))
        label = hop["object"].replace("_", " ") if x >= free.get(name, 0) else ""
        if label:
            free[name] = x + LETTER * len(label) + 10
        marks.append(Mark(x, y, look_of(hop), label, hop))
    return marks


def _ways(marks: Sequence[Mark], now_x: float) -> list[Way]:
    said = {mark.hop["message_id"]: mark for mark in marks if mark.hop["target"] is None}
    ways = []
    for mark in marks:
        begin = said.get(mark.hop["message_id"])
        if mark.hop["target"] is None or begin is None:
            continue
        ways.append(Way(begin.x, begin.y, mark.x, mark.y, mark.look, bar=False))
        if mark.hop["waits"]:
            ways.append(Way(mark.x, mark.y, now_x, mark.y, mark.look, bar=True))
        elif mark.hop["delay_s"] > LONG_S:
            ways.append(Way(begin.x, mark.y, mark.x, mark.y, mark.look, bar=True))
    return ways


def _ticks(place: Mapping[datetime, float], zone: tzinfo) -> list[Tick]:
    found: list[Tick] = []
    for time, x in place.items():
        if not found or x - found[-1].x >= (DATED if found[-1].new_day else TICK):
            local = time.astimezone(zone)
            found.append(Tick(x, local, not found or found[-1].at.date() != local.date()))
    return found
