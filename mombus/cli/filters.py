"""The options by which messages are chosen, the same for every command that does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mombus.cli.asking import ask, whoami
from mombus.cli.completing import object_names, route_names, search_names, system_names
from mombus.cli.exits import Exit

if TYPE_CHECKING:
    from pathlib import Path

Many = list[str] | None
Order = Annotated[Many, typer.Option("--order", help="About this order, of any kind.")]
Lot = Annotated[Many, typer.Option("--lot", help="About this lot.")]
Equipment = Annotated[Many, typer.Option("--equipment", help="Names this piece of equipment.")]
Material = Annotated[Many, typer.Option("--material", help="Names this material.")]
Document = Annotated[Many, typer.Option("--document", help="With this number, its own or one in a target.")]
Ref = Annotated[Many, typer.Option("--ref", help="Names this thing, such as person=P-7.")]
Object = Annotated[Many, typer.Option("--object", help="Of this data object.", autocompletion=object_names)]
Verb = Annotated[Many, typer.Option("--verb", help="With this verb, such as sync or process.")]
Key = Annotated[Many, typer.Option("--key", help="About the thing with this key.")]
Source = Annotated[Many, typer.Option("--source", help="What this system said.", autocompletion=system_names)]
Target = Annotated[
    Many, typer.Option("--target", help="What went to this system, or waits for it.", autocompletion=system_names)
]
System = Annotated[
    Many,
    typer.Option("--system", help="What this system said or got, or what waits for it.", autocompletion=system_names),
]
Route = Annotated[
    str | None, typer.Option("--route", help="By this route, as 'OBJECT>TARGET'.", autocompletion=route_names)
]
State = Annotated[
    Many, typer.Option("--state", help="What it has come to: delivered, rejected, waiting, parked, 'in doubt' …")
]
Attempts = Annotated[int | None, typer.Option("--attempts", min=1, help="Tried at least so often at a target.")]
Text = Annotated[str | None, typer.Option("--text", help="Has all of these words; `word*` for a beginning.")]
Since = Annotated[
    str | None, typer.Option("--since", help="Stored since: '2026-03-02 06:00' (the plant's time), 06:00, or 4h ago.")
]
Until = Annotated[str | None, typer.Option("--until", help="Stored before then.")]
Saved = Annotated[
    str | None,
    typer.Option(
        "--saved",
        help="The filters of this saved search; what else is given replaces its own.",
        autocompletion=search_names,
    ),
]


def given(folder: Path | None, saved: str | None, **options: Any) -> dict[str, Any]:
    """What is asked for: what was given, over what the saved search has. Exits with 64 when there is no such search."""
    kept = dict(_saved(folder, saved)["search"]) if saved else {}
    return {**kept, **{name: value for name, value in options.items() if value}}


def _saved(folder: Path | None, name: str) -> dict[str, Any]:
    """One's own search of that name, or one that somebody shares."""
    there: list[dict[str, Any]] = ask(folder, "searches_list", who=whoami())
    for row in there:
        if row["name"] == name:
            return row
    names = ", ".join(dict.fromkeys(row["name"] for row in there)) or "none: `mombus messages … --save NAME` keeps one"
    typer.echo(f"There is no saved search '{name}'. There is {names}.", err=True)
    raise typer.Exit(Exit.USAGE)
