"""The equipment hierarchy from a CSV file: one row each, parents before or after their children."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, get_args

from pydantic import ValidationError

from canonical.isa95.resources import Equipment, EquipmentLevel
from mombus.config.finding import Findings, Mark, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

COLUMNS = ("id", "parent", "level", "description", "physical_asset", "location")
"""Only `id` and `level` are needed in every row."""
MAX_ROWS = 20_000
MAX_DEPTH = 30


def read_equipment(data: bytes, file: str, findings: Findings) -> tuple[Equipment, ...]:
    """The roots of the hierarchy with their children inside; what is wrong is noted with its line."""
    rows = _Rows(file, findings)
    try:
        rows.read(data.decode("utf-8-sig"))
    except (UnicodeDecodeError, csv.Error) as error:
        findings.error(Mark(file), "", f"this is no CSV in UTF-8: {error}")
    return rows.roots()


def every(equipment: Iterable[Equipment]) -> Iterator[Equipment]:
    """Each piece of equipment, parents first."""
    for one in equipment:
        yield one
        yield from every(one.equipment_child)


class _Rows:
    def __init__(self, file: str, findings: Findings) -> None:
        self._file, self._findings = file, findings
        self._lines: dict[str, int] = {}
        self._parents: dict[str, str] = {}
        self._fields: dict[str, dict[str, str]] = {}
        self._children: dict[str, list[str]] = {}

    def read(self, text: str) -> None:
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        header = [name.strip() for name in next(reader, [])]
        if not self._header(header):
            return
        for number, cells in enumerate(reader):
            if number >= MAX_ROWS:
                self._error(reader.line_num, f"more than {MAX_ROWS} rows")
                return
            if any(cell.strip() for cell in cells) and not cells[0].startswith("#"):
                self._row(reader.line_num, header, [cell.strip() for cell in cells])

    def roots(self) -> tuple[Equipment, ...]:
        """Builds the tree; a parent that isn't there, a circle and a bad row are errors."""
        tops: list[str] = []
        for one, parent in self._parents.items():
            if parent in self._fields:
                self._children.setdefault(parent, []).append(one)
                continue
            tops.append(one)
            if parent:
                hint = did_you_mean(parent, self._fields)
                self._error(self._lines[one], f"parent '{parent}' of {one} is not in the file", hint)
        reached: set[str] = set()
        built = tuple(made for one in tops if (made := self._built(one, reached, 0)))
        for one in sorted(self._fields.keys() - reached, key=self._lines.__getitem__):
            self._error(self._lines[one], f"{one} is its own ancestor", "give one of the circle another parent")
        return built

    def _header(self, header: list[str]) -> bool:
        unknown = [name for name in header if name not in COLUMNS]
        for name in unknown:
            self._error(1, f"there is no column '{name}'", did_you_mean(name, COLUMNS))
        if "id" not in header or "level" not in header:
            self._error(1, "the first line must name the columns", f"write {','.join(COLUMNS)}")
            return False
        return not unknown

    def _row(self, line: int, header: list[str], cells: list[str]) -> None:
        if len(cells) > len(header):
            self._error(line, f"{len(cells)} cells, but the header has {len(header)} columns", "quote commas")
            return
        row = {name: cell for name, cell in zip(header, cells, strict=False) if cell}
        name, level = row.get("id"), row.get("level", "")
        if not name:
            self._error(line, "the id is missing")
        elif name in self._fields:
            self._error(line, f"'{name}' is here a second time", f"the first is in line {self._lines[name]}")
        elif level not in get_args(EquipmentLevel):
            self._error(line, f"'{level}' is no level of ISA-95", did_you_mean(level, get_args(EquipmentLevel)))
        else:
            self._lines[name], self._parents[name], self._fields[name] = line, row.get("parent", ""), row

    def _built(self, name: str, reached: set[str], depth: int) -> Equipment | None:
        reached.add(name)
        if depth > MAX_DEPTH:
            self._error(self._lines[name], f"the hierarchy is deeper than {MAX_DEPTH}")
            return None
        row = self._fields[name]
        below = [self._built(child, reached, depth + 1) for child in self._children.get(name, ())]
        try:
            return Equipment.model_validate({
                "id": name, "equipment_level": row["level"], "description": row.get("description"),
                "physical_asset_id": row.get("physical_asset"), "operational_location": row.get("location"),
                "equipment_child": tuple(child for child in below if child),
            })  # fmt: skip
        except ValidationError as invalid:
            self._error(self._lines[name], f"{name}: {invalid.errors()[0]['msg']}")
            return None

    def _error(self, line: int, message: str, hint: str = "") -> None:
        self._findings.error(Mark(self._file, line), "", message, hint)
