"""Writes rows to a file as they come: CSV by the standard library, Parquet by DuckDB. Memory stays as it is."""

from __future__ import annotations

import csv
import json
import sys
import tempfile
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mombus.cli.exporting.columns import Kind
from mombus.web.words import harmless

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from mombus.cli.exporting.columns import Column

    Write = Callable[[Mapping[str, Any]], None]

STDOUT = "-"
PLACES, DIGITS = 12, 38
"""Decimals in Parquet have one scale for a whole column: so many places of so many digits."""
MEMORY = "256MB"
_NULL = "\\N"
_TYPES = {
    Kind.TEXT: "VARCHAR", Kind.JSON: "VARCHAR", Kind.INTEGER: "BIGINT", Kind.DECIMAL: f"DECIMAL({DIGITS},{PLACES})",
    Kind.NUMBER: "DOUBLE", Kind.TIME: "TIMESTAMPTZ", Kind.DATE: "DATE", Kind.BOOLEAN: "BOOLEAN",
}  # fmt: skip


class SheetError(ValueError):
    """It can't be written like that; the text says what can be done."""


@contextmanager
def sheet(path: Path, columns: Sequence[Column]) -> Iterator[Write]:
    """Gives what writes one row. The file is there, whole, when the context ends well. Raises SheetError."""
    if str(path) == STDOUT:
        yield _rows(sys.stdout, columns)
    elif path.suffix == ".csv":
        with _in_the_end(path) as beside, beside.open("w", encoding="utf-8", newline="") as file:
            yield _rows(file, columns)
    elif path.suffix == ".parquet":
        with _parquet(path, columns) as write:
            yield write
    else:
        raise SheetError(f"{path} is neither CSV nor Parquet: name it .csv or .parquet, or - for CSV on stdout")


def _rows(file: Any, columns: Sequence[Column], empty: str | None = None) -> Write:
    """For spreadsheets; for another reader if `empty` is what it takes for no value."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([column.name for column in columns])

    def write(row: Mapping[str, Any]) -> None:
        said = [_said(column.value(row), empty or "") for column in columns]
        if empty is None:
            said = [
                harmless(text) if column.kind is Kind.TEXT else text for column, text in zip(columns, said, strict=True)
            ]
        writer.writerow(said)

    return write


def _said(value: Any, empty: str) -> str:
    if value is None:
        return empty
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@contextmanager
def _in_the_end(path: Path) -> Iterator[Path]:
    """A file beside it that takes its place in the end."""
    try:
        with tempfile.TemporaryDirectory(dir=path.absolute().parent, prefix=".mombus-") as folder:
            beside = Path(folder) / path.name
            yield beside
            beside.replace(path)
    except OSError as error:
        raise SheetError(f"{path} can't be written: {error.strerror or error}") from error


@contextmanager
def _parquet(path: Path, columns: Sequence[Column]) -> Iterator[Write]:
    """By way of a CSV file beside it, which DuckDB reads with the columns' types, part by part."""
    try:
        import duckdb  # noqa: PLC0415 - an extra
    except ModuleNotFoundError:
        raise SheetError("Parquet needs DuckDB: pip install 'mombus[export]', or export CSV") from None
    decimals = [column for column in columns if column.kind is Kind.DECIMAL]
    with _in_the_end(path) as beside:
        text = beside.with_suffix(".csv")
        with text.open("w", encoding="utf-8", newline="") as file:
            write = _rows(file, columns, empty=_NULL)

            def checked(row: Mapping[str, Any]) -> None:
                for column in decimals:
                    _check(column, column.value(row))
                write(row)

            yield checked
        try:
            with duckdb.connect(config={"memory_limit": MEMORY, "temp_directory": str(beside.parent)}) as database:
                database.execute(_copy(text, beside, columns))
        except duckdb.Error as error:
            raise SheetError(f"{path} can't be made: {str(error).splitlines()[0]}; export CSV") from error


def _copy(text: Path, to: Path, columns: Sequence[Column]) -> str:
    types = ", ".join(f"{_quoted(column.name)}: '{_TYPES[column.kind]}'" for column in columns)
    return (
        f"COPY (SELECT * FROM read_csv({_quoted(str(text))}, columns = {{{types}}}, header = true, delim = ',', "  # noqa: S608
        f"quote = '\"', escape = '\"', nullstr = '{_NULL}', auto_detect = false, max_line_size = 16000000)) "
        f"TO {_quoted(str(to))} (FORMAT parquet, COMPRESSION zstd)"
    )


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _check(column: Column, value: Any) -> None:
    """Never rounded in silence."""
    if value is None:
        return
    number = Decimal(value)
    exponent = number.normalize().as_tuple().exponent
    if (isinstance(exponent, int) and -exponent > PLACES) or number.adjusted() >= DIGITS - PLACES:
        raise SheetError(f"{column.name} {value} doesn't fit into {DIGITS - PLACES}.{PLACES} digits: export CSV, which "
                         "has every digit")  # fmt: skip
