"""What each system calls things: from tables in routes.yaml, or from CSV files with the columns native,canonical."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from mombus.config.document import Node, Scalar, Table
from mombus.config.finding import Findings, Mark

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAX_ROWS = 200_000
Row = tuple[str, str, Mark]
"""Native id, canonical id, where they stand."""


def alias_table(
    node: Node, path: str, read_file: Callable[[Scalar, str], tuple[bytes, str] | None], findings: Findings
) -> dict[str, str]:
    """Native id → canonical id. Two canonical ids for one native id, and the other way round, are errors."""
    if isinstance(node, Table):
        rows = _inline(node, path, findings)
    elif isinstance(node, Scalar) and isinstance(node.value, str):
        file = read_file(node, path)
        rows = _csv(*file, findings) if file else iter(())
    else:
        findings.error(node.mark, path, "expected a table native: canonical, or the name of a CSV file")
        return {}
    return _one_to_one(rows, path, findings)


def _inline(table: Table, path: str, findings: Findings) -> Iterator[Row]:
    for native, node in table.nodes.items():
        if isinstance(node, Scalar) and node.text and native:
            yield native, node.text, node.mark
        else:
            findings.error(node.mark, f"{path}.{native}", "expected the canonical id")


def _csv(data: bytes, file: str, findings: Findings) -> Iterator[Row]:
    try:
        reader = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
        header = [name.strip() for name in next(reader, [])]
        if header != ["native", "canonical"]:
            findings.error(Mark(file), "", "the first line must be native,canonical")
            return
        for number, cells in enumerate(reader):
            if number >= MAX_ROWS:
                findings.error(Mark(file, reader.line_num), "", f"more than {MAX_ROWS} rows")
                return
            row = [cell.strip() for cell in cells]
            if len(row) == 2 and all(row):
                yield row[0], row[1], Mark(file, reader.line_num)
            elif any(row):
                findings.error(Mark(file, reader.line_num), "", "expected two cells: native,canonical")
    except (UnicodeDecodeError, csv.Error) as error:
        findings.error(Mark(file), "", f"this is no CSV in UTF-8: {error}")


def _one_to_one(rows: Iterator[Row], path: str, findings: Findings) -> dict[str, str]:
    table: dict[str, str] = {}
    natives: dict[str, str] = {}
    for native, canonical, mark in rows:
        if native in table:
            findings.error(mark, path, f"'{native}' is here a second time")
        elif canonical in natives:
            message = f"'{canonical}' has two native ids, {natives[canonical]} and {native}"
            findings.error(mark, path, message, "outbound only one can be written; decide which")
        else:
            table[native], natives[canonical] = canonical, native
    return table
