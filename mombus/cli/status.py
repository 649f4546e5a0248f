"""`mombus status`: is anything stuck, is every system there."""

from __future__ import annotations

from datetime import datetime
from itertools import repeat
from typing import TYPE_CHECKING, Any

import typer

from mombus.cli.asking import Folder, Json, ask
from mombus.cli.exits import Exit
from mombus.cli.showing import print_json, print_table, printable

if TYPE_CHECKING:
    from collections.abc import Mapping


def status(folder: Folder = None, as_json: Json = False) -> int:
    """Show the systems, the flows and what needs a person.

    Exit code 0: everything flows; 1: something needs a look, or no hub answers.
    """
    found = ask(folder, "status")
    if as_json:
        print_json(found)
    else:
        _show(found)
    return Exit.FINDINGS if found["trouble"] else Exit.OK


def _show(found: Mapping[str, Any]) -> None:
    now = datetime.fromisoformat(found["at"])
    systems = (
        (s["name"], s["kind"], s["health"], s["in_per_minute"], s["out_per_minute"], s["lag"],
         sum(s["waiting"].values()) or "", _ago(s["last_data"], now), s["reason"])
        for s in found["systems"]
    )  # fmt: skip
    print_table(
        ("system", "kind", "state", "in/min", "out/min", "behind", "waiting", "last data", "reason"),
        systems, empty="No systems are declared.",
    )  # fmt: skip
    typer.echo("")
    flows = ((f["object"], f["source"], f["target"] or "", f["per_minute"], f["total"], f["waiting"] or "",
              _ago(f["last"], now), f["state"] or "nothing yet") for f in found["flows"])  # fmt: skip
    print_table(
        ("object", "from", "to", "per min", "total", "waiting", "last", "state"), flows, empty="No routes are declared."
    )
    typer.echo("")
    if len(found["hubs"]) > 1:
        columns = ("hub", "since", "version", "has", "on disk", "reason")
        print_table(columns, map(_hub, found["hubs"], repeat(now)), empty="")
        typer.echo("")
    if not found["trouble"]:
        typer.echo("Everything flows.")
    for line in found["trouble"]:
        typer.echo(f"! {printable(line)}")
    if found["waiting"]:
        typer.echo("`mombus waiting` says what waits and what you may do.")


def _hub(hub: Mapping[str, Any], now: datetime) -> tuple[Any, ...]:
    since = _ago(hub["since"], now)
    if not hub["answers"]:
        quiet = f"no answer for {_ago(hub['heard'], now)}"
        return hub["address"], since, hub["version"], quiet, hub["kept"] or "", hub["reason"]
    kept = sum(spool["items"] for spool in hub["spools"] if not spool["apart"])
    has = ", ".join(hub["leases"]) or "nothing"
    return hub["address"], since, hub["version"], has, kept or "", hub["disk"]["reason"] or ""


def _ago(at: str | None, now: datetime) -> str:
    from mombus.web.words import age  # noqa: PLC0415

    return age(at, now)
