"""Every table is what the XSD says: the same elements, order and cardinality; every field has its place."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree

from canonical.b2mml.coverage import coverage_markdown
from canonical.b2mml.leaves import shape
from canonical.b2mml.nouns import FORMS
from canonical.b2mml.table import V4, V7, Kind, Table, declared, named, snake, table
from canonical.b2mml.tables import load
from canonical.element import Element

XSD = "{http://www.w3.org/2001/XMLSchema}"
CARDINALITY = {("1", "1"): "!", ("0", "1"): "?", ("0", "unbounded"): "*", ("1", "unbounded"): "+"}
load()


@pytest.fixture(scope="module")
def types(xsd_folder: Path) -> dict[str, list[tuple[str, str]]]:
    return _types(xsd_folder)


def _types(folder: Path) -> dict[str, list[tuple[str, str]]]:
    found = {}
    for path in folder.glob("B2MML*.xsd"):
        for made in etree.parse(path).getroot().iterchildren(f"{XSD}complexType"):
            found[made.get("name")] = [
                (each.get("name"), CARDINALITY[each.get("minOccurs", "1"), each.get("maxOccurs", "1")])
                for each in made.iter(f"{XSD}element")
            ]
    return found


def _choices(name: str, rows: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """A choice's elements may each be left out; a level's two names are one element."""
    if name.startswith("HierarchyScopeType"):
        return [row for row in rows if row[0] != "EquipmentElementLevel"]
    if name.startswith("OperationsRecordEntryTemplateType"):
        return [(row, "?" if row == "ExternalReferenceID" else card) for row, card in rows]
    if name.startswith("InformationObjectType"):
        return [row for row in rows if row[0] == "JobResponse"]
    return rows


@pytest.mark.parametrize("made", declared(V7), ids=lambda made: made.name)
def test_a_table_is_its_xsd_type(made: Table, types: dict[str, list[tuple[str, str]]]) -> None:
    name = made.name.partition("/")[0]
    rows = [(row.name, row.card) for row in made.rows if row.kind is not Kind.PLACED]
    assert rows == _choices(made.name, types[name])


@pytest.mark.parametrize("made", declared(V4), ids=lambda made: made.name)
def test_a_v4_table_reads_elements_that_the_v4_xsd_has(made: Table, xsd_folder: Path) -> None:
    if made.name == "PropertyType":
        pytest.skip("stands for every V4 property type")
    known = dict(_types(xsd_folder.parent / "xsd-v0401")[made.name.partition("/")[0]])
    assert {row.name for row in made.rows} <= known.keys()
    assert {row.name: row.card for row in made.rows if not row.name.endswith("Property")}.items() <= known.items()


def _fields(made: Table, dollar: str = "") -> set[str]:
    found = {field for field, *_ in made.lifts}
    for row in made.rows:
        if row.kind is Kind.GROUP:
            found |= _fields(named(made.version, row.table), row.field)
        elif row.kind in (Kind.LEAF, Kind.NESTED, Kind.PLACED):
            found.add((dollar if row.field == "$" else row.field).partition(".")[0])
    return found


@pytest.mark.parametrize("made", [each for each in declared(V7) if each.model], ids=lambda made: made.name)
def test_every_field_of_the_model_has_a_place(made: Table) -> None:
    assert made.model is not None
    assert _fields(made) == set(made.model.model_fields) - {"foreign"}


@pytest.mark.parametrize("made", [each for each in declared(V7) if each.model], ids=lambda made: made.name)
def test_nested_tables_read_the_models_that_the_fields_hold(made: Table) -> None:
    assert made.model is not None
    for row in made.rows:
        if row.kind is Kind.NESTED:
            _, model, _ = shape(made.model, row.field)
            assert named(V7, row.table).model is model, row.name


def test_every_form_has_a_table() -> None:
    for form in FORMS.values():
        assert named(V7, form.table).model is not None


@pytest.mark.parametrize(
    ("name", "field"),
    [("OperationsRequestID", "operations_request_id"), ("Endtime", "endtime"), ("MaterialSubLot", "material_sub_lot")],
)
def test_fields_are_named_after_elements(name: str, field: str) -> None:
    assert snake(name) == field


def test_text_that_is_no_table_is_refused() -> None:
    with pytest.raises(ValueError, match="not in the table language"):
        table("BrokenType", Element, "ID! ^%&")


def test_the_coverage_page_names_every_form_and_every_kept_element() -> None:
    page = coverage_markdown()
    for form in FORMS.values():
        assert f"`{form.object}`" in page
        assert form.noun in page
    assert "SpatialDefinition" in page
