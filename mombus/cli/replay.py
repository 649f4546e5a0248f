"""`mombus replay`: history is sent to a target again, looked at first, watched and cancelled."""

from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mombus.cli.asking import Folder, Json, ask, going_on, whoami, why_of, zone_of
from mombus.cli.completing import object_names, system_names
from mombus.cli.corrections import Corrections, rows_of
from mombus.cli.exits import Exit
from mombus.cli.showing import print_json, print_table, printable
from mombus.cli.what_if import what_if
from mombus.web.words import day

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

LOOK_S = 0.5
MANNERS = {"missing": "", "restored": " as if it had lost what it had", "again": " for a SECOND EFFECT each"}

app = typer.Typer(rich_markup_mode=None, add_completion=False, pretty_exceptions_enable=False)

Many = list[str] | None
Order = Annotated[Many, typer.Option("--order", help="About this order, of any kind.")]
Lot = Annotated[Many, typer.Option("--lot", help="About this lot.")]
Equipment = Annotated[Many, typer.Option("--equipment", help="Names this piece of equipment.")]
Ref = Annotated[Many, typer.Option("--ref", help="Names this thing, such as material=FG-1000.")]
Object = Annotated[Many, typer.Option("--object", help="Of this data object.", autocompletion=object_names)]
Key = Annotated[Many, typer.Option("--key", help="About the thing with this key.")]
Id = Annotated[Many, typer.Option("--id", help="The message with this id, or the beginning of it.")]
Source = Annotated[Many, typer.Option("--source", help="What this system said.", autocompletion=system_names)]
Since = Annotated[
    str | None, typer.Option("--since", help="From then on: '2026-03-02 06:00' (the plant's time), 06:00, or 4h ago.")
]
Until = Annotated[str | None, typer.Option("--until", help="Before then.")]
Time = Annotated[str, typer.Option("--time", help="Compare with when it `occurred`, or was `stored`.")]
To = Annotated[
    Many,
    typer.Option(
        "--to", help="The target; several with commas. Nobody else gets anything.", autocompletion=system_names
    ),
]
Why = Annotated[str | None, typer.Option("--why", help="Why: kept in the audit trail.")]
Who = Annotated[str | None, typer.Option("--who", help="Who decides. Default: you, by your login name.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask before sending.")]
NoInput = Annotated[bool, typer.Option("--no-input", help="Never ask: fail where something isn't given.")]


@app.callback(invoke_without_command=True)
def replay(
    context: typer.Context,
    order: Order = None,
    lot: Lot = None,
    equipment: Equipment = None,
    ref: Ref = None,
    object: Object = None,
    key: Key = None,
    id: Id = None,
    source: Source = None,
    since: Since = None,
    until: Until = None,
    moment: Time = "occurred",
    to: To = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would become of each; send nothing.")] = False,
    restored: Annotated[
        bool, typer.Option("--restored", help="The target lost data: don't believe the journal that it has it.")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="A second effect is wanted: send each under a new id.")
    ] = False,
    other: Annotated[
        list[Path] | None,
        typer.Option("--what-if", help="Show what this configuration would have made of it; give overlays after it."),
    ] = None,
    config: Annotated[
        list[Path] | None, typer.Option("--config", help="Today's configuration, to compare. Default: routes.yaml")
    ] = None,
    from_raw: Annotated[
        bool,
        typer.Option("--from-raw", help="Translate the documents it came in again; correct what is different."),
    ] = False,
    kept: Annotated[
        bool, typer.Option("--kept", help="As --from-raw, for the documents whose parts are kept; --source narrows it.")
    ] = False,
    why: Why = None,
    who: Who = None,
    yes: Yes = False,
    no_input: NoInput = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Don't watch: it goes on in the hub.")] = False,
    folder: Folder = None,
    as_json: Json = False,
) -> int | None:
    """Send history to a target again: what it is lacking, or, with --again, everything for a second effect.

    Everything that fits all options is meant. What the target has already has no second effect.
    Exit code 0: done; 1: nothing is selected, or a part of it was parked; 2: other routes would make a difference;
    64: wrong usage; 78: bad configuration.
    """
    if context.invoked_subcommand is not None:
        return None
    selection = _given(
        order=order, lot=lot, equipment=equipment, ref=ref, object=object, key=key, id=id, source=source,
        since=since, until=until, time=moment,
    )  # fmt: skip
    if other:
        return _compared(other, config, selection, to=to, folder=folder, as_json=as_json)
    deed = _deed(who, why, yes=yes, no_input=no_input)
    if from_raw or kept:
        corrections = Corrections(folder, selection, kept=kept, as_json=as_json)
        return corrections.shown() if dry_run else corrections.published(deed)
    wish = _wish(selection, to, again=again, restored=restored)
    if not _selected(folder, selection):
        return Exit.FINDINGS
    if dry_run:
        return _previewed(folder, wish, as_json=as_json)
    wish |= deed(f"Send this to {', '.join(wish['to'])} again{MANNERS[wish['manner']]}?")
    return _sent(folder, wish, no_wait=no_wait, as_json=as_json)


