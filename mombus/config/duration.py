"""Spans of time as people write them: `30s`, `15m`, `1h30m`, `2d`, or ISO 8601 `PT15M`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

_SPAN = re.compile(
    r"P?(?:(?P<days>\d{1,4})d)?T?(?:(?P<hours>\d{1,5})h)?(?:(?P<minutes>\d{1,6})m)?(?:(?P<seconds>\d{1,8})s)?",
    re.IGNORECASE,
)


def duration(value: Any) -> Any:
    """Text as a timedelta; a timedelta and None as they are. Raises ValueError for anything else, and for zero."""
    if value is None or isinstance(value, timedelta):
        return value
    found = _SPAN.fullmatch(value.strip()) if isinstance(value, str) else None
    span = timedelta(**{unit: int(number or 0) for unit, number in found.groupdict().items()}) if found else None
    if not span:
        raise ValueError(f"'{value}' is no span of time; write 30s, 15m, 1h30m or 2d")
    return span


Span = Annotated[timedelta, BeforeValidator(duration), WithJsonSchema({
    "type": "string", "pattern": r"^(P?(\d+[dD])?T?(\d+[hH])?(\d+[mM])?(\d+[sS])?)$",
    "examples": ["30s", "15m", "1h30m", "2d"],
})]  # fmt: skip
"""A field that takes a span of time."""


def written(span: timedelta) -> str:
    """A span as people write it."""
    parts = {"d": span.days, "h": span.seconds // 3600, "m": span.seconds // 60 % 60, "s": span.seconds % 60}
    return "".join(f"{number}{unit}" for unit, number in parts.items() if number) or "0s"
