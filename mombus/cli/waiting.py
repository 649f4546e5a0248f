"""`mombus waiting`, and the lists of what was not taken in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mombus.cli.asking import Folder, Json, ask, whoami, why_of
from mombus.cli.completing import system_names
from mombus.cli.exits import Exit
from mombus.cli.showing import print_json, print_table, printable
from mombus.desk.waiting import MOST
from mombus.web.words import span

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

Why = Annotated[str | None, typer.Option("--why", help="Why: kept in the audit trail. Asked for if not given.")]
Who = Annotated[str | None, typer.Option("--who", help="Who decides. Default: you, by your login name.")]


def waiting(
    target: Annotated[
        str | None, typer.Option("--target", help="Only this target.", autocompletion=system_names)
    ] = None,
    each: Annotated[bool, typer.Option("--each", help="Each message on a line of its own.")] = False,
    folder: Folder = None,
    as_json: Json = False,
) -> int:
    """List what waits, a paragraph for each cause: how many, since when, which orders, and what may be done.

    Exit code 0: nothing waits for a person; 1: something does.
    """
    rows = _pages(folder, "waiting", target=target) if each else ask(folder, "causes", target=target)
    if as_json:
        print_json(rows)
    else:
        undelivered = [one for one in ask(folder, "night")["undelivered"] if target in {None, one["target"]}]
        for one in undelivered:
            _show_undelivered(one)
        if each:
            _show_each(rows)
        elif rows or not undelivered:
            _show_causes(rows)
    return Exit.FINDINGS if any(row["person"] for row in rows) else Exit.OK


def _pages(folder: Path | None, name: str, **asked: Any) -> list[dict[str, Any]]:
    """The rows of all pages."""
    rows: list[dict[str, Any]] = []
    after: dict[str, Any] = {}
    while True:
        page = ask(folder, name, limit=MOST, **after, **asked)
        rows += page["rows"]
        if page["next"] is None:
            return rows
        after = {"after": page["next"]}


def _show_causes(causes: Sequence[Mapping[str, Any]]) -> None:
    if not causes:
        typer.echo("Nothing waits.")
    for cause in causes:
        late = f", {cause['late']} late" if cause["late"] else ""
        alike = f" (and {cause['reasons'] - 1} more like it)" if cause["reasons"] > 1 else ""
        typer.echo(printable(
            f"{cause['count']} {cause['kind']} for {cause['target']}, for {span(cause['age_s'])}{late}: "
            f"{cause['reason']}{alike}"
        ))  # fmt: skip
        typer.echo(printable(f"    {_objects(cause['objects'])}; {_orders(cause)}"))
        typer.echo(printable(f"    {cause['do']}"))
    if any(cause["count"] > 1 for cause in causes):
        typer.echo("`mombus waiting --each` lists each message.", err=True)


def _show_undelivered(one: Mapping[str, Any]) -> None:
    """What isn't in the waiting room, because its target is away."""
    late = f", {one['late']} late" if one["late"] else ""
    typer.echo(printable(
        f"{one['count']} for {one['target']}, which is {one['health']}, for {span(one['age_s'])}{late}: {one['reason']}"
    ))  # fmt: skip
    typer.echo(printable(f"    {_objects(one['objects'])}; {_orders(one)}"))
    typer.echo(printable(f"    {one['do']}"))


def _show_each(rows: Sequence[Mapping[str, Any]]) -> None:
    shown = (
        (row["id"][:10], row["target"], row["object"], row["key"], row["kind"], span(row["age_s"]), row["attempts"],
         row["reason"], row["do"])
        for row in rows
    )  # fmt: skip
    print_table(
        ("id", "target", "object", "key", "why", "age", "tries", "reason", "you may"), shown, empty="Nothing waits."
    )


def _objects(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items())


def _orders(cause: Mapping[str, Any]) -> str:
    more = cause["orders_total"] - len(cause["orders"])
    return ", ".join(cause["orders"]) + (f" and {more} more" if more > 0 else "")


def resume(
    system: Annotated[str, typer.Argument(help="The halted system.", autocompletion=system_names)],
    why: Why = None, who: Who = None, folder: Folder = None, as_json: Json = False,
) -> int:  # fmt: skip
    """Let a halted system work again, after its credentials or certificate were mended."""
    done = ask(folder, "resume", system=system, why=why_of(why), who=who or whoami())
    if as_json:
        print_json(done)
    else:
        typer.echo(done["text"])
    return Exit.OK


def kept(folder: Folder = None, as_json: Json = False) -> int:
    """List what came in and could not be taken, with its reason.

    Exit code 0: nothing; 1: something is kept.
    """
    rows = _pages(folder, "kept")
    if as_json:
        print_json(rows)
    else:
        shown = ((row["id"][:10], row["system"], row["kind"], row["place"], span(row["age_s"]), row["reason"])
                 for row in rows)  # fmt: skip
        print_table(("id", "from", "kind", "place", "age", "reason"), shown, empty="Nothing is kept.")
        if rows:
            typer.echo(
                "`mombus take ID` tries a message again, `mombus dismiss ID` says that it is dealt with.", err=True
            )
        for system in sorted({row["system"] for row in rows if row["kind"] == "fault"}):
            typer.echo(
                f"A fault couldn't be read: mend the mapping, then `mombus replay --kept --source {system}`.", err=True
            )
    return Exit.FINDINGS if rows else Exit.OK
