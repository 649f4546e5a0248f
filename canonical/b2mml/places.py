"""Where a model's complaint lies, in ISA-95 words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from canonical.b2mml.faults import Finding
from canonical.b2mml.table import V7, Kind, Row, Table, named

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

_MISSING = "is missing"
_PREFIX = "Value error, "


def findings_of(error: ValidationError, table: str, root: str, version: str = V7) -> list[Finding]:
    """The findings of a validation error of the object that `table` reads, under the path `root`."""
    top = _known(version, table)
    errors = error.errors(include_url=False, include_context=False)
    return [Finding("/".join((root, *_steps(top, each["loc"]))), _reason(each)) for each in _causes(errors)]


def _causes(errors: list[ErrorDetails]) -> list[ErrorDetails]:
    """Without the lists that are too short only because an item of theirs is bad."""
    places = {each["loc"][:depth] for each in errors for depth in range(len(each["loc"]))}
    return [each for each in errors if each["type"] != "too_short" or each["loc"] not in places] or errors


def _known(version: str, name: str) -> Table | None:
    try:
        return named(version, name)
    except KeyError:
        return None


def _steps(table: Table | None, loc: Sequence[int | str]) -> list[str]:
    steps: list[str] = []
    for at, part in enumerate(loc):
        if isinstance(part, int):
            steps[-1] += f"[{part + 1}]"
            continue
        if table is not None and table.terse:
            break
        row, names = _row(table, str(part), at == 0) if table else (None, [str(part)])
        steps.extend(names)
        if row is None:
            break
        table = _known(table.version, row.table) if table and row.kind is Kind.NESTED else table
    return steps


def _row(table: Table, path: str, first: bool) -> tuple[Row | None, list[str]]:
    """The row that carries the field, and the names of the elements down to it."""
    for row in table.rows:
        if row.kind is Kind.PLACED and row.field == path:
            return row, [f"{row.name}[{row.text}]"]
        if row.kind in (Kind.LEAF, Kind.NESTED) and row.field == path:
            return row, [row.name]
        if row.kind is Kind.GROUP:
            if row.field == path:
                return row, [row.name]
            inner, names = _row(named(table.version, row.table), path, False)
            if inner is not None:
                return inner, [row.name, *names]
    return None, [path]


def _reason(error: ErrorDetails) -> str:
    kind, message = error["type"], error["msg"].removeprefix(_PREFIX)
    if kind == "missing":
        return _MISSING
    if kind == "timezone_aware":
        return f"{error['input']} has no offset: write 2026-03-02T06:00:00+01:00, or give the site's timezone"
    if kind == "value_error":
        return message
    shown = str(error["input"])
    return f"'{shown[:60]}': {message}" if kind in ("literal_error", "datetime_from_date_parsing") else message
