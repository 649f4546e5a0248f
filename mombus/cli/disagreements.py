"""`mombus disagreements`: who states something else than the owner, and what the process owner decides about it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mombus.cli.asking import Folder, Json, ask, whoami, zone_of
from mombus.cli.completing import object_names, system_names
from mombus.cli.exits import Exit
from mombus.cli.showing import print_json, print_table, printable
from mombus.web.words import day, span

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import tzinfo

app = typer.Typer(rich_markup_mode=None, add_completion=False, pretty_exceptions_enable=False)

Number = Annotated[int, typer.Argument(help="Its number, as `mombus disagreements` shows it.")]
Why = Annotated[str, typer.Option("--why", help="Why: kept in the audit trail.", prompt="Why")]
Who = Annotated[str | None, typer.Option("--who", help="Who decides. Default: you, by your login name.")]


@app.callback(invoke_without_command=True)
def listed(
    context: typer.Context,
    standing: Annotated[
        str, typer.Option("--standing", help="open, tolerated, closed or all; by default those that are open.")
    ] = "open",
    object: Annotated[
        str | None, typer.Option("--object", help="Only of this data object.", autocompletion=object_names)
    ] = None,
    system: Annotated[
        str | None, typer.Option("--system", help="Only what this system says otherwise.", autocompletion=system_names)
    ] = None,
    owner: Annotated[
        str | None, typer.Option("--owner", help="Only about what this system owns.", autocompletion=system_names)
    ] = None,
    process_owner: Annotated[
        str | None, typer.Option("--process-owner", help="Only those that this one answers for.")
    ] = None,
    key: Annotated[str | None, typer.Option("--key", help="Only those with this in their key.")] = None,
    folder: Folder = None,
    as_json: Json = False,
) -> int:
    """List who states something else than the owner, what and since when; `show` tells more of one.

    Exit code 0: nobody; 1: somebody does.
    """
    if context.invoked_subcommand is not None:
        return Exit.OK
    wanted = {"object": object, "system": system, "owner": owner, "process_owner": process_owner, "key": key}
    given = {name: value for name, value in wanted.items() if value is not None}
    found = ask(folder, "disagreements", standing=standing, **given)
    if as_json:
        print_json(found)
    else:
        _print(found)
    return Exit.FINDINGS if found["rows"] else Exit.OK


def _print(found: Mapping[str, Any]) -> None:
    shown = (
        (row["number"], row["object"], row["name"], row["owner"], row["system"], row["about"], span(row["age_s"]),
         row["times"], row["process_owner"] or "", _state(row))
        for row in found["rows"]
    )  # fmt: skip
    print_table(
        ("number", "object", "key", "owner", "says otherwise", "about", "for", "times", "process owner", "state"),
        shown, empty="No such disagreement.",
    )  # fmt: skip
    if found["more"]:
        typer.echo("There are older ones: narrow it down, by --object say.", err=True)
    if found["rows"]:
        typer.echo("`mombus disagreements show NUMBER` tells what each says, and what may be decided.", err=True)


def _state(row: Mapping[str, Any]) -> str:
    decided = row["decided"]
    return f"{row['standing']}; {decided['decision']}: {decided['effect']['text']}" if decided else row["standing"]


@app.command("show")
def show(number: Number, folder: Folder = None, as_json: Json = False) -> int:
    """Show one side by side: what the owner says, what the other says, and what may be decided."""
    found = ask(folder, "disagreements_show", number=number)
    if as_json:
        print_json(found)
        return Exit.OK
    row = found["row"]
    typer.echo(printable(
        f"{row['object']} {row['name']}: {row['system']} says otherwise than {row['owner']} "
        f"for {span(row['age_s'])}, {row['times']} times, last by {row['message_id']}"
    ))  # fmt: skip
    differences = ((one["path"], _said(one["owner_says"]), _said(one["said"])) for one in found["differences"])
    print_table(("field", f"{row['owner']} (owner)", row["system"]), differences, empty=row["about"])
    for line in _choices(row, found["may"], zone_of(folder)):
        typer.echo(printable(line))
    return Exit.OK


def _said(value: Any) -> str:
    return "nothing" if value is None else value if isinstance(value, str) else json.dumps(value)


def _choices(row: Mapping[str, Any], may: Mapping[str, str], zone: tzinfo) -> list[str]:
    if row["closed"]:
        return [f"closed {day(row['closed'], zone)}: {row['how']}"]
    until = {"tolerate": " --until 7d"}
    return [
        f"{decision}: {why}" if why else f"`mombus disagreements {decision} {row['number']}{until.get(decision, '')}`"
        for decision, why in may.items()
    ]


@app.command("adopt")
def adopt(number: Number, why: Why, who: Who = None, folder: Folder = None, as_json: Json = False) -> int:
    """The other is right: ask the owner to say what it says."""
    return _decide(folder, number, "adopt", why, who, as_json=as_json)


@app.command("overrule")
def overrule(number: Number, why: Why, who: Who = None, folder: Folder = None, as_json: Json = False) -> int:
    """The owner is right: send what it says again to the one that says otherwise."""
    return _decide(folder, number, "overrule", why, who, as_json=as_json)


@app.command("tolerate")
def tolerate(
    number: Number,
    until: Annotated[str, typer.Option("--until", help="Until when: a time of the plant, or 8h or 7d from now.")],
    why: Why,
    who: Who = None,
    folder: Folder = None,
    as_json: Json = False,
) -> int:
    """Let both stand until a time, or until one of them says something new."""
    return _decide(folder, number, "tolerate", why, who, as_json=as_json, until=until)


@app.command("requests")
def requests(folder: Folder = None, as_json: Json = False) -> int:
    """List who waits for an owner's answer."""
    found = ask(folder, "disagreements_requests")
    if as_json:
        print_json(found)
        return Exit.OK
    zone = zone_of(folder)
    shown = (
        (row["asker"], row["owner"], row["verb"], row["object"], row["name"], span(row["age_s"]),
         "told" if row["told"] else day(row["expires"], zone))
        for row in found["rows"]
    )  # fmt: skip
    columns = ("asks", "owner", "verb", "object", "key", "for", f"expires ({zone})")
    print_table(columns, shown, empty="Every request is answered.")
    if found["more"]:
        typer.echo(f"the newest {len(found['rows'])}; there are older ones", err=True)
    return Exit.OK


def _decide(
    folder: Path | None, number: int, decision: str, why: str, who: str | None, *, as_json: bool, **more: Any
) -> int:  # fmt: skip
    done = ask(
        folder, "disagreements_decide", number=number, decision=decision, why=why, who=who or whoami(), **more
    )  # fmt: skip
    if as_json:
        print_json(done)
    else:
        typer.echo(printable(done["text"]))
    return Exit.OK
