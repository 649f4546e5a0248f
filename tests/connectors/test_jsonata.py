"""JSONata within limits: the same answers as the reference implementation, and an end to everything."""

from __future__ import annotations

import gc
import signal
import subprocess
import sys
import threading
import time
from contextlib import nullcontext, suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import jsonatapy
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonata import Jsonata
from patience import PATIENCE_S

from canonical.isa95.events import Downtime
from canonical.message import Message
from connectors import jsonata, jsonata_limits
from connectors.jsonata import ENVIRONMENT, ExpressionError, environment
from connectors.jsonata_names import BUILT_IN

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


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("$fromMilis(at)", "there is no $fromMilis; did you mean $fromMillis? at column 1"),
        ("{'n': $totl, 'of': ($total := 3)}", "there is no $totl; did you mean $total? at column 7"),
        ("a ~> $Sum", "there is no $Sum; did you mean $sum? at column 6"),
        ("$map(a, function($v, $i) { $w })", "there is no $w at column 28"),
    ],
)
def test_a_name_that_nobody_gives_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        jsonata.compile(text)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "$map(a, function($v, $i) { $v + $i })", "($f := function($x)<n:n>{ $x }; $f(1))", "$$.a & $.b",
        "a#$i.{'n': $i}",
        "'$price' & `$cost` /* $note */", "$replace(a, /\\$x$/, '')",
        """$replace(a, /"([a-z]+)/, "$1")""", "a ~> /b$c|$/", "(/* a/b $x */ a)", "$.$string(a)",
        "($x := 1; $x := 2; $x)",
    ],
)  # fmt: skip
def test_names_that_the_expression_gives_are_known(text: str) -> None:
    jsonata.compile(text)


def test_every_function_of_the_language_is_known() -> None:
    for name in BUILT_IN:
        assert jsonatapy.compile(f"$type(${name})").evaluate({}) == "function", name


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
        ("$length($pad('x', 20000, $pad('y', 20000)))", None),
        ("($f := function($s, $n) { $n = 0 ? $s : $f($s & $s, $n - 1) }; $f('x', 60))", "timeout"),
        ("$reduce([1..99999], function($a, $b) { $a & 'xxxxxxxx' & $a })", "timeout"),
        ("($f := function($n) { $n > 0 ? $f($n - 1) + $f($n - 1) : 1 }; $f(60))", "timeout"),
        ("$distinct([1..99999])", "maximum sequence length of 10000"),
        ("$count($distinct([1..9000]))", None),
        ("[1..9000]@$a.[1..9000]@$b.{'x': $a}", "joins everything with everything"),
        ("$formatInteger(1000000000000, 'I')", "Roman numerals over 100000"),
        ("$fromMillis(0, '[Y' & $pad('', 10000, '0') & ']')", "with a text over 500 characters"),
        ("$formatNumber(1, $pad('', 10000, '0'))", "with a text over 500 characters"),
        ("$formatBase(1e300, 1)", "radix|base"),
        ("$match($join([1..9000].'a') & '!', /^(a+)+$/)", None),
        ("$contains($join([1..9000].'a'), /(a*)*b/)", None),
        ("$match('a', /((((a{1000}){1000}){1000}){1000})/)", "exceeds size limit"),
        ("$match('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!', /(a*)*\\1$/)", "ackreference|egex"),
        ("$error($pad('', 19000, 'x'))", "x{250}"),
        ("$map([1..9999], function($v) { $distinct([1..9999]) })", "timeout"),
        ("body.id(1)", "non-function"),
        ("body.id + 1", "number"),
    ],
)
def test_everything_ends_soon(text: str, reason: str | None) -> None:
    """It fails with that reason, or is harmless; the time is many times what it takes."""
    started = time.monotonic()
    with nullcontext() if reason is None else pytest.raises(ExpressionError, match=reason) as caught:
        jsonata.compile(text).evaluate(BODY)
    assert reason is None or caught.value.position is None
    assert reason is None or len(str(caught.value)) < 1000
    assert time.monotonic() - started < PATIENCE_S


def test_a_mistake_in_a_long_expression_is_found_soon_or_not_at_all() -> None:
    started = time.monotonic()
    for text in ("a" + ".a" * 9000, "-" * 15_000 + "1", "1+" * 9_999 + "'"):
        with pytest.raises(ExpressionError):
            jsonata.compile(text)
    assert time.monotonic() - started < PATIENCE_S


