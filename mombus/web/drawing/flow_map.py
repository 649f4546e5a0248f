"""The flow map: who says what to whom, drawn in three layers: systems that say, what they say, systems that get it.

Every flow has a place of its own at the system that gets it, so that no text covers another however many there are.
Systems and objects are ordered so that lines cross as little as can be found quickly (barycentres, swept to and fro).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from math import log10
from typing import Any, TypeAlias

Said: TypeAlias = tuple[str, str]
"""A source and an object it says."""
Flow: TypeAlias = tuple[str, str, str | None]
"""A source, an object, and the target; None where it only goes to the bus."""

WIDTH, MARGIN = 1000, 8
SENDER, OBJECT, TARGET = (MARGIN, 168), (290, 230), (682, 310)
"""Left edge and width of each layer."""
ROW, GAP, HEAD = 34, 14, 44
"""Height of what is said, space between systems, and the height of a system's own text."""
PORT = 26
"""Height of one flow at the system that gets it."""
SWEEPS = 6
THICKEST = 5.0


@dataclass(frozen=True, slots=True)
class Box:
    """A system in one of the outer layers, with the place of its text."""

    name: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Object:
    """What a system says."""

    source: str
    name: str
    x: float
    y: float
    width: float
    height: float
    per_minute: int


@dataclass(frozen=True, slots=True)
class Port:
    """A flow where it arrives. `row` is the flow as the hub tells of it; `look` is `bad`, `idle` or `good`."""

    row: Mapping[str, Any]
    x: float
    y: float
    width: float
    look: str


@dataclass(frozen=True, slots=True)
class Line:
    """A curve of SVG path data; how thick it is tells how much flows."""

    path: str
    thickness: float
    look: str


@dataclass(frozen=True, slots=True)
class FlowMap:
    """Everything on the drawing."""

    width: int
    height: int
    senders: tuple[Box, ...]
    objects: tuple[Object, ...]
    targets: tuple[Box, ...]
    ports: tuple[Port, ...]
    lines: tuple[Line, ...]


def flow_map(rows: Sequence[Mapping[str, Any]], wide: float = 1.0) -> FlowMap:
    """The map of the flows that a status tells of: each with source, object, target, per_minute, waiting, state.

    It is `wide` times as wide as usual: room for larger letters.
    """
    flows = {(row["source"], row["object"], row["target"]): row for row in rows}
    said, targets = arranged(tuple(flows))
    spoken = _spoken(said, flows, wide)
    senders = tuple(_sender(name, [one for one in spoken if one.source == name], wide) for name in _sources(said))
    boxes, ports = _arrivals(said, targets, flows, wide)
    height = max([one.y + one.height for one in (*senders, *boxes)], default=0) + MARGIN
    return FlowMap(int(WIDTH * wide), int(height), senders, spoken, boxes, ports, tuple(_lines(spoken, senders, ports)))


@lru_cache(maxsize=16)
def arranged(flows: tuple[Flow, ...]) -> tuple[tuple[Said, ...], tuple[str, ...]]:
    """What is said, what one source says together, and the targets: both from top to bottom."""
    said = _grouped(list(dict.fromkeys((source, name) for source, name, _ in flows)))
    targets = list(dict.fromkeys(target for _, _, target in flows if target))
    best = (said, targets)
    fewest = crossings(flows, *best)
    for _ in range(SWEEPS):
        targets = _by_middle(targets, [(target, (source, name)) for source, name, target in flows if target], said)
        links = [((source, name), target) for source, name, target in flows if target]
        said = _sources_by_middle(_by_middle(said, links, targets), links, targets)
        found = crossings(flows, said, targets)
        if found < fewest:
            best, fewest = (said, targets), found
    return tuple(best[0]), tuple(best[1])


def crossings(flows: Sequence[Flow], said: Sequence[Said], targets: Sequence[str]) -> int:
    """How many pairs of lines cross between what is said and the targets."""
    above, there = {one: i for i, one in enumerate(said)}, {one: i for i, one in enumerate(targets)}
    ends = [(above[source, name], there[target]) for source, name, target in flows if target]
    return sum((a[0] - b[0]) * (a[1] - b[1]) < 0 for a, b in combinations(ends, 2))


