"""Amounts and units: decimals with a UN/ECE Recommendation 20 code, never floats."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from functools import cache
from importlib.resources import files
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer

from canonical.element import Element, Identifier

MAX_DIGITS = 40
"""More significant digits than any scale or counter of a plant has; longer numbers are refused."""

SPELLINGS = {
    "KG": "KGM", "kg": "KGM", "G": "GRM", "g": "GRM", "T": "TNE", "t": "TNE", "L": "LTR", "l": "LTR",
    "M": "MTR", "m": "MTR", "MM": "MMT", "mm": "MMT", "PC": "H87", "PCE": "H87", "PCS": "H87", "ST": "H87",
    "EA": "EA", "Unit": "C62", "Units": "C62", "Nos": "C62", "h": "HUR", "H": "HUR", "min": "MIN", "MIN": "MIN",
    "s": "SEC", "S": "SEC", "%": "P1", "°C": "CEL", "bar": "BAR",
}  # fmt: skip
"""What plants write where Rec 20 has another code. Read by the connectors, never written."""


@cache
def rec20_codes() -> frozenset[str]:
    """Every Rec 20 common code, read once."""
    text = (files("canonical") / "rec20.txt").read_text("utf-8")
    return frozenset(code for line in text.splitlines() if not line.startswith("#") for code in line.split())


def rec20(unit: Any) -> str:
    """Return the Rec 20 code for `unit`, accepting the common spellings of SPELLINGS.

    Raises ValueError naming the unit when it is neither.
    """
    if not isinstance(unit, str):
        raise ValueError(f"a unit is text such as KGM, not {str(unit)[:60]}")
    if unit in rec20_codes():
        return unit
    code = SPELLINGS.get(unit)
    if code is None:
        raise ValueError(f"unit '{unit}' is not a Rec 20 code (KGM kilogram, H87 piece, LTR litre, HUR hour …)")
    return code


def decimal(value: Any) -> Decimal:
    """Read a decimal from text, an integer or a Decimal.

    Raises ValueError for floats (they have already lost digits), NaN, infinity, over MAX_DIGITS digits.
    """
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        raise ValueError(f'{value!r} is not a decimal: write it as text, such as "12.500"')
    if isinstance(value, str) and len(value) > MAX_DIGITS + 10:
        raise ValueError(f"a number of {len(value)} characters: at most {MAX_DIGITS} digits")
    try:
        number = Decimal(value.strip() if isinstance(value, str) else value)
    except InvalidOperation:
        raise ValueError(f"'{value}' is not a decimal number") from None
    if not number.is_finite():
        raise ValueError(f"'{value}' is not a finite number")
    if abs(number.adjusted()) > MAX_DIGITS or _has_many_digits(number):
        raise ValueError(f"'{str(value)[:60]}' has over {MAX_DIGITS} digits")
    return number


def _has_many_digits(number: Decimal) -> bool:
    """Most numbers are short as text, which is quicker to tell than their digits."""
    return len(str(number)) > MAX_DIGITS and len(number.as_tuple().digits) > MAX_DIGITS


def _plain(number: Decimal) -> str:
    return f"{number:f}"


DecimalText = Annotated[
    Decimal,
    BeforeValidator(decimal),
    PlainSerializer(_plain, return_type=str),
    Field(json_schema_extra={"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"}),
]
"""A decimal that is text in JSON, so that no reader makes a float of it."""

UnitOfMeasure = Annotated[str, BeforeValidator(rec20), Field(description="UN/ECE Rec 20 common code")]


class Quantity(Element):
    """An amount with its unit (B2MML QuantityValueType)."""

    value: DecimalText
    unit_of_measure: UnitOfMeasure
    data_type: str | None = None
    key: Identifier | None = None


class Value(Element):
    """A property's or parameter's value as text, with its type and unit (B2MML ValueType)."""

    value: str
    data_type: str | None = None
    unit_of_measure: str | None = None
    key: Identifier | None = None
