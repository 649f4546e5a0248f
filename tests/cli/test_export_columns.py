"""Every field of every data object has its column, with its type; files are whole or not there."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import duckdb
import pytest

from canonical.objects import CATALOGUE
from mombus.cli.exporting.columns import Column, Kind, NoListError, body_columns, body_rows
from mombus.cli.exporting.sheets import SheetError, sheet

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Mombus

ROW = {
    "seq": 7,
    "body": {
        "id": "C-1", "actual_start_time": "2026-03-02T07:00:00+01:00",
        "material_actual": [
            {"id": "1", "quantity": {"value": "120.50", "unit_of_measure": "H87"}, "description": 'a "b",\nc'},
            {"id": "2", "description": ""},
        ],
    },
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_every_object_has_columns_of_their_own_names(name: str) -> None:
    columns = body_columns(CATALOGUE[name])
    names = [column.name for column in columns]
    assert len(names) == len(set(names))
    assert names


def test_columns_have_the_types_of_the_fields() -> None:
    columns = {one.name: one.kind for one in body_columns(CATALOGUE["production_response"], "material_actual")}
    assert columns["body.material_actual.quantity.value"] is Kind.DECIMAL
    assert columns["body.actual_start_time"] is Kind.TIME
    assert columns["body.equipment_actual"] is Kind.JSON
    assert columns["body.id"] is Kind.TEXT
    assert "body.material_actual" not in columns


def test_a_list_that_there_is_not_is_told_with_what_was_meant() -> None:
    with pytest.raises(NoListError, match="material_actual"):
        body_columns(CATALOGUE["production_response"], "material_actuals")


def exported(path: Path) -> list[Column]:
    columns = [Column("seq", Kind.INTEGER, ("seq",)),
               *body_columns(CATALOGUE["production_response"], "material_actual")]  # fmt: skip
    with sheet(path, columns) as write:
        for row in body_rows(ROW, "material_actual"):
            write(row)
    return columns


def test_parquet_keeps_decimals_and_times(tmp_path: Path) -> None:
    path = tmp_path / "it's.parquet"
    columns = exported(path)
    read = duckdb.read_parquet(str(path))
    assert read.columns == [column.name for column in columns]
    first, second = (dict(zip(read.columns, row, strict=True)) for row in read.fetchall())
    assert first["body.material_actual.quantity.value"] == Decimal("120.5")
    assert first["body.actual_start_time"].astimezone(UTC) == datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
    assert first["body.material_actual.description"] == 'a "b",\nc'
    assert (second["body.material_actual.quantity.value"], second["body.material_actual.description"]) == (None, "")
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_csv_has_every_digit(tmp_path: Path) -> None:
    exported(tmp_path / "c.csv")
    with (tmp_path / "c.csv").open(encoding="utf-8", newline="") as file:
        first, second = csv.DictReader(file)
    assert (first["body.material_actual.quantity.value"], first["seq"], second["body.id"]) == ("120.50", "7", "C-1")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--bodies",), "needs one --object"),
        (("--bodies", "--object", "production_respons"), "production_response"),
        (("--each", "material", "--object", "production_response"), "material_actual"),
    ],
)
def test_what_is_asked_wrong_is_told_before_the_hub_is_asked(called: Mombus, options, said) -> None:
    done = called("export", "x.csv", *options)
    assert (done.returncode, said in done.stderr) == (64, True), done.stderr


def test_a_spreadsheet_takes_no_text_for_a_formula(tmp_path: Path) -> None:
    columns = [Column(name, kind, (name,)) for name, kind in (("a", Kind.TEXT), ("b", Kind.DECIMAL), ("c", Kind.JSON))]
    for name, first in (("x.csv", "'=cmd()"), ("x.parquet", "=cmd()")):
        with sheet(tmp_path / name, columns) as write:
            write({"a": "=cmd()", "b": "-5.2", "c": ["=1"]})
        read = duckdb.read_csv if name.endswith("csv") else duckdb.read_parquet
        (row,) = read(str(tmp_path / name)).fetchall()
        assert (row[0], float(row[1]), row[2]) == (first, -5.2, '["=1"]')


def test_what_cannot_be_written_leaves_no_file(tmp_path: Path) -> None:
    column = Column("value", Kind.DECIMAL, ("value",))
    for value in ("0.1234567890123", "1e30"):
        with pytest.raises(SheetError, match="export CSV"), sheet(tmp_path / "x.parquet", [column]) as write:
            write({"value": value})
    with pytest.raises(SheetError, match=r"\.csv or \.parquet"), sheet(tmp_path / "x.xlsx", [column]):
        pass
    with pytest.raises(SheetError, match="can't be written"), sheet(tmp_path / "no" / "x.csv", [column]):
        pass
    assert list(tmp_path.iterdir()) == []
