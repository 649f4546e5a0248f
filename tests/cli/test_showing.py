"""What systems say is shown as text: it neither colours nor moves anything on the screen, and breaks no table."""

from __future__ import annotations

import io
import sys
from datetime import UTC, datetime

import pytest

from mombus.cli.live import LiveTable
from mombus.cli.showing import print_table
from mombus.delivery.target import Hop, State

HOSTILE = ["PO[/b]", "[red]PO[/red]", "a[/nowhere]", "\x1b[2J\x1b[31mgone", "two\r\nlines", "\x07\u202eback"]


def shown(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class Screen(io.StringIO):
    def __init__(self, *, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


@pytest.mark.parametrize("terminal", [True, False])
def test_a_table_shows_hostile_text_as_it_is(monkeypatch: pytest.MonkeyPatch, terminal: bool) -> None:
    screen = Screen(terminal=terminal)
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr(sys, "stdout", screen)
    print_table(("id", "reason"), [(str(number), text) for number, text in enumerate(HOSTILE)], empty="nothing")
    lines = screen.getvalue().splitlines()
    assert len(lines) == 1 + len(HOSTILE)
    for line, text in zip(lines[1:], HOSTILE, strict=True):
        assert shown(text) in line
    assert not {"\x1b", "\r", "\x07", "\u202e"} & set("".join(lines).replace("\x1b[0m", "").replace("\x1b[1m", ""))


@pytest.mark.parametrize("text", HOSTILE)
def test_the_live_table_survives_hostile_keys(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    screen = Screen(terminal=True)
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr(sys, "stdout", screen)
    hop = Hop(
        at=datetime.now(UTC), target="erp", state=State.PARKED, message_id="1", object="production_order", key="K",
        reason=text,
    )  # fmt: skip
    with LiveTable(UTC) as table:
        table.hop(hop)
    assert shown(text)[:10] in screen.getvalue(), "a dumb terminal has room for the beginning"
