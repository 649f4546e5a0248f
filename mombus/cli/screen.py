"""The status as it goes on: a screen that is drawn anew on a terminal, lines of JSON elsewhere."""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from mombus.cli.asking import HubError
from mombus.cli.keys import LEAVE, keys
from mombus.cli.showing import printable
from mombus.cli.status import Table, tables
from mombus.hub.note import NoHub
from mombus.web.words import clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import tzinfo

    from rich.console import RenderableType

    Status = Mapping[str, Any]

EVERY_S = 1.0
FRAME, SMALLEST = 2, 4
"""Lines of a table beside its rows, and of the smallest one: a row, and how many more there are."""
LEAVES = frozenset({LEAVE, LEAVE.upper(), "\x04"})
"""q, and Ctrl-D."""
WELL = frozenset({"ok", "delivered", "stored", "nothing yet", "elsewhere"})
BAD = frozenset({"down", "halted", "parked", "in doubt", "rejected"})


def as_lines(look: Callable[[], Status]) -> None:
    """One line of JSON after the other, until Ctrl-C."""
    while True:
        sys.stdout.write(json.dumps(look(), ensure_ascii=False) + "\n")
        sys.stdout.flush()
        time.sleep(EVERY_S)


def on_terminal(look: Callable[[], Status], zone: tzinfo) -> None:
    """Fill the terminal, with the time of `zone`, until q or Ctrl-C; what was there before comes back then.

    `look` raises NoHub or HubError while the hub is away: that is shown above what it said last, until it is back.
    """
    from rich.console import Console  # noqa: PLC0415 - heavy, and only here
    from rich.live import Live  # noqa: PLC0415

    console = Console(markup=False)
    last, away = None, None
    with keys() as pressed, Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            try:
                last, away = look(), None
            except (NoHub, HubError) as error:
                away = Away(str(error), away.since if away else datetime.now(UTC))
            live.update(drawn(last, console.height, zone, away), refresh=True)
            if pressed(EVERY_S) in LEAVES:
                return


class Away(NamedTuple):
    """The hub doesn't answer: why, and since when."""

    why: str
    since: datetime


def drawn(found: Status | None, height: int, zone: tzinfo, away: Away | None = None) -> RenderableType:
    """The screen: what needs a look, then systems and flows; what doesn't fit into `height` lines is counted."""
    from rich.console import Group  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    parts = [*_head(found, zone, away)]
    left = height - len(parts)
    made = tables(found) if found is not None else []
    for after, table in zip(reversed(range(len(made))), made, strict=True):
        rows = _worst_first(table)
        room = max(left - FRAME - SMALLEST * after, SMALLEST - FRAME) if left >= SMALLEST else 0
        shown = rows if len(rows) <= room else rows[: max(room - 1, 0)]
        if room:
            parts += [Text(""), _table(table, shown)]
            left -= FRAME + len(shown)
        if len(rows) > len(shown):
            parts.append(Text(f"and {len(rows) - len(shown)} more by {table.columns[0]}", style="dim"))
            left -= 1
    return Group(*parts[:height])


def _head(found: Status | None, zone: tzinfo, away: Away | None) -> Iterator[RenderableType]:
    from rich.text import Text  # noqa: PLC0415

    named = f"mombus {found['site']}  {clock(found['at'], zone)} {zone}" if found is not None else "mombus"
    yield Text(f"{named}  q leaves", style="dim")
    if away is not None:
        yield Text(f"! {printable(away.why)}", style="red")
        what = "below is what it said last; " if found is not None else ""
        since = clock(away.since.isoformat(), zone)
        yield Text(f"The hub is away since {since}: {what}this goes on by itself when it is back.", style="yellow")
    elif found is not None and not found["trouble"]:
        yield Text("Everything flows.", style="green")
    if found is not None:
        yield from (Text(f"! {printable(line)}", style="red") for line in found["trouble"])


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
