"""Comparing what is expected with what came: a part of it, unless all is asked for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from lxml.etree import _Element

ANYTHING = "..."
"""Stands for any value that is there."""
NOTHING = "nothing"
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")


class Difference(NamedTuple):
    """At `place`, the steps to it, something else was expected than came."""

    place: tuple[str | int, ...]
    expected: str
    got: str


def differences(
    expected: Any, got: Any, *, exactly: bool = False, place: tuple[str | int, ...] = ()
) -> Iterator[Difference]:
    """Where `got` isn't as expected: keys that aren't named are left aside unless `exactly`; lists have as many items.

    Numbers are equal however they are written ("12.50" and 12.5), times if they are the same moment.
    """
    if isinstance(expected, dict) and isinstance(got, dict):
        for key, value in expected.items():
            if key in got:
                yield from differences(value, got[key], exactly=exactly, place=(*place, key))
            elif value is not None:
                yield Difference((*place, key), shown(value), NOTHING)
        if exactly:
            yield from (Difference((*place, key), NOTHING, shown(got[key])) for key in got if key not in expected)
    elif isinstance(expected, list) and isinstance(got, list):
        if len(expected) != len(got):
            yield Difference(place, f"{len(expected)} items", f"{len(got)}: {shown(got)}")
        for index, (one, other) in enumerate(zip(expected, got, strict=False)):
            yield from differences(one, other, exactly=exactly, place=(*place, index))
    elif not _same(expected, got):
        yield Difference(place, shown(expected), shown(got))


def _same(expected: Any, got: Any) -> bool:
    if expected == ANYTHING:
        return got is not None
    if expected == got and type(expected) is type(got):
        return True
    if isinstance(expected, bool) or isinstance(got, bool):
        return str(expected).lower() == str(got).lower()
    number = _number(expected)
    if number is not None and number == _number(got):
        return True
    moment = _moment(expected)
    return moment is not None and moment == _moment(got)


def _number(value: Any) -> Decimal | None:
    """None for a text that only looks like one: `0815` is an id and another one than `815`."""
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        return None
    try:
        return Decimal(str(value)) if isinstance(value, str | int | float | Decimal) else None
    except InvalidOperation:
        return None


def _moment(value: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) and "T" in value else None
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo is not None else None


def shown(value: Any) -> str:
    """A value for people, on one line."""
    if value is None:
        return NOTHING
    return json.dumps(value, ensure_ascii=False, default=str)


def document(content: bytes, content_type: str) -> Any:
    """A request's body as keys and values: JSON, XML without prefixes; text if it is neither."""
    if not content:
        return None
    if "xml" in content_type:
        from canonical.b2mml.secure import parse  # noqa: PLC0415 - lxml is heavy

        root = parse(content)
        return {_name(root): _values(root)}
    try:
        return json.loads(content)
    except ValueError:
        return content.decode("utf-8", "replace")


def _values(element: _Element) -> Any:
    """Names to values, attributes with @; one that is there several times is a list; a leaf is its text."""
    found: dict[str, Any] = {f"@{_local(name)}": value for name, value in element.attrib.items()}
    for child in element:
        if not isinstance(child.tag, str):
            continue
        name, value = _name(child), _values(child)
        if name not in found:
            found[name] = value
        elif isinstance(found[name], _Several):
            found[name].append(value)
        else:
            found[name] = _Several([found[name], value])
    text = (element.text or "").strip()
    if not found:
        return text
    return {**found, "#text": text} if text else found


class _Several(list[Any]):
    """Elements of one name, told from a list that an element can't be."""


def _name(element: _Element) -> str:
    return _local(str(element.tag))


def _local(name: str | bytes) -> str:
    return str(name).rpartition("}")[2]


def among(expected: Mapping[str, str], got: Mapping[str, str]) -> Iterator[Difference]:
    """Headers, whose names know no case."""
    there = {name.lower(): value for name, value in got.items()}
    for name, value in expected.items():
        if not _same(value, there.get(name.lower())):
            yield Difference(("headers", name), shown(value), shown(there.get(name.lower())))


def pretty(values: Sequence[Any]) -> str:
    """Values for people who want to see all of them."""
    return "\n".join(json.dumps(value, indent=2, ensure_ascii=False, default=str) for value in values)