def _compared(
    other: list[Path], config: list[Path] | None, selection: Mapping[str, Any], *, to: Many, folder: Path | None,
    as_json: bool,
) -> int:  # fmt: skip
    """Show what other routes would have made of it."""
    if to:
        raise typer.BadParameter("--what-if compares all targets and sends nothing: leave out --to")
    code, read = what_if(other, config, selection, folder=folder, as_json=as_json)
    return code if read or _selected(folder, selection) else Exit.FINDINGS


def _wish(selection: Mapping[str, Any], to: Many, *, again: bool, restored: bool) -> dict[str, Any]:
    """What the hub is asked for."""
    targets = [name for one in to or () for name in one.split(",") if name]
    if not targets:
        raise typer.BadParameter("say where it goes, as in `--to mes`; a replay never chooses by itself")
    if again and restored:
        raise typer.BadParameter("--again and --restored contradict each other")
    return {"selection": selection, "to": targets, "manner": _manner(again=again, restored=restored)}


def _manner(*, again: bool, restored: bool) -> str:
    return "again" if again else "restored" if restored else "missing"


def _sent(folder: Path | None, wish: Mapping[str, Any], *, no_wait: bool, as_json: bool) -> int:
    """Begin it, and watch it unless told not to."""
    begun = ask(folder, "replay_begin", **wish)
    typer.echo(f"{begun['id']} has begun; `mombus replay cancel {begun['id']}` ends it.", err=True)
    if no_wait:
        if as_json:
            print_json(begun)
        return Exit.OK
    advice = "`mombus replay status` shows how far it is, `mombus replay cancel` ends it."
    with going_on(advice):
        rows = _watched(folder, begun["id"])
    _show(rows, as_json=as_json)
    return Exit.FINDINGS if any("parked" in row["waiting"] for row in rows) else Exit.OK


@app.command()
def status(folder: Folder = None, as_json: Json = False) -> int:
    """List replays and how far they are."""
    _show(ask(folder, "replay_list"), as_json=as_json)
    return Exit.OK


@app.command()
def cancel(
    id: Annotated[str, typer.Argument(help="The replay, or the beginning of its name.")],
    why: Annotated[str, typer.Option("--why", help="Why: kept in the audit trail.", prompt="Why")],
    who: Who = None,
    folder: Folder = None,
    as_json: Json = False,
) -> int:
    """End a replay: what wasn't begun isn't sent."""
    done = ask(folder, "replay_cancel", id=id, who=who or whoami(), why=why)
    if as_json:
        print_json(done)
        return Exit.OK
    typer.echo(f"{done['id']} is cancelled; {done['withdrawn']} messages that were about to go were taken back.")
    return Exit.OK


