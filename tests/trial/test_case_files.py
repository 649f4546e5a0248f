"""What is wrong with a file of route tests is said before anything is played, each at its place."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema_rs
import yaml
from trial_plant import ORDER, ROUTES, case_file, findings

from mombus.trial.reading import read

NAME = "name: x\n"
SILENT = "nobody_else: true\n"
ROOT = Path(__file__).parent.parent.parent


def test_a_misspelt_key_says_what_was_meant(tmp_path: Path) -> None:
    assert findings(tmp_path, f"{NAME}given: {{{ORDER}}}\nexpcet: {{mes: []}}") == [
        "routes.test.yaml:4:5: error: tests[0]: there is no key 'expcet'; did you mean 'expect'?"
    ]


def test_an_unknown_system_object_or_state_is_an_error(tmp_path: Path) -> None:
    assert findings(tmp_path, f"{NAME}given: {{{ORDER}}}\nexpect: {{mes: {{state: deliverd}}}}") == [
        "routes.test.yaml:4:27: error: tests[0].expect.mes.state: there is no state 'deliverd'; "
        "did you mean 'delivered'?; What became of it there"
    ]
    found = findings(
        tmp_path,
        f"{NAME}given: {{{ORDER}}}\nexpect: {{mess: []}}\nanswers: {{erb: {{number: D}}}}",
        f"{NAME}given: {{from: ebp, json: {{}}}}\nexpect: {{mes: {{object: production_oder}}}}",
    )
    assert found == [
        "routes.test.yaml:4:14: error: tests[0].expect.mess: there is no system 'mess' in routes.yaml; "
        "did you mean 'mes'?",
        "routes.test.yaml:5:15: error: tests[0].answers.erb: there is no system 'erb' in routes.yaml; "
        "did you mean 'erp'?",
        "routes.test.yaml:7:13: error: tests[1].given[0].from: there is no system 'ebp' in routes.yaml; "
        "did you mean 'erp'?",
        "routes.test.yaml:8:20: error: tests[1].expect.mes[0].object: there is no data object 'production_oder'; "
        "did you mean 'production_order'?",
    ]


def test_a_body_is_checked_as_the_bus_checks_it(tmp_path: Path) -> None:
    found = findings(
        tmp_path,
        f'{NAME}{SILENT}given: {{production_order: {{id: PO-1, segment_requirement: [{{id: "1", descripton: 5}}]}}}}',
        f"{NAME}{SILENT}given:\n  - object: production_order\n    body: {{description: water}}",
    )
    assert [line.partition("error: ")[2] for line in found] == [
        "tests[0].given[0].production_order: there is no field 'segment_requirement.0.descripton'; "
        "did you mean 'description'?",
        "tests[1].given[0].body: 'id' is missing; docs/objects.md describes it",
        "tests[1].given[0].body: 'segment_requirement' is missing; docs/objects.md describes it",
    ]
    assert found[0].startswith("routes.test.yaml:4:74:")


def test_numbers_are_taken_as_they_are_written(tmp_path: Path) -> None:
    """Ids and amounts are text on the bus: 0010 stays what it is, 12.50 keeps its digits."""
    file = case_file(tmp_path, f"""{NAME}
        given:
          production_order:
            id: 4711
            segment_requirement:
              - {{id: 10, material_requirement: [{{id: 1, quantity: {{value: 12.50, unit_of_measure: KGM}}}}]}}
    """.replace("\n        ", "\n"))  # fmt: skip
    (test,) = read(file).tests
    body = json.loads(test.said[0][0].content)
    assert body["id"] == "4711"
    assert body["segment_requirement"][0]["material_requirement"][0]["quantity"]["value"] == "12.50"


def test_a_case_needs_something_given_or_steps(tmp_path: Path) -> None:
    found = findings(
        tmp_path,
        NAME,
        f"{NAME}given: {{{ORDER}}}\nsteps: [{{expect: {{mes: []}}}}]",
        f"{NAME}given: {{from: erp}}",
        f"{NAME}given: {{object: production_order, json: {{}}}}",
        f"{NAME}given: {{{ORDER}}}\nanswers: {{mes: {{number: D, refuses: no}}}}",
    )
    assert len(found) == 5
    assert "either `given` and `expect`, or `steps`" in found[0]
    assert "or one document: json, text, file, base64" in found[2]
    assert "not both" in found[3]
    assert "say one of number" in found[4]


def test_a_case_that_expects_nothing_is_an_error_that_says_what_to_write(tmp_path: Path) -> None:
    assert findings(
        tmp_path,
        f"{NAME}given: {{{ORDER}}}",
        f"{NAME}expect: {{}}\ngiven: {{from: erp, json: {{}}}}",
        f"{NAME}steps: [{{given: {{{ORDER}}}}}, {{retry: ledger}}]",
        f"{NAME}given: {{object: downtime, key: D, action: Delete}}",
        f"{NAME}given: {{{ORDER}}}\nnobody_else: true",
        f"{NAME}steps: [{{given: {{{ORDER}}}}}, {{retry: ledger, expect: {{ledger: []}}}}]",
    ) == [
        f"routes.test.yaml:{line}:5: error: tests[{index}].name: it expects nothing, so that it can't fail; say what "
        f"becomes of it, as in `expect: {{{named}}}`, or `nobody_else: true`"
        for index, line, named in (
            (0, 2, "mes: {}, ledger: {}"), (1, 4, "mes: {}, ledger: {}"), (2, 7, "mes: {}, ledger: {}"),
            (3, 9, "SYSTEM: {}"),
        )
    ]  # fmt: skip


def test_an_error_of_the_configuration_is_said_as_check_says_it(tmp_path: Path) -> None:
    file = case_file(
        tmp_path, f"{NAME}given: {{{ORDER}}}\nexpect: {{mes: {{}}}}", routes=ROUTES.replace("owner: erp", "owner: epr")
    )
    shown = read(file)
    assert shown.config is None
    assert any("routes.yaml" in finding.file and "epr" in finding.message for finding in shown.findings)


def test_the_schema_for_editors_takes_what_is_taken_and_nothing_else() -> None:
    schemas = ROOT / "docs"
    schema = json.loads((schemas / "tests.schema.json").read_text(encoding="utf-8"))
    validator = jsonschema_rs.Draft202012Validator(
        {"$id": "file:///docs/tests.schema.json", **schema},
        retriever=lambda uri: json.loads((schemas / "schemas" / uri.rpartition("/")[2]).read_text(encoding="utf-8")),
    )
    example = yaml.safe_load((ROOT / "routes.test.yaml").read_text(encoding="utf-8"))
    assert [error.message for error in validator.iter_errors(example)] == []
    example["tests"][0]["expcet"] = example["tests"][0].pop("expect")
    assert "expcet" in " ".join(error.message for error in validator.iter_errors(example))


def test_the_first_example_of_the_docs_can_be_played(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8").partition("```yaml\n")[2].partition("```")[0]
    file = tmp_path / "docs.test.yaml"
    file.write_text(f"config: {ROOT / 'routes.yaml'}\n{text}", encoding="utf-8")
    shown = read(file)
    assert shown.config is not None, shown.findings
    assert len(shown.tests) == 1
