"""The columns of an export, each with its type: of handovers, or of a data object's body, flattened."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any, get_args, get_origin

from pydantic import AwareDatetime

from canonical.element import Element
from mombus.config.finding import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from canonical.objects import DataObject

DEEPEST = 4
"""Elements inside each other that have columns of their own; deeper ones are JSON."""


class Kind(StrEnum):
    """What is in a column."""

    TEXT = "text"
    INTEGER = "integer"
    DECIMAL = "decimal"
    NUMBER = "number"
    TIME = "time"
    DATE = "date"
    BOOLEAN = "boolean"
    JSON = "json"
    """What has no columns of its own: lists."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, its type, and where its value is in a row."""

    name: str
    kind: Kind
    path: tuple[str, ...]

    def value(self, row: Mapping[str, Any]) -> Any:
        """The value in a row, None where there is none."""
        found: Any = row
        for step in self.path:
            found = found.get(step) if isinstance(found, dict) else None
        return found


class NoListError(ValueError):
    """There is no such list in the body; the text says which there are."""


def _plain(names: Mapping[str, Kind], *path: str) -> list[Column]:
    return [Column("_".join((*path, name)), kind, (*path, name)) for name, kind in names.items()]


MESSAGE = _plain({
    "seq": Kind.INTEGER, "id": Kind.TEXT, "object": Kind.TEXT, "verb": Kind.TEXT, "action": Kind.TEXT,
    "key": Kind.TEXT, "revision": Kind.INTEGER, "source": Kind.TEXT, "to": Kind.TEXT, "occurred": Kind.TIME,
    "stored": Kind.TIME, "correlation": Kind.TEXT, "reason": Kind.TEXT,
})  # fmt: skip
IDS = [Column(name, Kind.TEXT, (name,)) for name in ("order", "lot", "equipment", "material", "document")]
HANDOVER = _plain({
    "target": Kind.TEXT, "state": Kind.TEXT, "at": Kind.TIME, "delay_s": Kind.NUMBER, "attempts": Kind.INTEGER,
    "late": Kind.BOOLEAN, "level": Kind.TEXT, "document": Kind.TEXT, "reason": Kind.TEXT,
}, "hop")  # fmt: skip
"""One row for each handover; a message that went nowhere has one row without these."""


def handover_rows(row: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """A message's rows, one for each target."""
    ids = {column.name: "; ".join(row[column.name]) for column in IDS}
    for hop in row["hops"] or (None,):
        yield {**row, **ids, "hop": hop}


def body_columns(object: DataObject, each: str | None = None) -> list[Column]:
    """Of a data object's body, as `body.…`; with `each`, one of its lists, for a row of each element.

    Raises NoListError.
    """
    columns = list(_of(object.body, ("body",), DEEPEST))
    if each is None:
        return columns
    lists = {name: inner for name, field in object.body.model_fields.items()
             if (inner := _element_of(field.annotation)) is not None and _is_list(field.annotation)}  # fmt: skip
    if each not in lists:
        hint = did_you_mean(each, lists) or f"there is {', '.join(sorted(lists)) or 'none'}"
        raise NoListError(f"{object.name} has no list '{each}'; {hint}")
    kept = [column for column in columns if column.path[1] != each]
    return [*kept, *_of(lists[each], ("body", each), DEEPEST)]


def body_rows(row: Mapping[str, Any], each: str | None = None) -> Iterator[dict[str, Any]]:
    """A message's row, or one for each element of a list of its body; none for an empty one."""
    body = row["body"]
    if each is None or not isinstance(body, dict):
        yield dict(row)
        return
    for element in body.get(each) or ():
        yield {**row, "body": {**body, each: element}}


_KINDS: Sequence[tuple[type, Kind]] = (
    (bool, Kind.BOOLEAN), (int, Kind.INTEGER), (Decimal, Kind.DECIMAL), (datetime, Kind.TIME), (date, Kind.DATE),
    (float, Kind.NUMBER), (str, Kind.TEXT),
)  # fmt: skip


def _of(model: type[Element], path: tuple[str, ...], deep: int) -> Iterator[Column]:
    for name, field in model.model_fields.items():
        if name == "foreign":
            continue
        where = (*path, name)
        element = _element_of(field.annotation)
        if element is not None and not _is_list(field.annotation) and deep:
            yield from _of(element, where, deep - 1)
        else:
            yield Column(".".join(where), _kind(field.annotation, element), where)


def _kind(annotation: Any, element: type[Element] | None) -> Kind:
    if element is not None or _is_list(annotation):
        return Kind.JSON
    types = tuple(_leaves(annotation))
    return next((kind for type_, kind in _KINDS if any(issubclass(one, type_) for one in types)), Kind.TEXT)


def _leaves(annotation: Any) -> Iterator[type]:
    """The types in an annotation, without what only marks them."""
    if isinstance(annotation, type):
        if annotation is not type(None):
            yield datetime if annotation is AwareDatetime else annotation
        return
    inner = get_args(annotation)
    for one in inner[:1] if hasattr(annotation, "__metadata__") else inner:
        yield from _leaves(one)


def _element_of(annotation: Any) -> type[Element] | None:
    return next((one for one in _leaves(annotation) if issubclass(one, Element)), None)


def _is_list(annotation: Any) -> bool:
    return get_origin(annotation) in {tuple, list} or any(_is_list(inner) for inner in get_args(annotation))
