"""What a body names of other data objects: found, and put in other words, by the marks on its fields."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeVar, get_args, get_origin

from canonical.element import Element, References

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

E = TypeVar("E", bound=Element)


class Reference(NamedTuple):
    """One reference: `path` is dotted with positions, such as `segment_requirement.0.equipment_requirement.1.id`."""

    object: str
    id: str
    path: str


class _Field(NamedTuple):
    name: str
    object: str | None
    """The data object it names; None when it holds elements."""


def references(body: Element) -> Iterator[Reference]:
    """Every reference in `body` in the order of its fields. The body's own id is none."""
    return _walk(body, "")


def translated(body: E, swap: Callable[[str, str, str], str], *, own: str | None = None) -> E:
    """The body with every reference replaced by `swap(object, id, path)`.

    `own` is the data object whose own id is swapped too, in `body` and in elements of the same type inside it.
    What `swap` raises is passed on. Returns `body` itself when nothing changed.
    """
    return _swapped(body, swap, type(body) if own else None, own or "", "")


def named_by(model: type[Element], name: str) -> str | None:
    """The data object that a body's own field names; None if it names none."""
    return next((field.object for field in _fields(model) if field.name == name), None)


def _walk(body: Element, path: str) -> Iterator[Reference]:
    for field in _fields(type(body)):
        for value, place in _items(getattr(body, field.name), f"{path}{field.name}"):
            if field.object is not None:
                yield Reference(field.object, value, place)
            else:
                yield from _walk(value, f"{place}.")


def _swapped(body: E, swap: Callable[[str, str, str], str], own_type: type[Element] | None, own: str, path: str) -> E:
    changes: dict[str, Any] = {}
    if type(body) is own_type and isinstance(identity := getattr(body, "id", None), str):
        changes["id"] = swap(own, identity, f"{path}id")
    for field in _fields(type(body)):
        value, place = getattr(body, field.name), f"{path}{field.name}"
        fresh = [
            swap(field.object, item, at) if field.object is not None else _swapped(item, swap, own_type, own, f"{at}.")
            for item, at in _items(value, place)
        ]
        if fresh:
            changes[field.name] = tuple(fresh) if isinstance(value, tuple) else fresh[0]
    changes = {name: value for name, value in changes.items() if value != getattr(body, name)}
    return body.model_copy(update=changes) if changes else body


def _items(value: Any, path: str) -> list[tuple[Any, str]]:
    if isinstance(value, tuple):
        return [(item, f"{path}.{number}") for number, item in enumerate(value)]
    return [] if value is None else [(value, path)]


@cache
def _fields(model: type[Element]) -> tuple[_Field, ...]:
    """The fields of a type that are references or hold elements."""
    found = []
    for name, field in model.model_fields.items():
        mark = next((m for m in field.metadata if isinstance(m, References)), None) or _mark(field.annotation)
        if mark is not None:
            found.append(_Field(name, mark.object))
        elif name != "foreign" and _holds_elements(field.annotation):
            found.append(_Field(name, None))
    return tuple(found)


def _mark(annotation: Any) -> References | None:
    if get_origin(annotation) is Annotated:
        for extra in annotation.__metadata__:
            if isinstance(extra, References):
                return extra
    return next((mark for inner in get_args(annotation) if (mark := _mark(inner))), None)


def _holds_elements(annotation: Any) -> bool:
    if isinstance(annotation, type) and issubclass(annotation, Element):
        return True
    return any(_holds_elements(inner) for inner in get_args(annotation))
