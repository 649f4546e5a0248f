"""JSONata within limits: the same answers as the reference implementation, and an end to everything."""

from __future__ import annotations

import threading
import time
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonata import Jsonata

from canonical.isa95.events import Downtime
from canonical.message import Message
from connectors import jsonata
from connectors.jsonata import ENVIRONMENT, ExpressionError, environment

BODY = {
    "object": "downtime",
    "source": "mes",
    "body": {
        "id": "D-1",
        "reason": {"category": "mechanical", "id": "CAP-JAM"},
        "quantity": {"value": "240.5", "unit_of_measure": "H87"},
        "lines": [{"no": 1, "good": "10"}, {"no": 2, "good": "2.5"}, {"no": 3}],
        "names": ["a", "b"],
        "empty": [],
    },
}


@pytest.mark.parametrize(
    "text",
    [
        "body.reason.category = 'mechanical'",
        "body.reason.category in ['mechanical', 'material'] and source = 'mes'",
        "$number(body.quantity.value) > 100",
        "body.lines[no > 1].good",
        "$sum(body.lines.$number(good))",
        "body.lines.{'n': no, 'g': good}",
        "{'id': body.id, 'of': $join(body.names, '/')}",
        "$map(body.lines, function($line) { $line.no * 2 })",
        "body.missing.thing",
        "$exists(body.missing) ? 'yes' : 'no'",
        "$count(body.empty)",
        "body.lines[-1].no",
        "$uppercase(body.reason.id) & '-' & $substringBefore(body.id, '-')",
        "body ~> |reason|{'category': 'other'}|",
        "($total := function($list) { $sum($list) }; $total([1, 2, 3]))",
        "$sort(body.lines, function($a, $b) { $a.no < $b.no }).no",
        "body.lines^(>no).no",
        "$pad('7', -3, '0')",
        "$pad('ab', 5) & '|'",
        "$type(body.quantity.value)",
    ],
)
def test_same_as_the_reference(text: str) -> None:
    assert jsonata.compile(text).evaluate(BODY) == Jsonata(text).evaluate(BODY)


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("a = ", 4), ("body.x = 'mech", 10), ("a b", 3), ("a.[1,)", 6), ("a ? )", 5), ("foo | bar", 5), ("'\\q'", 3),
        ("", 1), ("{'a':}", 6), ("$f(", 4), ("a and ]", 7), ("`x", 1),
    ],
)  # fmt: skip
def test_syntax_errors_have_their_place(text: str, column: int) -> None:
    with pytest.raises(ExpressionError, match=f"at column {column} in the expression") as caught:
        jsonata.compile(text)
    assert caught.value.position == column - 1


def test_places_in_several_lines() -> None:
    with pytest.raises(ExpressionError, match="at line 3, column 2"):
        jsonata.compile("a\n and\n ) b")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("($f := function($n) { $f($n + 1) }; $f(1))", "timeout"),
        ("($f := function($n) { 1 + $f($n + 1) }; $f(1))", "tack overflow"),
        ("[1..1000000]", "maximum sequence length"),
        ("[1..90000].[1..9]", "larger than 100000 elements|maximum sequence length|timeout"),
        ("$pad('x', 1000000000)", r"\$pad to a width over 20000"),
        ("$join([1..50000].$pad('x', 1000))", "larger than 100000 elements or 4000000 characters|timeout"),
        ("1 / 0", "not a finite number"),
        ("1e308 * 10", "not a finite number|out of range"),
        ("$now()", "gives another answer each time"),
        ("$millis()", "gives another answer each time"),
        ("$random()", "gives another answer each time"),
        ("$shuffle([1, 2])", "gives another answer each time"),
        ("$eval('1 + 1')", "gives another answer each time"),
        ("$nothing(1)", "non-function"),
        ("body.id + 1", "number"),
    ],
)
def test_everything_ends_soon(text: str, reason: str) -> None:
    started = time.monotonic()
    with pytest.raises(ExpressionError, match=reason) as caught:
        jsonata.compile(text).evaluate(BODY)
    assert caught.value.position is None
    assert time.monotonic() - started < 5


def test_too_long_and_too_deep() -> None:
    with pytest.raises(ExpressionError, match="longer than 20000"):
        jsonata.compile("a+" * 20_000 + "a")
    with pytest.raises(ExpressionError, match="nesting depth"):
        jsonata.compile("(" * 5_000 + "1" + ")" * 5_000)
    data: dict[str, Any] = {}
    inner = data
    for _ in range(5_000):
        inner["a"] = inner = {}
    with pytest.raises(ExpressionError, match="nested deeper than 200"):
        jsonata.compile("a").evaluate(data)


def test_numbers_stay_exact() -> None:
    evaluate = jsonata.compile("x").evaluate
    assert evaluate({"x": Decimal("0.1")}) == "0.1"
    assert evaluate({"x": Decimal("1E+3")}) == "1000"
    assert evaluate({"x": 2**53 - 1}) == 2**53 - 1
    assert evaluate({"x": 2**53 + 1}) == "9007199254740993"
    assert evaluate({"x": -(10**30)}) == "-1" + "0" * 30
    assert evaluate({"x": (1, 2)}) == [1, 2]
    assert evaluate({"x": date(2026, 3, 2)}) == "2026-03-02"
    assert evaluate({"x": True}) is True


@pytest.mark.parametrize("value", [b"bytes", {1, 2}, object(), float("nan"), float("inf"), "\ud800"])
def test_what_is_no_json_is_refused(value: object) -> None:
    with pytest.raises(ExpressionError):
        jsonata.compile("x").evaluate({"x": value})


@given(st.integers())
def test_integers_never_change(number: int) -> None:
    assert int(jsonata.compile("x").evaluate({"x": number})) == number


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_decimals_never_change(number: Decimal) -> None:
    assert Decimal(jsonata.compile("x").evaluate({"x": number})) == number


@settings(max_examples=200)
@given(st.text(alphabet="ab.()[]{}$'\" \n+*=<>:?|~^%@#&0,`/\\", max_size=40))
def test_any_text_compiles_or_says_where_it_is_wrong(text: str) -> None:
    try:
        jsonata.compile(text)
    except ExpressionError as error:
        assert error.position is None or 0 <= error.position <= len(text)


def test_threads_may_share_an_expression() -> None:
    expression, seen = jsonata.compile("a * 2"), []
    threads = [threading.Thread(target=lambda n=n: seen.append(expression.evaluate({"a": n}))) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == [0, 2, 4, 6, 8, 10, 12, 14]


def test_what_expressions_see_of_a_message() -> None:
    at = datetime(2026, 3, 2, 6, tzinfo=UTC)
    body = Downtime(id="D-1", equipment_id="CAPPER1", start_time=at)
    message = Message.of("downtime", body, source="mes", site="lyon", occurred=at, recorded=at, by="mes")
    seen = environment(message)
    assert tuple(seen) == ENVIRONMENT
    assert jsonata.compile("body.equipment_id & ' ' & verb & ' ' & action").evaluate(seen) == "CAPPER1 sync Change"
    assert environment(Message.of(
        "material", None, source="erp", site="lyon", occurred=at, recorded=at, key="M", lanes=("material:M",),
    ))["body"] is None  # fmt: skip
