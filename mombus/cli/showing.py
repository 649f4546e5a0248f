"""Tables for people, JSON for programs: stdout is for data."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def print_json(data: Any) -> None:
    """JSON on stdout."""
    sys.stdout.write(json.dumps(data, indent=2, ensure_ascii=False) + "\n")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, empty: str) -> None:
    """A table that fits the terminal; plain columns where there is none. `empty` is said when there are no rows."""
    found = [[printable(str(cell)) for cell in row] for row in rows]
    if not found:
        sys.stdout.write(f"{empty}\n")
        return
    if not sys.stdout.isatty():
        widths = [max(len(row[i]) for row in [columns, *found]) for i in range(len(columns))]
        for row in [columns, *found]:
            line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            sys.stdout.write(line.rstrip() + "\n")
        return
    from rich.console import Console  # noqa: PLC0415 - only terminals need it
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in found:
        table.add_row(*row)
    Console(markup=False).print(table)


def printable(text: str) -> str:
    """Text from elsewhere as it can be shown on one line: what would move the cursor or colour the screen is spelt."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
