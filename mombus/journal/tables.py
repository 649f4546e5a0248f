"""The journal's tables. Each room that keeps something adds its tables to this one schema, in a module of its own."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import MetaData, String, TypeDecorator


class Instant(TypeDecorator[datetime]):
    """A point in time as ISO 8601 text in UTC: sorts as text, and keeps microseconds in every database."""

    impl = String(32)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> str | None:
        """To the database."""
        return None if value is None else _said(value)

    def process_result_value(self, value: str | None, dialect: Any) -> datetime | None:
        """From the database."""
        return None if value is None else datetime.fromisoformat(value)


@lru_cache(maxsize=64)
def _said(value: datetime) -> str:
    """Remembered, because what is written together has one time."""
    return value.astimezone(UTC).isoformat(timespec="microseconds")


metadata = MetaData()
