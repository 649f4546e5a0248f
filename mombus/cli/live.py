"""The live table of handovers: redrawn on a terminal, one line each elsewhere."""

from __future__ import annotations

import sys
from collections import Counter, deque
from typing import TYPE_CHECKING, Any, Self

from canonical.objects import shown_key
from mombus.cli.showing import printable
from mombus.web.words import clock, span

if TYPE_CHECKING:
    from datetime import tzinfo

    from mombus.delivery.target import Hop

SHOWN = 25
HIDDEN = frozenset({"filtered", "repeated"})
COLOURS = {"delivered": "green", "parked": "red", "in doubt": "red", "rejected": "red", "retrying": "yellow",
           "waiting": "yellow", "alarm": "red"}  # fmt: skip


class LiveTable:
    """Shows hops as they happen, with times of `zone`. `quiet` shows nothing."""

    def __init__(self, zone: tzinfo, *, quiet: bool = False) -> None:
        self._hops: deque[Hop] = deque(maxlen=SHOWN)
        self._counts: Counter[str] = Counter()
        self._zone, self._quiet = zone, quiet
        self._live: Any = None

    def hop(self, hop: Hop) -> None:
        """Something happened to a message at a target."""
        if self._quiet or hop.state in HIDDEN or not hop.message_id:
            return
        self._hops.append(hop)
        self._counts[hop.state] += 1
        if self._live is None and not sys.stdout.isatty():
            sys.stdout.write("  ".join(_cells(hop, self._zone)).rstrip() + "\n")
            sys.stdout.flush()

    def __enter__(self) -> Self:
        if not self._quiet and sys.stdout.isatty():
            from rich.console import Console  # noqa: PLC0415 - only terminals need it
            from rich.live import Live  # noqa: PLC0415

            self._live = Live(console=Console(markup=False), get_renderable=self._draw, refresh_per_second=4)
            self._live.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Leave the table as it is."""
        if self._live is not None:
            live, self._live = self._live, None
            live.stop()
            self._quiet = True

    def _draw(self) -> Any:
        from rich.table import Table  # noqa: PLC0415

        counted = "  ".join(f"{state} {count}" for state, count in self._counts.most_common())
        table = Table(box=None, pad_edge=False, header_style="bold", caption=counted, caption_justify="left")
        for column in ("time", "object", "key", "to", "state", "delay", "document or reason"):
            table.add_column(column, no_wrap=True, overflow="ellipsis")
        for hop in self._hops:
            table.add_row(*_cells(hop, self._zone), style=COLOURS.get(hop.state, ""))
        return table


def _cells(hop: Hop, zone: tzinfo) -> tuple[str, ...]:
    delay = "" if hop.delay_s is None else span(hop.delay_s)
    return (
        clock(hop.at, zone), hop.object.ljust(20),
        printable(shown_key(hop.object, hop.key)).ljust(24), f"→ {hop.target}".ljust(8),
        hop.state.ljust(10), delay.rjust(7), printable(hop.document or hop.reason),
    )  # fmt: skip
