"""YAML is read strictly: nothing guessed, nothing overflows, everything has its place."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mombus.config.document import Items, Node, Table, read
from mombus.config.finding import Findings, Mark


def plain(node: Node) -> Any:
    if isinstance(node, Table):
        return {key: plain(inner) for key, inner in node.nodes.items()}
    return [plain(inner) for inner in node.nodes] if isinstance(node, Items) else node.value


def parse(data: str | bytes) -> tuple[Any, list[str]]:
    findings = Findings()
    table = read(data if isinstance(data, bytes) else data.encode(), "f.yaml", findings)
    return (None if table is None else plain(table)), [str(finding) for finding in findings.sorted()]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"), ("yes", "yes"), ("on", "on"), ("Off", "Off"), ("true", True), ("False", False), ("'on'", "on"),
        ("010", "010"), ("12:30:45", "12:30:45"), ("0x1F", "0x1F"), ("1_000", "1_000"), ("2026-03-02", "2026-03-02"),
        (".inf", ".inf"), (".nan", ".nan"), ("12", 12), ("-3", -3), ("0", 0), ("1.5", 1.5), ("1e3", 1000.0),
        ("99999999999999999999", "99999999999999999999"), ("~", None), ("null", None), ("", None), ('""', ""),
        ("=", "="),
    ],
)  # fmt: skip
def test_yaml_1_2_words(text: str, value: object) -> None:
    parsed, findings = parse(f"a: {text}")
    assert findings == []
    assert parsed == {"a": value}
    assert type(parsed["a"]) is type(value)


def test_duplicate_key_names_both_places() -> None:
    assert parse("a: 1\nb:\n  c: 1\n  c: 2")[1] == [
        "f.yaml:4:3: error: key 'c' is here a second time; the first is in line 3"
    ]


def test_anchor_within_limits() -> None:
    assert parse("a: &x {b: [1]}\nc: *x")[0] == {"a": {"b": [1]}, "c": {"b": [1]}}


def billion_laughs() -> str:
    lines = ["a0: &a0 [" + ",".join("x" * 10) + "]"]
    lines += [f"a{n}: &a{n} [" + ",".join([f"*a{n - 1}"] * 10) + "]" for n in range(1, 9)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        (billion_laughs(), "5:", "more than 100000 nodes"),
        ("a: &a [1]\nb: [" + "*a," * 1001 + "]", "2:", "more than 1000 aliases"),
        ("[" * 100_000, "1:61", "nested deeper than 60"),
        ("a: " + "{a: " * 70 + "}" * 70, "1:", "nested deeper than 60"),
        ("a: !!python/object:os.system x", "1:4", "tags such as"),
        ("a: !custom {b: 1}", "1:4", "tags such as !custom"),
        ("b: *x", "1:4", "no anchor '&x'"),
        ("a: &a [*a]", "1:8", "no anchor '&a'"),
        ("a: {<<: {b: 1}}", "1:5", "merge keys"),
        ("? [1, 2]\n: x", "1:3", "a key must be text"),
        ("a: 1\n---\nb: 2", "2:1", "more than one document"),
        ("- 1", "1:1", "must hold keys and values"),
        ("just text", "1:1", "must hold keys and values"),
        ("a: [1, 2", "", "did not find expected"),
        ("a: 1\n\tb: 2", "2:1", "tab character"),
        ('a: "x', "1:", "end of stream"),
        (b"a: 1\nb: \xff\xfe", "2:1", "not UTF-8"),
        (b"a: \x00", "1:1", "no YAML"),
        ("a: " + "x" * 2_000_001, "1:1", "larger than 2000000 bytes"),
    ],
)  # fmt: skip
def test_refused_with_place(text: str | bytes, place: str, message: str) -> None:
    parsed, findings = parse(text)
    assert parsed is None
    assert len(findings) == 1
    assert findings[0].startswith(f"f.yaml:{place}")
    assert message in findings[0]


def test_byte_order_mark_and_emptiness_are_fine() -> None:
    assert parse("\ufeffa: 1") == ({"a": 1}, [])
    assert parse("# nothing but a comment\n") == ({}, [])


def test_overlay_keeps_the_places_of_both_files() -> None:
    findings = Findings()
    base = read(b"a: {b: 1, c: 2}\nd: [1, 2]\ne: 1", "base.yaml", findings)
    over = read(b"a:\n  c: 3\nd: [9]\ne: null", "over.yaml", findings)
    assert isinstance(base, Table)
    assert isinstance(over, Table)
    merged = base.merged(over)
    assert plain(merged) == {"a": {"b": 1, "c": 3}, "d": [9]}
    inner = merged.nodes["a"]
    assert isinstance(inner, Table)
    assert inner.nodes["b"].mark == Mark("base.yaml", 1, 8)
    assert inner.nodes["c"].mark == Mark("over.yaml", 2, 6)


@given(st.binary(max_size=300))
def test_any_bytes_end_in_a_table_or_a_finding(data: bytes) -> None:
    parsed, findings = parse(data)
    assert (parsed is None) <= bool(findings)


@given(st.text(alphabet="ab:-[]{}&*!|>'\"#,? \n\t<", max_size=120))
def test_any_punctuation_ends_in_a_table_or_a_finding(text: str) -> None:
    parsed, findings = parse(text)
    assert (parsed is None) <= bool(findings)
