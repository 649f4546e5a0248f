"""`mombus status`: is anything stuck, is every system there."""

from __future__ import annotations

import asyncio
import sys
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from mombus.cli.asking import Folder, Json, ask, asked, the_hub, zone_of
from mombus.cli.exits import Exit
from mombus.cli.showing import print_json, print_table, printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def status(
    folder: Folder = None,
    as_json: Json = False,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Show it anew every second, until q or Ctrl-C.")] = False,
) -> int:
    """Show the systems, the flows and what needs a person.

    With --watch it fills the terminal, what needs a look first, and goes on when the hub was away; with --json as well,
    one line of JSON each second.
    Exit code 0: everything flows; 1: something needs a look, or no hub answers.
    """
    if watch:
        return _watch(folder, as_json=as_json)
    found = ask(folder, "status")
    if as_json:
        print_json(found)
    else:
        _show(found)
    return Exit.FINDINGS if found["trouble"] else Exit.OK


def _watch(folder: Path | None, *, as_json: bool) -> int:
    from mombus.cli.screen import as_lines, on_terminal  # noqa: PLC0415 - only who watches needs it

    try:
        if as_json or not sys.stdout.isatty():
            as_lines(partial(ask, folder, "status"))
        else:
            on_terminal(lambda: asyncio.run(asked(the_hub(folder), "status", {})), zone_of(folder))
    except KeyboardInterrupt:
        return Exit.OK
    return Exit.OK


def _show(found: Mapping[str, Any]) -> None:
    for table in tables(found):
        print_table(table.columns, table.rows, empty=table.empty)
        typer.echo("")
    if not found["trouble"]:
        typer.echo("Everything flows.")
    for line in found["trouble"]:
        typer.echo(f"! {printable(line)}")
    if found["waiting"]:
        typer.echo("`mombus waiting` says what waits and what you may do.")


class Table(NamedTuple):
    """One table of the status; `empty` is said when it has no rows."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    empty: str


def tables(found: Mapping[str, Any]) -> list[Table]:
    """Systems, flows, and hubs where there are several."""
    now = datetime.fromisoformat(found["at"])
    systems = [
        (s["name"], s["kind"], s["health"], s["in_per_minute"], s["out_per_minute"], s["lag"],
         sum(s["waiting"].values()) or "", _ago(s["last_data"], now), s["reason"] or _silent(s))
        for s in found["systems"]
    ]  # fmt: skip
    flows = [
        (f["object"], f["source"], f["target"] or "", f["per_minute"], f["total"], f["waiting"] or "",
         _ago(f["last"], now), f["state"] or "nothing yet")
        for f in found["flows"]
    ]  # fmt: skip
    made = [
        Table(
            ("system", "kind", "state", "in/min", "out/min", "behind", "waiting", "last data", "reason"), systems,
            "No systems are declared.",
        ),
        Table(
            ("object", "from", "to", "per min", "total", "waiting", "last", "state"), flows, "No routes are declared."
        ),
    ]  # fmt: skip
    if len(found["hubs"]) > 1:
        hubs = [_hub(hub, now) for hub in found["hubs"]]
        made.append(Table(("hub", "since", "version", "has", "on disk", "reason"), hubs, ""))
    return made


def _hub(hub: Mapping[str, Any], now: datetime) -> tuple[Any, ...]:
    since = _ago(hub["since"], now)
    if not hub["answers"]:
        quiet = f"no answer for {_ago(hub['heard'], now)}"
        return hub["address"], since, hub["version"], quiet, hub["kept"] or "", hub["reason"]
    kept = sum(spool["items"] for spool in hub["spools"] if not spool["apart"])
    has = ", ".join(hub["leases"]) or "nothing"
    return hub["address"], since, hub["version"], has, kept or "", hub["disk"]["reason"] or ""


def _silent(system: Mapping[str, Any]) -> str:
    from mombus.web.words import span  # noqa: PLC0415

    return f"connected, but silent for {span(system['silent_s'])}" if system.get("silent_s") else ""


def _ago(at: str | None, now: datetime) -> str:
    from mombus.web.words import age  # noqa: PLC0415

    return age(at, now)
