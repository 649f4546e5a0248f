"""Between native items and canonical messages: pure, no I/O."""

from __future__ import annotations

import json
import re
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from json.encoder import encode_basestring_ascii
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from canonical.message import Action, Message
from canonical.objects import KeyMissingError, data_object
from connectors.connector import MappingError
from connectors.jsonata import Expression, ExpressionError, environment
from connectors.jsonata import compile as compile_jsonata

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from connectors.connector import Surroundings
    from connectors.protocols.rest.settings import Says

_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")


@cache
def compiled(text: str) -> Expression:
    """The expression, compiled once. The settings have checked that it compiles."""
    return compile_jsonata(text)


def evaluate(text: str, data: Any) -> Any:
    """What an expression gives. Raises MappingError."""
    try:
        return compiled(text).evaluate(data)
    except ExpressionError as error:
        raise MappingError(str(error)) from None


def fill(template: str, data: Any, encode: Callable[[str], str] = str) -> str:
    """The template with its expressions' values. Raises MappingError when one has none."""

    def value(found: re.Match[str]) -> str:
        result = evaluate(found[1], data)
        if result is None or isinstance(result, dict | list):
            raise MappingError(f"{{{found[1]}}} in '{template}' has no value for this")
        return encode(json.dumps(result) if isinstance(result, bool) else str(result))

    return _PLACEHOLDER.sub(value, template)


def fill_url(template: str, data: Any) -> str:
    """The path with its values percent-encoded, `/` included: a value never climbs out of its segment."""
    return fill(template, data, _segment)


def _segment(text: str) -> str:
    if text in {"", ".", ".."}:
        raise MappingError(f"'{text}' can't be part of a path")
    return quote(text, safe="")


def fill_query(query: Mapping[str, str], data: Any) -> dict[str, str]:
    """The query parameters with their values; one whose value is empty is left out."""
    filled = {name: fill(template, data) for name, template in query.items()}
    return {name: value for name, value in filled.items() if value}


def at(document: Any, path: str) -> Any:
    """What is at a dotted path of names, None when nothing is."""
    for name in path.split(".") if path else ():
        document = document.get(name) if isinstance(document, dict) else None
    return document


def items_of(document: Any, path: str) -> list[Any]:
    """The items of a page: the list at `path`, or the one object there. Raises MappingError for anything else."""
    found = at(document, path)
    if isinstance(found, list):
        return found
    if isinstance(found, dict):
        return [found]
    raise MappingError(f"the answer has no items at '{path or '(its root)'}'")


def changed(document: Any, paths: Sequence[str], change: Callable[[Any], Any]) -> Any:
    """A copy of `document` with the values at dotted paths changed; `*` is every element of a list."""
    for path in paths:
        document = _changed(document, path.split("."), change)
    return document


def _changed(document: Any, steps: list[str], change: Callable[[Any], Any]) -> Any:
    if not steps:
        return document if document is None else change(document)
    first, rest = steps[0], steps[1:]
    if first == "*" and isinstance(document, list):
        return [_changed(element, rest, change) for element in document]
    if isinstance(document, dict) and first in document:
        return document | {first: _changed(document[first], rest, change)}
    return document


def with_offset(zone: ZoneInfo) -> Callable[[Any], Any]:
    """Give a local time its offset in `zone`: the first of two in the hour that autumn repeats."""

    def change(text: Any) -> Any:
        try:
            moment = datetime.fromisoformat(text)
        except (TypeError, ValueError):
            raise MappingError(f"'{text}' is no local time such as 2026-03-02 09:14:05") from None
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).isoformat()

    return change


def exact_json(document: Any) -> bytes:
    """JSON with decimals as numbers, every digit kept."""
    return _written(document).encode()


def _written(value: Any) -> str:
    if isinstance(value, str):
        return encode_basestring_ascii(value)
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, dict):
        members = [encode_basestring_ascii(name) + ":" + _written(inner) for name, inner in value.items()]
        return "{" + ",".join(members) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_written, value)) + "]"
    return json.dumps(value, allow_nan=False)


def as_number(value: Any) -> Any:
    """The number that a decimal's text says. Raises MappingError."""
    try:
        number = Decimal(value) if isinstance(value, str | int) and not isinstance(value, bool) else None
    except ArithmeticError:
        number = None
    if number is None or not number.is_finite():
        raise MappingError(f"{value!r} is to be written as a number, and is no decimal text")
    return number


def message_of(says: Says, item: Any, surroundings: Surroundings, recorded: datetime, **given: Any) -> Message:
    """The message an item says. Raises MappingError naming what is wrong with it."""
    content = evaluate(says.body, item)
    if not isinstance(content, dict):
        raise MappingError(f"{says.object}: `body` gives no object for this item")
    try:
        body = data_object(says.object).body.model_validate_json(json.dumps(content))
        return Message.of(
            says.object, body, source=surroundings.system, site=surroundings.site, verb=says.verb, recorded=recorded,
            occurred=_time(says, item), action=_action(says, item), revision=_revision(says, item),
            posting=_posting(says, item), **_attributes(says, item), **given,
        )  # fmt: skip
    except ValidationError as error:
        raise MappingError(f"{says.object}: {'; '.join(_finding(found) for found in error.errors()[:5])}") from None
    except KeyMissingError as error:
        raise MappingError(f"{says.object}: {error}") from None


def _finding(found: Mapping[str, Any]) -> str:
    place = ".".join(str(step) for step in found["loc"]) or "body"
    return f"{place}: {str(found['msg']).removeprefix('Value error, ')}"


def _time(says: Says, item: Any) -> datetime:
    text = evaluate(says.occurred, item)
    moment = _moment(text)
    if moment is None:
        raise MappingError(f"{says.object}: `occurred` is {text!r}, no time with its offset")
    return moment


def _moment(text: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else None


def _action(says: Says, item: Any) -> Action | None:
    word = None if says.action is None else evaluate(says.action, item)
    try:
        return None if word is None else Action(word)
    except ValueError:
        raise MappingError(f"{says.object}: `action` is {word!r}, none of {', '.join(Action)}") from None


def _revision(says: Says, item: Any) -> int | None:
    if says.revision is None:
        return None
    value = evaluate(says.revision, item)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    moment = _moment(value)
    if moment is not None:
        return int(moment.timestamp() * 1000) * 1000 + moment.microsecond % 1000
    raise MappingError(f"{says.object}: `revision` is {value!r}, neither an integer nor a time with its offset")


def _posting(says: Says, item: Any) -> date | None:
    text = None if says.posting is None else evaluate(says.posting, item)
    try:
        return None if text is None else date.fromisoformat(text)
    except (TypeError, ValueError):
        raise MappingError(f"{says.object}: `posting` is {text!r}, no date such as 2026-03-02") from None


def _attributes(says: Says, item: Any) -> dict[str, Any]:
    expressions = {"by": says.by, "revises": says.revises, "reverses": says.reverses}
    found = {name: evaluate(text, item) for name, text in expressions.items() if text is not None}
    return {name: str(value) for name, value in found.items() if value is not None}


def seen_by_expressions(message: Message) -> dict[str, Any]:
    """What the expressions of writes see: what those of routes do, with the message's id and revision."""
    return environment(message) | {
        "id": message.id,
        "revision": message.revision,
        "correlation": message.correlation,
        "reverses": message.reverses,
        "document": message.document,
    }
