"""`mombus journey`: one order through every system, in time order."""

from __future__ import annotations

from typing import Annotated

import typer

from mombus.cli.asking import Folder, Json, ask, zone_of
from mombus.cli.exits import Exit
from mombus.cli.showing import print_json, print_table
from mombus.web.words import span, split_second


def journey(
    number: Annotated[str, typer.Argument(help="An order, lot, job, request, equipment or document number.")],
    folder: Folder = None,
    as_json: Json = False,
) -> int:
    """Show every hop of an order or lot in time order, with delays.

    Exit code 0: found; 1: nothing is known by that number.
    """
    found = ask(folder, "journey", number=number)
    hops = found["hops"]
    if as_json:
        print_json(found)
    else:
        zone = zone_of(folder)
        rows = (
            (split_second(hop["at"], zone), hop["object"], _what(hop), hop["key"], hop["source"],
             hop["target"] or "bus", hop["state"], span(hop["delay_s"]), hop["attempts"] or "",
             hop["document"] or hop["reason"] or "")
            for hop in hops
        )  # fmt: skip
        print_table(
            ("time", "object", "verb", "key", "from", "to", "state", "delay", "tries", "document or reason"), rows,
            empty=_nothing(number, found["near"]),
        )  # fmt: skip
        if found["left_out"]:
            typer.echo(f"{found['left_out']} older hops aren't shown.", err=True)
    return Exit.OK if hops else Exit.FINDINGS


def _nothing(number: str, near: list[str]) -> str:
    meant = f"There is {', '.join(near)}." if near else "`mombus status` shows the last messages."
    return f"Nothing is known by the number {number}. {meant}"


def _what(hop: dict[str, str]) -> str:
    return f"{hop['verb']} {hop['action']}" if hop["action"] else hop["verb"]