def test_a_bug_of_the_engine_is_an_error_of_the_expression(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonata_limits, "MOST_PICTURE", 50_000)
    expression = jsonata.compile("$fromMillis(0, '[Y' & $pad('', 10000, '0') & ']')")
    with pytest.raises(ExpressionError, match="the engine gave up"):
        expression.evaluate(BODY)


@pytest.mark.parametrize(
    "text", ["$distinct(o.v)", "$ ~> |o|{'z': 1}|", "$match(s, /a/)", "$replace(s, 'a', 'bbbb')", "$split(s, '')"]
)
def test_what_may_take_long_sees_little(text: str) -> None:
    """A step that can't be stopped is refused for much data, and is quick for as much as it may see."""
    few: dict[str, Any] = {"o": [{"v": str(number)} for number in range(500)], "s": "a" * 9_000}
    started = time.monotonic()
    assert jsonata.compile(text).evaluate(few)
    assert time.monotonic() - started < PATIENCE_S
    for many in ({"o": [{"v": 1}] * 20_000, "s": "a"}, {"o": [], "s": "a" * 1_000_001}):
        with pytest.raises(ExpressionError, match="see at most"):
            jsonata.compile(text).evaluate(many)


def test_functions_of_ours_answer_as_the_engines_own() -> None:
    for text, answer in (
        ("$formatInteger(1999, 'I')", "MCMXCIX"), ("$formatInteger(12, 'w')", "twelve"),
        ("$formatInteger(nothing, 'w')", None), ("$formatNumber(1234.5, '#,##0.00')", "1,234.50"),
        ("$formatNumber(nothing, '0')", None), ("$toMillis('1970-01-01T00:00:01Z')", 1000),
        ("$toMillis(nothing)", None),
        ("$fromMillis(0)", "1970-01-01T00:00:00.000Z"), ("$fromMillis(0, '[Y0001]')", "1970"),
        ("$parseInteger('twelve', 'w')", 12), ("$pad('x', -3, 'ab')", "abx"), ("$pad('x', 3)", "x  "),
        ("[1, 2].$formatInteger($, 'I')", ["I", "II"]), ("'@$' & \"@$\"", "@$@$"),
    ):  # fmt: skip
        assert jsonata.compile(text).evaluate({}) == answer, text


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


def test_an_expression_may_be_dropped_by_any_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine refuses to be dropped by another thread than the one that made it, and leaks."""
    troubles: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", troubles.append)
    made = [jsonata.compile("a + 1"), jsonata.compile("a + 2")]

    def drop() -> None:
        assert made[0].evaluate({"a": 1}) == 2
        made.clear()
        gc.collect()

    thread = threading.Thread(target=drop)
    thread.start()
    thread.join()
    gc.collect()
    assert (made, troubles) == ([], [])


STOOD_STILL = """
from connectors.jsonata import compile
sum = compile("$sum([1..a].($ * 2))")
print("begins", flush=True)
for _ in range(60):
    assert sum.evaluate({"a": 20000}) == 400020000
"""


WORKS_S = 0.04
"""How long it works between two stops, by its own clock, whoever else wants the processor: some evaluations long."""


def test_a_machine_that_stands_still_fails_no_expression() -> None:
    stops = 0
    with subprocess.Popen([sys.executable, "-c", STOOD_STILL], stdout=subprocess.PIPE) as working:
        assert working.stdout
        working.stdout.readline()
        while _works(working):
            working.send_signal(signal.SIGSTOP)
            time.sleep(jsonata.TIMEOUT_MS / 1000 + 0.05)
            working.send_signal(signal.SIGCONT)
            stops += 1
    assert working.returncode == 0
    assert stops


def _works(process: subprocess.Popen[bytes]) -> bool:
    """True once it has worked for a while again, False when it has ended."""
    worker = psutil.Process(process.pid)
    began = sum(worker.cpu_times()[:2])
    while process.poll() is None:
        with suppress(psutil.Error):
            if sum(worker.cpu_times()[:2]) - began >= WORKS_S:
                return True
        time.sleep(0.005)
    return False


def test_a_thread_keeps_a_bounded_number_of_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonata, "KEPT", 3)
    monkeypatch.setattr(jsonata, "_this_thread", threading.local())
    expressions = [jsonata.compile(f"a + {number}") for number in range(9)]
    assert [one.evaluate({"a": 1}) for one in expressions] == list(range(1, 10))
    assert jsonata._this_thread.engine.cache_info().currsize == 3


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
