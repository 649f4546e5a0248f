"""The page of what survives is what the last run saw, of tests that are still there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from proof import PAGE, RESULTS, Part, Proof, Row, markdown, read, stands, write


@pytest.mark.parametrize("row", read(), ids=lambda row: f"{row.test}-{row.fault}")
def test_every_row_has_its_test(row: Row) -> None:
    assert stands(row), f"{row.test} proves nothing, or is gone: run `make reliability`"


def test_the_page_is_what_was_recorded() -> None:
    assert PAGE.read_text("utf-8") == markdown(json.loads(RESULTS.read_text("utf-8"))), "run `make reliability`"


def test_a_run_replaces_the_rows_of_its_tests_only(tmp_path: Path) -> None:
    file, page = tmp_path / "seen.json", tmp_path / "seen.md"
    first, second = Proof("tests/a.py::test_a"), Proof("tests/b.py::test_b")
    first(Part.TARGET, fault="hangs", load="1", expected="once", seen="1 of 1")
    second(Part.HUB, fault="killed", load="2", expected="once | ordered", seen="2 of 2")
    write([*first.rows, *second.rows], {"tests/a.py::test_a", "tests/b.py::test_b"}, file=file, page=page)
    again = Proof("tests/a.py::test_a")
    again(Part.TARGET, fault="hangs", load="3", expected="once", seen="3 of 3")
    write(again.rows, {"tests/a.py::test_a"}, file=file, page=page)
    assert [row.seen for row in read(file)] == ["2 of 2", "3 of 3"]
    assert page.read_text().index("once \\| ordered") < page.read_text().index("3 of 3")


def test_rows_of_tests_that_are_gone_go(tmp_path: Path) -> None:
    file, page = tmp_path / "seen.json", tmp_path / "seen.md"
    gone, there = Proof("tests/a.py::test_a"), Proof("tests/test_reliability.py::test_b[x]")
    for proof in (gone, there):
        proof(Part.HUB, fault="killed", load="1", expected="once", seen="1 of 1")
    write([*gone.rows, *there.rows], set(), file=file, page=page)
    assert not any(map(stands, read(file)))
    write([], set(), file=file, page=page, stands=lambda row: "test_b" in row.test)
    assert [row.test for row in read(file)] == ["tests/test_reliability.py::test_b[x]"]


def test_rows_that_only_their_tests_parameters_tell_apart_are_one_line(tmp_path: Path) -> None:
    proofs = [Proof(f"tests/a.py::test_a[{name}]") for name in ("one", "two", "three")]
    for number, proof in enumerate(proofs):
        proof(Part.ATTACK, fault="asks", load="1", expected="refused", seen=f"{number // 2} answered")
    file, page = tmp_path / "seen.json", tmp_path / "seen.md"
    write([row for proof in proofs for row in proof.rows], set(), file=file, page=page)
    lines = [line for line in page.read_text().splitlines() if line.startswith("| asks")]
    assert len(lines) == 2
    assert any("[test_a[one]](../tests/a.py), and with two, " in line for line in lines), lines
