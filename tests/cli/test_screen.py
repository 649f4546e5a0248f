"""`mombus status --watch`: what needs a look first, and never more lines than the terminal has."""

from __future__ import annotations

from datetime import datetime
from io import StringIO
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Console

from mombus.cli.screen import Away, drawn

AT = "2026-03-02T06:00:00+00:00"


def status(flows: int, **more: Any) -> dict[str, Any]:
    rows = [
        {"object": f"object_{number}", "source": "mes", "target": "erp", "per_minute": 1, "total": 2, "waiting": 0,
         "last": AT, "state": "parked" if number == flows - 1 else "delivered"}
        for number in range(flows)
    ]  # fmt: skip
    return {"at": AT, "site": "lyon", "systems": [], "flows": rows, "hubs": [], "trouble": [], "waiting": []} | more


def shown(found: dict[str, Any] | None, height: int, away: Away | None = None) -> list[str]:
    text = StringIO()
    Console(file=text, width=100, markup=False).print(drawn(found, height, ZoneInfo("Europe/Paris"), away))
    return text.getvalue().splitlines()


def test_what_is_wrong_comes_first_and_what_does_not_fit_is_counted() -> None:
    lines = shown(status(60, trouble=["1 is parked: \x1b[31mred"]), 24)
    assert len(lines) <= 24
    assert lines[1] == "! 1 is parked: \\x1b[31mred"
    first = next(number for number, line in enumerate(lines) if line.startswith("object "))
    assert lines[first + 1].startswith("object_59")
    assert lines[-1].startswith("and ")


def test_nothing_wrong_is_said() -> None:
    lines = shown(status(3), 24)
    assert lines[0].startswith("mombus lyon  07:00:00 Europe/Paris"), "the plant's time"
    assert "Everything flows." in lines


def test_a_small_screen_holds_no_more_than_it_has_lines() -> None:
    for height in range(2, 30):
        lines = shown(status(7), height)
        assert len(lines) <= height
        assert sum("object_" in line for line in lines) in {7, 0} or any(" more by object" in line for line in lines)


def test_a_hub_that_is_away_is_told_above_what_it_said_last() -> None:
    away = Away("no hub runs in .mombus: start one with `mombus run`", datetime.fromisoformat(AT))
    lines = shown(status(3), 24, away)
    assert lines[1] == "! no hub runs in .mombus: start one with `mombus run`"
    assert lines[2].startswith("The hub is away since 07:00:00: below is what it said last; this goes on by itself")
    assert "Everything flows." not in lines
    assert any("object_1" in line for line in lines)
    assert len(shown(None, 24, away)) == 3
