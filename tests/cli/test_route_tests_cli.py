"""`mombus test` as people and CI call it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lxml import etree

if TYPE_CHECKING:
    from conftest import Mombus

ROOT = Path(__file__).parent.parent.parent
ROUTES = """
version: 1
plant: {enterprise: acme, site: lyon, timezone: Europe/Paris}
systems:
  erp: {connector: rest, url: "http://127.0.0.1:9", listen: /in/erp, pushed: {says: [
          {object: production_order, occurred: at, body: '{"id": no, "segment_requirement": [{"id": "1"}]}'}]}}
  mes: {connector: rest, url: "http://127.0.0.1:9", writes: [{object: production_order, url: /o, body: '{"no": key}'}]}
objects: {production_order: {owner: erp, process_owner: planning@acme.example}}
routes: [{object: production_order, to: mes}]
"""
CASES = """tests:
  - name: posted
    given: {from: erp, json: {no: PO-1, at: "2026-03-02T06:00:00Z"}}
    expect: {mes: {request: {body: {no: PO-1}}}}
  - name: wrong <on purpose>
    given: {from: erp, json: {no: PO-1, at: "2026-03-02T06:00:00Z"}}
    expect: {mes: {request: {body: {no: PO-2}}}}
  - name: other
    given: {from: erp, json: {no: PO-1, at: "2026-03-02T06:00:00Z"}}
    expect: {mes: {}}
"""


def folder(tmp_path: Path, cases: str = CASES) -> Path:
    (tmp_path / "routes.yaml").write_text(ROUTES, encoding="utf-8")
    (tmp_path / "routes.test.yaml").write_text(cases, encoding="utf-8")
    return tmp_path


def test_the_example_plants_route_tests_pass_and_use_every_route() -> None:
    command = [sys.executable, "-m", "mombus", "test", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=220, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (file,) = json.loads(done.stdout)
    assert file["file"] == "routes.test.yaml"
    assert len(file["cases"]) > 10
    assert file["unused_routes"] == {}


def test_a_failing_case_of_those_chosen_shows_place_and_difference(mombus: Mombus, tmp_path: Path) -> None:
    done = mombus("test", "-v", "-k", "P", "--junit", "report.xml", cwd=folder(tmp_path))
    assert done.returncode == 1
    assert done.stdout.splitlines()[:5] == [
        "ok     posted",
        "FAILED wrong <on purpose>",
        "  routes.test.yaml:7:37: mes[0].request.body.no",
        '    - "PO-2"',
        '    + "PO-1"',
    ]
    assert '"path": "/o"' in done.stdout, "-v shows all of what came"
    assert "\x1b" not in done.stdout, "colours are for terminals"
    assert "2 cases" in done.stderr
    (suite,) = etree.fromstring((tmp_path / "report.xml").read_bytes())
    assert suite.attrib["tests"] == "2"
    assert suite.attrib["failures"] == "1"
    assert [case.get("name") for case in suite] == ["posted", "wrong <on purpose>"]
    assert "PO-2" in str(suite[1][0].get("message"))
    assert "no case uses" not in done.stderr, "some of the cases say nothing of that"


def test_a_route_is_unused_if_no_file_of_the_folder_uses_it(mombus: Mombus, tmp_path: Path) -> None:
    good = CASES.partition("  - name: wrong")[0]
    here = folder(tmp_path, good)
    (here / "other.test.yaml").write_text("tests:\n  - {name: x, given: {from: erp, json: []}, expect: {mes: []}}\n")
    done = mombus("test", cwd=here)
    assert (done.returncode, "no case uses" in done.stderr) == (0, False), done.stderr
    (here / "routes.test.yaml").unlink()
    assert "routes.yaml: no case uses routes[0], production_order to mes" in mombus("test", cwd=here).stderr
    done = mombus("test", "other.test.yaml", "--junit", "no/report.xml", cwd=here)
    assert (done.returncode, done.stderr) == (1, "no/report.xml can't be written: No such file or directory\n")


def test_what_cannot_be_played_is_refused_before_anything_is(called: Mombus, tmp_path: Path) -> None:
    done = called("test", cwd=folder(tmp_path, CASES.replace("expect:", "expects:")))
    assert done.returncode == 78
    assert "routes.test.yaml:4:5: error: tests[0]: there is no key 'expects'; did you mean 'expect'?" in done.stdout


def test_check_reads_files_of_route_tests_as_they_are_played(called: Mombus, tmp_path: Path) -> None:
    here = folder(tmp_path)
    done = called("check", "routes.test.yaml", cwd=here)
    summary = "Checked routes.test.yaml: 3 cases; 0 errors, 0 warnings. `mombus test` plays them.\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, "", summary)
    folder(tmp_path, CASES.replace("mes: {}", "mess: {}"))
    wrong = "there is no system 'mess' in routes.yaml; did you mean 'mes'?"
    done = called("check", "routes.yaml", "routes.test.yaml", cwd=here)
    assert (done.returncode, len(done.stdout.splitlines()), wrong in done.stdout) == (1, 1, True), done.stdout
    assert done.stderr.startswith("Checked routes.yaml: 2 systems, ")
    told = json.loads(called("check", "--json", "routes.test.yaml", "no.test.yaml", cwd=here).stdout)
    assert (told["ok"], told["files"]) == (False, ["routes.test.yaml", "no.test.yaml"])
    assert [(one["file"], one["line"]) for one in told["findings"]] == [("routes.test.yaml", 10), ("no.test.yaml", 1)]
    assert called("check", "no.test.yaml", cwd=here).returncode == 78


def test_where_there_is_nothing_to_play_it_says_what_to_do(called: Mombus) -> None:
    done = called("test")
    assert done.returncode == 64
    assert "docs/testing.md" in done.stderr
    done = called("test", "nowhere.yaml")
    assert done.returncode == 64
    assert "nowhere.yaml isn't there" in done.stderr
