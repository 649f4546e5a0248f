"""Values as B2MML writes them: each canonical type's text, its meaning, and whether a text is the one we'd write."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import cache
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

from pydantic import AwareDatetime

from canonical.isa95.operations import duration_text
from canonical.quantity import rec20, rec20_codes

if TYPE_CHECKING:
    from collections.abc import Callable

    from canonical.element import Element

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{0,5}[1-9]\d{0,5})?(?:Z|[+-](?!00:00)\d\d:\d\d)")
_SIX_OR_NONE = re.compile(r"[^.]*(?:\.\d{6}(?!\d).*)?")
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
DATA_TYPES = frozenset(
    [
        "Amount",
        "BinaryObject",
        "Code",
        "DateTime",
        "Identifier",
        "Indicator",
        "Measure",
        "Numeric",
        "Quantity",
        "Text",
        "string",
        "byte",
        "unsignedByte",
        "binary",
        "integer",
        "positiveInteger",
        "negativeInteger",
        "nonNegativeInteger",
        "nonPositiveInteger",
        "int",
        "unsignedInt",
        "long",
        "unsignedLong",
        "short",
        "unsignedShort",
        "decimal",
        "float",
        "double",
        "boolean",
        "time",
        "timeInstant",
        "timePeriod",
        "duration",
        "date",
        "dateTime",
        "month",
        "year",
        "century",
        "recurringDay",
        "recurringDate",
        "recurringDuration",
        "Name",
        "QName",
        "NCName",
        "uriReference",
        "language",
        "ID",
        "IDREF",
        "IDREFS",
        "ENTITY",
        "ENTITIES",
        "NOTATION",
        "NMTOKEN",
        "NMTOKENS",
        "Enumeration",
        "SVG",
        "Other",
    ]
)
"""DataType1Type of the B2MML XSDs."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """How one canonical type stands in an element.

    `text` writes a value, `value` makes of a text what the model validates, `plain` says whether `text(value)` is
    letter by letter the text read, `meaning` makes two spellings comparable. `blank` says that the empty text is a
    value; elsewhere it means that there is none.
    """

    text: Callable[[Any], str]
    value: Callable[[str], Any]
    plain: Callable[[str], Any]
    meaning: Callable[[str], Any]
    strip: bool = True
    blank: bool = False


def time_text(value: datetime) -> str:
    """xsd:dateTime with its offset, UTC as Z; offsets that XSD has none for (over 14 hours, seconds) become UTC."""
    text = value.isoformat()
    if text[-6] not in "+-" or text[-5:-3] > "13":
        text = value.astimezone(UTC).isoformat()
    return text[:-6] + "Z" if text.endswith("+00:00") else text


def _same(text: str) -> str:
    return text


def _always(_: str) -> bool:
    return True


def _plain_time(text: str) -> bool:
    return _TIME.fullmatch(text) is not None and _SIX_OR_NONE.fullmatch(text) is not None


def _when(text: str) -> Any:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return text


def _amount(text: str) -> Any:
    try:
        return Decimal(text)
    except InvalidOperation:
        return text


def _truth(text: str) -> Any:
    return {"true": True, "1": True, "false": False, "0": False}.get(text, text)


def _day(text: str) -> Any:
    return date.fromisoformat(text) if _DATE.fullmatch(text) else text


def _count(text: str) -> Any:
    return int(text) if re.fullmatch(r"-?\d{1,18}", text) else text


def _length(text: str) -> Any:
    from isodate import ISO8601Error, parse_duration  # noqa: PLC0415 - only documents carry durations as text

    try:
        return parse_duration(text)
    except ISO8601Error:
        return text


def _plain_duration(text: str) -> bool:
    length = _length(text)
    return isinstance(length, timedelta) and duration_text(length) == text


def _unit_meaning(text: str) -> str:
    try:
        return rec20(text)
    except ValueError:
        return text


TEXT = Leaf(str, _same, _always, _same, strip=False, blank=True)
WORD = Leaf(str, _same, _always, _same)
TIME = Leaf(time_text, _same, _plain_time, _when)
NUMBER = Leaf(lambda value: f"{value:f}", _same, _NUMBER.fullmatch, _amount)
TRUTH = Leaf(lambda value: "true" if value else "false", _truth, lambda text: text in ("true", "false"), _truth)
DAY = Leaf(date.isoformat, _day, _always, _day)
COUNT = Leaf(str, _count, lambda text: str(_count(text)) == text, _count)
DURATION = Leaf(duration_text, _same, _plain_duration, _length)
UNIT = Leaf(str, _same, lambda text: text in rec20_codes(), _unit_meaning)

_BY_TYPE: dict[Any, Leaf] = {
    bool: TRUTH, int: COUNT, Decimal: NUMBER, datetime: TIME, AwareDatetime: TIME, date: DAY, timedelta: DURATION,
}  # fmt: skip


@cache
def shape(model: type[Element], field: str) -> tuple[Leaf | None, type[Element] | None, bool]:
    """What a model's field holds: its leaf or its model, and whether it holds many. Raises KeyError."""
    info = model.model_fields[field]
    annotation, annotated = _without_none(info.annotation), bool(info.metadata)
    many = get_origin(annotation) is tuple
    if many:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) is Annotated:
        annotation, annotated = get_args(annotation)[0], True
    if isinstance(annotation, type) and hasattr(annotation, "model_fields"):
        return None, annotation, many
    if field == "unit_of_measure" and annotated:
        return UNIT, None, many
    if annotation is str and not annotated:
        return TEXT, None, many
    return _BY_TYPE.get(annotation, WORD) if isinstance(annotation, type) else WORD, None, many


def _without_none(annotation: Any) -> Any:
    if get_origin(annotation) in (Union, UnionType):
        rest = [part for part in get_args(annotation) if part is not type(None)]
        return rest[0]
    return annotation
