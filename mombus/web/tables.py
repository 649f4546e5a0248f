"""What pages show, as CSV files for spreadsheets (RFC 4180, UTF-8)."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from mombus.web.words import harmless

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

CSV: dict[int | str, dict[str, Any]] = {
    200: {"description": "A CSV file.", "content": {"text/csv": {"schema": {"type": "string"}}}}
}
"""The `responses` of a path that answers with a file."""


def csv_of(name: str, lines: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> Response:
    """The lines with these columns, which are there without lines too; `name` is the file's.

    Text that looks like a formula begins with a `'`.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=columns)
    writer.writeheader()
    writer.writerows({column: _harmless(value) for column, value in row.items()} for row in lines)
    headers = {"content-disposition": f'attachment; filename="{name}.csv"'}
    return Response(text.getvalue(), media_type="text/csv", headers=headers)


def _harmless(value: Any) -> Any:
    return harmless(value) if isinstance(value, str) else value


OWNERSHIP_COLUMNS = (
    "object", "kind", "system", "owns", "scope", "process_owner", "consumes", "effect", "within_s", "done", "late",
    "worst_late_s", "waiting", "overdue", "most_overdue_s", "stated_last_hour", "last_stated", "asks", "disagreements",
    "refused", "tried",
)  # fmt: skip


def ownership_lines(matrix: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One line for each cell; an object that has to do with two routes to a system has two."""
    return [
        _line(row, cell, promise)
        for row in matrix["rows"] for cell in row["cells"] for promise in cell["promises"] or [{}]
    ]  # fmt: skip


def _line(row: Mapping[str, Any], cell: Mapping[str, Any], promise: Mapping[str, Any]) -> dict[str, Any]:
    mine = [owner for owner in row["owners"] if owner["system"] == cell["system"]]
    answering = dict.fromkeys(owner["process_owner"] for owner in row["owners"] if owner["process_owner"])
    stated, broken = cell["stated"] or {}, cell["violations"] or {}
    return {
        "object": row["object"], "kind": row["kind"], "system": cell["system"],
        "owns": "yes" if cell["owns"] else "", "scope": ", ".join(owner["scope"] for owner in mine if owner["scope"]),
        "process_owner": ", ".join(answering), "consumes": "yes" if promise else "",
        **{name: promise.get(name, "") for name in ("effect", "within_s", "done", "late", "worst_late_s", "waiting",
                                                    "overdue", "most_overdue_s")},
        "stated_last_hour": stated.get("hour", ""), "last_stated": stated.get("last") or "", "asks": cell["asks"],
        **{name: broken.get(name, 0) for name in ("disagreements", "refused", "tried")},
    }  # fmt: skip
