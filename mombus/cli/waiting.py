"""`mombus waiting`, and the lists of what was not taken in."""

from __future__ import annotations

from typing import Annotated

import typer

from mombus.cli.asking import Folder, Json, ask, whoami
from mombus.cli.exits import Exit
from mombus.cli.showing import length, print_json, print_table

Why = Annotated[str, typer.Option("--why", help="Why: kept in the audit trail.", prompt="Why")]
Who = Annotated[str | None, typer.Option("--who", help="Who decides. Default: you, by your login name.")]

MANY = 500
"""So many the hub lists at most."""
DEEDS = {
    "parked": "retry, skip, or sent", "in doubt": "look in the target, then sent or not-sent",
    "held": "release or skip", "retrying": "retry now, or hold", "behind": "waits for the one before it",
    "awaiting reference": "release to send anyway", "awaiting alias": "add the alias",
    "replayed": "goes when its turn comes, or skip", "awaiting posting": "sent --document NUMBER when it is posted",
    "awaiting another": "goes when that is posted, or skip", "awaiting stock": "goes when stock came, or skip",
}  # fmt: skip


def waiting(
    target: Annotated[str | None, typer.Option("--target", help="Only this target.")] = None,
    folder: Folder = None,
    as_json: Json = False,
) -> int:
    """List what waits, why and since when, and what may be done.

    Exit code 0: nothing waits for a person; 1: something does.
    """
    rows = ask(folder, "waiting", target=target)
    if as_json:
        print_json(rows)
    else:
        shown = (
            (row["id"][:10], row["target"], row["object"], row["key"], row["kind"], length(row["age_s"]),
             row["attempts"], row["reason"], DEEDS.get(row["kind"], ""))
            for row in rows
        )  # fmt: skip
        print_table(
            ("id", "target", "object", "key", "why", "age", "tries", "reason", "you may"), shown, empty="Nothing waits."
        )
        if len(rows) >= MANY:
            typer.echo(f"The first {len(rows)}. `mombus status` groups them, `mombus retry --all` chooses.", err=True)
    return Exit.FINDINGS if any(row["person"] for row in rows) else Exit.OK


def resume(
    system: Annotated[str, typer.Argument(help="The halted system.")], why: Why, who: Who = None, folder: Folder = None
) -> int:
    """Let a halted system work again, after its credentials or certificate were mended."""
    done = ask(folder, "resume", system=system, why=why, who=who or whoami())
    typer.echo(done["text"])
    return Exit.OK


def disagreements(folder: Folder = None, as_json: Json = False) -> int:
    """List who states something else than the owner, what and since when.

    Exit code 0: nobody; 1: somebody does.
    """
    rows = ask(folder, "disagreements")
    if as_json:
        print_json(rows)
    else:
        shown = (
            (row["object"], row["key"], row["owner"], row["system"], ", ".join(row["fields"]) or "the whole",
             length(row["age_s"]), row["times"], row["process_owner"] or "")
            for row in rows
        )  # fmt: skip
        print_table(
            ("object", "key", "owner", "says otherwise", "about", "for", "times", "process owner"), shown,
            empty="No open disagreements.",
        )  # fmt: skip
    return Exit.FINDINGS if rows else Exit.OK


def kept(folder: Folder = None, as_json: Json = False) -> int:
    """List what came in and could not be taken, with its reason.

    Exit code 0: nothing; 1: something is kept.
    """
    rows = ask(folder, "kept")
    if as_json:
        print_json(rows)
    else:
        shown = ((row["id"][:10], row["system"], row["kind"], row["place"], length(row["age_s"]), row["reason"])
                 for row in rows)  # fmt: skip
        print_table(("id", "from", "kind", "place", "age", "reason"), shown, empty="Nothing is kept.")
        if rows:
            typer.echo(
                "`mombus take ID` tries a message again, `mombus dismiss ID` says that it is dealt with.", err=True
            )
    return Exit.FINDINGS if rows else Exit.OK