def _by_middle(ones: list[Any], links: Sequence[tuple[Any, Any]], others: Sequence[Any]) -> list[Any]:
    """Ordered by the middle of what each is linked with; what is linked with nothing comes last."""
    place = {other: i for i, other in enumerate(others)}
    total: Counter[Any] = Counter()
    count: Counter[Any] = Counter()
    for one, other in links:
        total[one] += place[other]
        count[one] += 1
    return sorted(ones, key=lambda one: total[one] / count[one] if count[one] else len(others))


def _sources_by_middle(said: list[Said], links: Sequence[tuple[Said, str]], targets: Sequence[str]) -> list[Said]:
    """The same with what one source says together."""
    order = _by_middle(list(_sources(said)), [(one[0], target) for one, target in links], targets)
    return sorted(said, key=lambda one: order.index(one[0]))


def _grouped(said: list[Said]) -> list[Said]:
    sources = list(_sources(said))
    return sorted(said, key=lambda one: sources.index(one[0]))


def _sources(said: Sequence[Said]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(source for source, _ in said))


def _spoken(said: Sequence[Said], flows: Mapping[Flow, Mapping[str, Any]], wide: float) -> tuple[Object, ...]:
    """What is said, from top to bottom with a gap between sources. A system's own text needs some height, too."""
    found: list[Object] = []
    y, (x, width) = float(MARGIN), _span(OBJECT, wide)
    for source in _sources(said):
        own = [name for one, name in said if one == source]
        top = y
        for name in own:
            rates = [row["per_minute"] for (one, what, _), row in flows.items() if (one, what) == (source, name)]
            found.append(Object(source, name, x, y, width, ROW - 6, max(rates)))
            y += ROW
        y = max(y, top + HEAD) + GAP
    return tuple(found)


def _span(layer: tuple[int, int], wide: float) -> tuple[float, float]:
    return layer[0] * wide, layer[1] * wide


def _sender(name: str, spoken: Sequence[Object], wide: float) -> Box:
    x, width = _span(SENDER, wide)
    top, end = spoken[0].y, spoken[-1].y + spoken[-1].height
    return Box(name, x, top, width, max(HEAD, end - top))


def _arrivals(
    said: Sequence[Said], targets: Sequence[str], flows: Mapping[Flow, Mapping[str, Any]], wide: float
) -> tuple[tuple[Box, ...], tuple[Port, ...]]:
    """The systems that get something, and each flow's place there, in the order of what is said."""
    boxes: list[Box] = []
    ports: list[Port] = []
    y, (x, width) = float(MARGIN), _span(TARGET, wide)
    for target in targets:
        top, y = y, y + HEAD
        for source, name in said:
            if row := flows.get((source, name, target)):
                ports.append(Port(row, x, y + PORT / 2, width, _look(row)))
                y += PORT
        boxes.append(Box(target, x, top, width, y - top + 4))
        y += 4 + GAP
    return tuple(boxes), tuple(ports)


def _look(row: Mapping[str, Any]) -> str:
    if row["waiting"]:
        return "bad"
    return "good" if row["total"] else "idle"


def _lines(spoken: Sequence[Object], senders: Sequence[Box], ports: Sequence[Port]) -> list[Line]:
    place = {(one.source, one.name): one for one in spoken}
    edge = {box.name: box.x + box.width for box in senders}
    lines = []
    for one in spoken:
        middle = one.y + one.height / 2
        lines.append(Line(_curve(edge[one.source], middle, one.x, middle), 1.5, "said"))
    for port in ports:
        one = place[port.row["source"], port.row["object"]]
        path = _curve(one.x + one.width, one.y + one.height / 2, port.x, port.y)
        lines.append(Line(path, thickness(port.row["per_minute"]), port.look))
    return lines


def thickness(per_minute: int) -> float:
    """1.5 for a little, one more for ten times as much."""
    return min(THICKEST, round(1.5 + log10(1 + per_minute), 1))


def _curve(x1: float, y1: float, x2: float, y2: float) -> str:
    middle = (x1 + x2) / 2
    return f"M{x1:g} {y1:g}C{middle:g} {y1:g} {middle:g} {y2:g} {x2:g} {y2:g}"
