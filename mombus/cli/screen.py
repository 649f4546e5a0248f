"""The status as it goes on: a screen that is drawn anew on a terminal, lines of JSON elsewhere."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

from mombus.cli.showing import printable
from mombus.cli.status import Table, tables
from mombus.web.words import clock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import tzinfo

    from rich.console import RenderableType

    Status = Mapping[str, Any]

EVERY_S = 1.0
WELL = frozenset({"ok", "delivered", "stored", "nothing yet", "elsewhere"})
BAD = frozenset({"down", "halted", "parked", "in doubt", "rejected"})


def as_lines(look: Callable[[], Status]) -> None:
    """One line of JSON after the other, until Ctrl-C."""
    while True:
        sys.stdout.write(json.dumps(look(), ensure_ascii=False) + "\n")
        sys.stdout.flush()
        time.sleep(EVERY_S)


def on_terminal(look: Callable[[], Status], zone: tzinfo) -> None:
    """Fill the terminal, with the time of `zone`, until Ctrl-C; what was there before comes back then."""
    from rich.console import Console  # noqa: PLC0415 - heavy, and only here
    from rich.live import Live  # noqa: PLC0415

    console = Console(markup=False)
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            live.update(drawn(look(), console.height, zone), refresh=True)
            time.sleep(EVERY_S)


def drawn(found: Status, height: int, zone: tzinfo) -> RenderableType:
    """The screen: what needs a look, then systems and flows; what doesn't fit into `height` lines is counted."""
    from rich.console import Group  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    head = Text(f"mombus {found['site']}  {clock(found['at'], zone)} {zone}  Ctrl-C leaves", style="dim")
    wrong = [Text(f"! {printable(line)}", style="red") for line in found["trouble"]]
    parts: list[RenderableType] = [head, *(wrong or [Text("Everything flows.", style="green")])]
    left = height - len(parts) - 1
    for table in tables(found):
        rows = _worst_first(table)
        shown = rows[: max(1, left - 3)]
        parts += [Text(""), _table(table, shown)]
        if len(rows) > len(shown):
            parts.append(Text(f"and {len(rows) - len(shown)} more", style="dim"))
        left -= len(shown) + 3
    return Group(*parts)


def _worst_first(table: Table) -> Sequence[Sequence[Any]]:
    return sorted(table.rows, key=lambda row: BAD.isdisjoint(map(str, row)))


def _table(table: Table, rows: Sequence[Sequence[Any]]) -> RenderableType:
    from rich.table import Table as Drawn  # noqa: PLC0415

    drawn_table = Drawn(box=None, pad_edge=False, header_style="bold")
    for column in table.columns:
        drawn_table.add_column(column, no_wrap=True, overflow="ellipsis")
    for row in rows:
        cells = [printable(str(cell)) for cell in row]
        style = "red" if not BAD.isdisjoint(cells) else "" if not WELL.isdisjoint(cells) else "yellow"
        drawn_table.add_row(*cells, style=style)
    return drawn_table
