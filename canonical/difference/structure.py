"""JSON documents by their values."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from canonical.difference.aligned import by_content, by_identity
from canonical.difference.found import What, placed

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from canonical.difference.aligned import Pair
    from canonical.difference.found import Found

DEEPEST = 100
_IDENTITIES = ("id", "ID", "key", "code", "name")
"""What an item of a list may be known by, in this order."""


class NotJsonError(ValueError):
    """One of the two isn't JSON, or nests deeper than DEEPEST."""


class _Number(str):
    """A number as it is written: 1.0 and 1 differ, and none is too long."""

    __slots__ = ()


class _Place(NamedTuple):
    """Two values at one place."""

    path: str
    isa95: str
    before: Any
    after: Any
    depth: int


def compare_json(before: bytes, after: bytes, found: Found) -> None:
    """Add what differs. Raises NotJsonError."""
    places = [_Place("", "", _read(before), _read(after), 0)]
    while places:
        place = places.pop()
        if place.depth > DEEPEST:
            raise NotJsonError(f"it nests deeper than {DEEPEST} levels")
        match place.before, place.after:
            case dict(), dict():
                places += reversed(_names(place, found))
            case list(), list():
                places += reversed(_items(place, found))
            case was, now if type(was) is not type(now) or was != now:
                found.add(place.path, place.isa95, What.CHANGED, _said(was), _said(now))


def _read(content: bytes) -> Any:
    try:
        return json.loads(content, parse_int=_Number, parse_float=_Number, parse_constant=_Number)
    except (ValueError, RecursionError) as error:
        raise NotJsonError(str(error)) from None


def _names(place: _Place, found: Found) -> list[_Place]:
    """The values under names that both have; the others are told."""
    inner = []
    for name in dict.fromkeys((*place.before, *place.after)):
        path = placed(f"{place.path}.{name}" if place.path else name)
        isa95 = placed(f"{place.isa95}/{_word(name)}" if place.isa95 else _word(name))
        if name not in place.after:
            found.add(path, isa95, What.REMOVED, _said(place.before[name]), None)
        elif name not in place.before:
            found.add(path, isa95, What.ADDED, None, _said(place.after[name]))
        else:
            inner.append(_Place(path, isa95, place.before[name], place.after[name], place.depth + 1))
    return inner


def _items(place: _Place, found: Found) -> list[_Place]:
    """The items that both have and that differ; the others are told."""
    was, now = place.before, place.after
    identity = _identity(was, now)
    names = ([item[identity] for item in was], [item[identity] for item in now]) if identity else ([], [])
    pairs = by_identity(*names)
    if pairs is not None:
        _tell_order(place, pairs, names[0], found)
        return _of_pairs(place, pairs, names, found)
    changed = list(by_content([_said(item) for item in was], [_said(item) for item in now], found))
    return _of_pairs(place, changed, (range(1, len(was) + 1), range(1, len(now) + 1)), found)


def _identity(*sides: Sequence[Any]) -> str | None:
    """The name by which every item of both lists is known."""
    items = [item for side in sides for item in side]
    if not all(isinstance(item, dict) for item in items):
        return None
    return next((name for name in _IDENTITIES if all(isinstance(item.get(name), str) for item in items)), None)


def _tell_order(place: _Place, pairs: Sequence[Pair], names: Sequence[Hashable], found: Found) -> None:
    both = [pair for pair in pairs if pair.before is not None and pair.after is not None]
    moved = sorted(both, key=lambda pair: pair.after or 0)
    if moved != both:
        was, now = (", ".join(str(names[pair.before or 0]) for pair in side) for side in (both, moved))
        found.add(place.path, place.isa95, What.ORDER, was, now)


def _of_pairs(place: _Place, pairs: Sequence[Pair], names: Sequence[Sequence[Any]], found: Found) -> list[_Place]:
    inner = []
    for pair in pairs:
        side, at = (1, pair.after) if pair.after is not None else (0, pair.before or 0)
        path, isa95 = (placed(f"{above}[{names[side][at]}]") for above in (place.path, place.isa95))
        if pair.before is None:
            found.add(path, isa95, What.ADDED, None, _said(place.after[at]))
        elif pair.after is None:
            found.add(path, isa95, What.REMOVED, _said(place.before[at]), None)
        else:
            inner.append(_Place(path, isa95, place.before[pair.before], place.after[pair.after], place.depth + 1))
    return inner


def _said(value: Any) -> str:
    """A value as JSON says it."""
    if isinstance(value, _Number):
        return str(value)
    try:
        return json.dumps(value, ensure_ascii=False)
    except RecursionError:
        raise NotJsonError("it nests too deep") from None


def _word(name: str) -> str:
    """A canonical name as ISA-95 writes it: `segment_requirement` is SegmentRequirement."""
    if not name.isascii() or not name.replace("_", "").isalnum() or not name.islower():
        return name
    return "".join("ID" if step == "id" else step.capitalize() for step in name.split("_"))
