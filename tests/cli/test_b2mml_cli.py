"""`mombus b2mml`: what people and scripts see of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mombus.cli.b2mml import app

SCHEMAS = Path(__file__).parents[3] / "shared" / "b2mml" / "xsd"
HEAD = """<ApplicationArea><Sender><LogicalID>ERP</LogicalID></Sender><CreationDateTime>2026-03-02T05:00:00Z
</CreationDateTime></ApplicationArea>"""


def order(ident: str, unit: str) -> str:
    return f"""<OperationsRequest><ID>{ident}</ID><SegmentRequirement><ID>1</ID><ProcessSegmentID/>
<OperationsDefinitionID/><OperationsSegmentID/><MaterialRequirement><ID>1</ID><Quantity><QuantityString>2</QuantityString>
<UnitOfMeasure>{unit}</UnitOfMeasure></Quantity></MaterialRequirement></SegmentRequirement></OperationsRequest>"""


def schedule(*orders: str) -> str:
    return f"""<ProcessOperationsSchedule xmlns="http://www.mesa.org/xml/B2MML" releaseID="7.0.1">{HEAD}<DataArea>
<Process/><OperationsSchedule><ID>S</ID>{"".join(orders)}</OperationsSchedule></DataArea></ProcessOperationsSchedule>"""


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.xml"
    path.write_text(schedule(order("PO-1", "KG")), "utf-8")
    return path


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    path = tmp_path / "bad.xml"
    path.write_text(schedule(order("PO-1", "KGM"), order("PO-2", "furlong")), "utf-8")
    return path


def test_read_shows_messages(good: Path) -> None:
    result = CliRunner().invoke(app, ["read", str(good)])
    assert result.exit_code == 0
    assert "process production_order PO-1" in result.stdout
    assert '"unit_of_measure": "KGM"' in result.stdout


def test_json_goes_through_write_and_back(good: Path, tmp_path: Path) -> None:
    said = CliRunner().invoke(app, ["read", str(good), "--json"])
    said_again = json.loads(said.stdout)
    said_again["messages"][0]["body"]["description"] = "now with a text"
    file, out = tmp_path / "said.json", tmp_path / "out.xml"
    file.write_text(json.dumps(said_again), "utf-8")
    written = CliRunner().invoke(app, ["write", str(file), "-o", str(out)])
    assert written.exit_code == 0
    xml = out.read_text("utf-8")
    assert "<Description>now with a text</Description>" in xml
    assert "<UnitOfMeasure>KG</UnitOfMeasure>" in xml


def test_standard_input_is_a_dash(good: Path) -> None:
    said = CliRunner().invoke(app, ["read", "-", "--json"], input=good.read_bytes())
    written = CliRunner().invoke(app, ["write", "-"], input=said.stdout)
    assert written.stdout_bytes.startswith(b"<?xml")


def test_check_lists_findings_by_place(good: Path, bad: Path) -> None:
    result = CliRunner().invoke(app, ["check", str(good), str(bad)])
    assert result.exit_code == 1
    place = "OperationsRequest[PO-2]/SegmentRequirement[1]/MaterialRequirement[1]/Quantity"
    assert result.stdout.startswith(f"{bad}: {place}: unit 'furlong' is not a Rec 20 code")
    assert CliRunner().invoke(app, ["check", str(good)]).exit_code == 0


def test_check_says_that_a_file_is_no_document(tmp_path: Path) -> None:
    path = tmp_path / "x.xml"
    path.write_text("<a>", "utf-8")
    result = CliRunner().invoke(app, ["check", str(path)])
    assert result.exit_code == 1
    assert f"{path}: 1:" in result.stdout
    assert CliRunner().invoke(app, ["read", str(path)]).exit_code == 1


def test_strict_check_asks_mesa_s_schemas(good: Path) -> None:
    if not SCHEMAS.exists():
        pytest.skip("MESA's B2MML schemas are not at ../shared/b2mml")
    assert CliRunner().invoke(app, ["check", str(good), "--schemas", str(SCHEMAS)]).exit_code == 0
    good.write_text(good.read_text("utf-8").replace("2026-03-02T05:00:00Z\n", "2026-03-02T05:00:00Z"), "utf-8")
    good.write_text(good.read_text("utf-8").replace(' releaseID="7.0.1"', ""), "utf-8")
    result = CliRunner().invoke(app, ["check", str(good), "--schemas", str(SCHEMAS)])
    assert result.exit_code == 1
    assert "XSD: " in result.stdout
    assert "releaseID" in result.stdout


@pytest.mark.parametrize(
    ("args", "code", "text"),
    [
        (["read", "/nowhere.xml"], 64, "No such file"),
        (["read", "-", "--timezone", "Mars/Base"], 64, "no such zone"),
        (["check", "-", "--schemas", "/nowhere"], 78, "no AllSchemas.xsd"),
        (["write", "/nowhere.json"], 64, "No such file"),
    ],
)
def test_what_can_t_be_used_is_said(args: list[str], code: int, text: str) -> None:
    result = CliRunner().invoke(app, args, input="")
    assert result.exit_code == code
    assert text in result.stderr


@pytest.mark.parametrize("text", ["", "{}", "no json"])
def test_json_that_is_no_document_is_refused(text: str) -> None:
    result = CliRunner().invoke(app, ["write", "-"], input=text)
    assert result.exit_code == 1
    assert result.stderr.startswith("-:")
