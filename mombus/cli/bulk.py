"""Bulk actions on the command line: what is chosen is shown first, then its progress until all is done."""

from __future__ import annotations

import json
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mombus.cli.asking import Folder, Json, ask, going_on, whoami, why_of
from mombus.cli.exits import Exit
from mombus.cli.showing import print_json, print_table, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

LOOK_S = 0.2


def decide_all(
    choice: Mapping[str, Any], *, why: str | None, who: str | None, dry_run: bool, yes: bool, as_json: bool,
    folder: Path | None,
) -> int:  # fmt: skip
    """Show what is chosen, ask back, begin, and follow it to its end. With JSON, one line for each look."""
    seen = ask(folder, "bulk_preview", **choice)
    if as_json:
        _line(seen)
    else:
        _show(seen)
    if dry_run or not seen["count"]:
        return Exit.OK
    command = choice["command"]
    if not yes and not _agreed(f"{command} {seen['count']}?", as_json=as_json):
        typer.echo("Nothing was changed.", err=True)
        return Exit.FINDINGS
    asked = {**choice, "why": why_of(why), "who": who or whoami()}
    return _follow(ask(folder, "bulk_begin", **asked), as_json=as_json, folder=folder)


def bulk(
    id: Annotated[str | None, typer.Argument(help="One action: what each thing got.")] = None,
    cancel: Annotated[bool, typer.Option("--cancel", help="Do nothing more of it.")] = False,
    why: Annotated[str | None, typer.Option("--why", help="Why it is cancelled.")] = None,
    who: Annotated[str | None, typer.Option("--who", help="Who decides. Default: you, by your login name.")] = None,
    folder: Folder = None,
    as_json: Json = False,
) -> int:
    """List what was done to many at once, show one action, or cancel it."""
    if id is None:
        rows = ask(folder, "bulk")
    elif cancel:
        rows = [ask(folder, "bulk_cancel", id=id, why=why_of(why), who=who or whoami())]
    else:
        return _one(ask(folder, "bulk_results", id=id), as_json=as_json)
    if as_json:
        print_json(rows)
    else:
        shown = ((a["id"], a["command"], a["state"], f"{a['done']} of {a['total']}", a["refused"] or "", a["who"],
                  a["selection"], a["why"]) for a in rows)  # fmt: skip
        print_table(("id", "command", "state", "done", "not", "who", "chosen", "why"), shown, empty="None yet.")
    return Exit.OK


def _one(action: Mapping[str, Any], *, as_json: bool) -> int:
    if as_json:
        print_json(action)
    else:
        typer.echo(_summary(action))
        shown = ((r["target"] or "", r["subject"], {True: "yes", False: "no", None: "not yet"}[r["ok"]],
                  r["result"] or "") for r in action["results"])  # fmt: skip
        print_table(("target", "id", "done", "result"), shown, empty="Nothing was chosen.")
        _told_more(action["total"] - len(action["results"]))
    return Exit.FINDINGS if action["refused"] else Exit.OK


def _show(seen: Mapping[str, Any]) -> None:
    shown = ((g["count"], g["object"].replace("_", " "), g["kind"], g["reason"]) for g in seen["groups"])
    print_table(("count", "object", "why", "reason"), shown, empty=f"Nothing is chosen by {seen['choice']}.")
    _told_more(seen["count"] - sum(group["count"] for group in seen["groups"]))


def _told_more(number: int) -> None:
    if number > 0:
        typer.echo(f"and {number} more", err=True)


def _agreed(question: str, *, as_json: bool) -> bool:
    if as_json or not sys.stdin.isatty():
        typer.echo("say --yes to do it without being asked", err=True)
        raise typer.Exit(Exit.USAGE)
    return typer.confirm(question, err=True)


def _follow(action: Mapping[str, Any], *, as_json: bool, folder: Path | None) -> int:
    """Show its progress until it has ended. Leaving doesn't end it."""
    id = action["id"]
    advice = f"`mombus bulk {id}` shows how far it is, `mombus bulk {id} --cancel` ends it."
    with going_on(advice), _bar(action, shown=not as_json) as moved:
        while action["state"] == "running":
            time.sleep(LOOK_S)
            action = ask(folder, "bulk_progress", id=action["id"])
            if as_json:
                _line(action)
            moved(action)
    if not as_json:
        typer.echo(_summary(action))
        if action["refused"]:
            typer.echo(f"`mombus bulk {action['id']}` shows what each got.", err=True)
    return Exit.FINDINGS if action["refused"] or action["state"] != "done" else Exit.OK


@contextmanager
def _bar(action: Mapping[str, Any], *, shown: bool) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """A bar on terminals; nothing elsewhere."""
    if not shown or not sys.stderr.isatty():
        yield lambda _action: None
        return
    from rich.console import Console  # noqa: PLC0415 - only terminals need it
    from rich.progress import Progress  # noqa: PLC0415

    with Progress(console=Console(stderr=True, markup=False)) as bar:
        task = bar.add_task(action["command"], total=action["total"])
        yield lambda now: bar.update(task, completed=now["done"] + now["refused"])


def _summary(action: Mapping[str, Any]) -> str:
    refused = f", {action['refused']} not" if action["refused"] else ""
    return printable(
        f"{action['command']} {action['state']}: {action['done']} of {action['total']}{refused} (bulk {action['id']})"
    )


def _line(said: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(said, ensure_ascii=False) + "\n")
    sys.stdout.flush()
