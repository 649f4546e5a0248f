"""What every ISA-95 element has in common: strict, frozen, zone-aware, with what a document said besides."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    Strict,
    StringConstraints,
)
from pydantic.fields import FieldInfo
from pydantic_core.core_schema import CoreSchema, no_info_before_validator_function

MAX_IDENTIFIER = 200
EARLIEST = datetime(1900, 1, 2, tzinfo=UTC)
LATEST = datetime(9000, 1, 1, tzinfo=UTC)


_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def _one_line(value: str) -> str:
    """Refuse what would break a header or hide in a log; ids are xsd:normalizedString at least."""
    if _CONTROL.search(value):
        raise ValueError("an id holds no control characters")
    if value != value.strip():
        raise ValueError(f"'{value}' has blanks at its ends")
    return value


def _in_range(value: datetime) -> datetime:
    """1601, 9999 and the like are how OPC UA and ERPs write 'no time'."""
    if not EARLIEST <= value < LATEST:
        raise ValueError(f"{value.isoformat()} is a placeholder, not a time: leave it out")
    return value


def _time_text(value: Any) -> Any:
    """A number is never a time: seconds, milliseconds and days look alike."""
    if not isinstance(value, datetime) and not (isinstance(value, str) and "T" in value):
        raise ValueError("a time is ISO 8601 text with its offset, such as 2026-03-02T06:00:00+01:00")
    return value


Identifier = Annotated[str, StringConstraints(min_length=1, max_length=MAX_IDENTIFIER), AfterValidator(_one_line)]
"""An ISA-95 id: one line, no control characters, 1 to 200 characters."""

Timestamp = Annotated[AwareDatetime, Strict(False), BeforeValidator(_time_text), AfterValidator(_in_range)]
"""A point in time with its offset."""

BusinessDate = date
"""A day in the site's or company's calendar, without a zone."""


class References:
    """Marks a field as naming a thing of another data object; aliases and reference checks follow it."""

    __slots__ = ("object",)

    def __init__(self, object: str) -> None:
        self.object = object

    def __repr__(self) -> str:
        return f"References({self.object!r})"


MaterialId = Annotated[Identifier, References("material")]
MaterialClassId = Annotated[Identifier, References("material_class")]
LotId = Annotated[Identifier, References("material_lot")]
SubLotId = Annotated[Identifier, References("handling_unit")]
EquipmentId = Annotated[Identifier, References("equipment")]
AssetId = Annotated[Identifier, References("physical_asset")]
LocationId = Annotated[Identifier, References("location")]
PersonId = Annotated[Identifier, References("person")]
OrderId = Annotated[Identifier, References("production_order")]
JobOrderId = Annotated[Identifier, References("job_order")]
ReasonId = Annotated[Identifier, References("reason_code")]
SpecificationId = Annotated[Identifier, References("test_specification")]
WorkMasterId = Annotated[Identifier, References("work_master")]


_MEANT = "meant"


def _tell_default(schema: dict[str, Any]) -> None:
    schema["default"] = schema.pop(_MEANT)


UNSAID: Any = Field(default=None, validate_default=True, json_schema_extra=_tell_default)
"""The default of a field marked `Unless`."""


class Unless:
    """Marks a field that means `value` unless a message says otherwise.

    Unlike a plain default it is always written out, so that expressions and readers in other languages see it.
    """

    __slots__ = ("value",)

    def __init__(self, value: str | int) -> None:
        self.value = value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return no_info_before_validator_function(self._said, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), _MEANT: self.value}

    def _said(self, given: Any) -> Any:
        return self.value if given is None else given


def default_of(field: FieldInfo) -> Any:
    """What a field means when a message says nothing; None for nothing, and for required fields."""
    meant = next((mark.value for mark in field.metadata if isinstance(mark, Unless)), None)
    return field.get_default() if meant is None and not field.is_required() else meant


class Foreign(BaseModel):
    """One piece of a document that the canonical model has no field for, kept to be written back.

    `place` says where it stood (an attribute `@name`, or the element name and index it followed);
    `xml` is the piece itself with its namespaces.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    place: str
    xml: str


class Element(BaseModel):
    """An ISA-95 element: frozen, no unknown fields, no silent conversions."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, ser_json_timedelta="iso8601"
    )

    foreign: tuple[Foreign, ...] = ()