def _given(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value}


def _selected(folder: Path | None, selection: Mapping[str, Any]) -> bool:
    """Say how much is selected; False if that is nothing."""
    found = ask(folder, "replay_survey", **selection)
    if found["behind"]:
        typer.echo(f"The index is {found['behind']} messages behind: the newest may be missing here.", err=True)
    if not found["count"]:
        typer.echo(f"Nothing is selected by {found['selection']}.", err=True)
        for reason in found["reasons"]:
            typer.echo(printable(f"  {reason}"), err=True)
        return False
    typer.echo(printable(f"{found['count']} messages: {found['selection']}"), err=True)
    for name in ("first", "last"):
        end = found[name]
        typer.echo(printable(f"  {name}: {end['object']} {end['key']}, stored {end['stored']}"), err=True)
    return True


def _previewed(folder: Path | None, wish: Mapping[str, Any], *, as_json: bool) -> int:
    rows = list(rows_of(folder, ask(folder, "replay_preview", **wish)))
    if as_json:
        print_json(rows)
    else:
        zone = zone_of(folder)
        shown = ((row["target"], row["object"], row["key"], row["revision"], day(row["occurred"], zone), row["fate"],
                  row["reason"]) for row in rows)  # fmt: skip
        print_table(("to", "object", "key", "revision", "occurred", "becomes", "because"), shown, empty="Nothing.")
    for target, fates in _counted(rows).items():
        typer.echo(f"Without --dry-run, {target}: {_listed(fates)}. Nothing was sent now.", err=True)
    return Exit.OK


def _counted(rows: Sequence[Mapping[str, Any]]) -> dict[str, Counter[str]]:
    counted: dict[str, Counter[str]] = {}
    for row in rows:
        counted.setdefault(row["target"], Counter())[row["fate"]] += 1
    return counted


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in counts.items()) or "nothing yet"


def _deed(who: str | None, why: str | None, *, yes: bool, no_input: bool) -> Callable[[str], Mapping[str, str]]:
    """Asks whether, and why; returns who decides and why."""

    def asked(question: str) -> Mapping[str, str]:
        reason = _why(why, no_input)
        _sure(question, yes=yes, no_input=no_input)
        return {"who": who or whoami(), "why": reason}

    return asked


def _why(why: str | None, no_input: bool) -> str:
    if no_input and not why:
        raise typer.BadParameter("--why is needed: it is kept in the audit trail")
    return why_of(why)


def _sure(question: str, *, yes: bool, no_input: bool) -> None:
    if yes:
        return
    if no_input:
        raise typer.BadParameter("--yes is needed: nobody is asked before it is sent")
    if not typer.confirm(question, err=True):
        typer.echo("Nothing was sent.", err=True)
        raise typer.Exit(Exit.FINDINGS)


def _watched(folder: Path | None, id: str) -> list[dict[str, Any]]:
    """The rows of a replay once it has ended."""
    told = ""
    while True:
        rows = [row for row in ask(folder, "replay_list") if row["id"] == id]
        if sys.stderr.isatty():
            said = "; ".join(f"{row['target']} {row['judged']} of {row['total']}" for row in rows)
            sys.stderr.write(f"\r{said.ljust(len(told))}")
            told = said
        if all(row["progress"] != "running" for row in rows):
            sys.stderr.write("\n" if told else "")
            return rows
        time.sleep(LOOK_S)


def _show(rows: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print_json(rows)
        return
    shown = (
        (row["id"], row["target"], row["progress"], f"{row['judged']} of {row['total']}", _listed(row["fates"]),
         _listed(row["waiting"]) if row["waiting"] else "", row["selection"], row["who"], row["why"])
        for row in rows
    )  # fmt: skip
    columns = ("replay", "to", "is", "read", "became", "waits", "selection", "who", "why")
    print_table(columns, shown, empty="Nothing was replayed.")
