"""`mombus waiting`, what may be done about it, and the lists of what was not taken in."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mombus.cli.asking import Folder, Json, ask, whoami
from mombus.cli.exits import Exit
from mombus.cli.showing import length, print_json, print_table, printable

Target = Annotated[str, typer.Argument(help="The target system.")]
Id = Annotated[str, typer.Argument(help="The message's id as `mombus waiting` shows it; its beginning is enough.")]
KeptId = Annotated[str, typer.Argument(help="The item's id as `mombus kept` shows it; its beginning is enough.")]
Why = Annotated[str, typer.Option("--why", help="Why: kept in the audit trail.", prompt="Why")]
Who = Annotated[str | None, typer.Option("--who", help="Who decides. Default: you, by your login name.")]

DEEDS = {
    "parked": "retry, skip, or sent", "in doubt": "look in the target, then sent or not-sent",
    "held": "release or skip", "retrying": "retry now, or hold", "behind": "waits for the one before it",
    "awaiting reference": "release to send anyway", "awaiting alias": "add the alias",
    "replayed": "goes when its turn comes, or skip", "awaiting posting": "sent --document NUMBER when it is posted",
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
    return Exit.FINDINGS if any(row["person"] for row in rows) else Exit.OK


def release(target: Target, message_id: Id, why: Why, who: Who = None, folder: Folder = None) -> int:
    """Let a waiting message go, also if it names something unknown."""
    return _do("release", target, message_id, why=why, who=who, folder=folder)


def retry(target: Target, message_id: Id, why: Why, who: Who = None, folder: Folder = None) -> int:
    """Try a waiting message now."""
    return _do("retry", target, message_id, why=why, who=who, folder=folder)


def hold(target: Target, message_id: Id, why: Why, who: Who = None, folder: Folder = None) -> int:
    """Keep a waiting message, and what is behind it, until released."""
    return _do("hold", target, message_id, why=why, who=who, folder=folder)


def skip(target: Target, message_id: Id, why: Why, who: Who = None, folder: Folder = None) -> int:
    """Never send a waiting message; what is behind it goes on."""
    return _do("skip", target, message_id, why=why, who=who, folder=folder)


def sent(
    target: Target,
    message_id: Id,
    why: Why,
    document: Annotated[str | None, typer.Option("--document", help="The number it got in the target.")] = None,
    who: Who = None,
    folder: Folder = None,
) -> int:
    """Say that a message in doubt did take effect."""
    return _do("sent", target, message_id, why=why, who=who, folder=folder, document=document)


def not_sent(target: Target, message_id: Id, why: Why, who: Who = None, folder: Folder = None) -> int:
    """Say that a message in doubt did not take effect: it is sent."""
    return _do("not_sent", target, message_id, why=why, who=who, folder=folder)


def _do(
    command: str, target: str, message_id: str, *, why: str, who: str | None, folder: Any, document: str | None = None
) -> int:
    done = ask(
        folder, "do", command=command, target=target, id=message_id, why=why, who=who or whoami(), document=document
    )
    typer.echo(printable(done["text"]))
    return Exit.OK if done["ok"] else Exit.FINDINGS


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


def take(item: KeptId, why: Why, who: Who = None, folder: Folder = None) -> int:
    """Try a kept message again, after its cause is gone."""
    return _do_kept("take", item, why=why, who=who, folder=folder)


def dismiss(item: KeptId, why: Why, who: Who = None, folder: Folder = None) -> int:
    """Say that a kept item is dealt with."""
    return _do_kept("dismiss", item, why=why, who=who, folder=folder)


def _do_kept(command: str, item: str, *, why: str, who: str | None, folder: Any) -> int:
    done = ask(folder, "do_kept", command=command, id=item, why=why, who=who or whoami())
    typer.echo(done["text"])
    return Exit.OK if done["ok"] else Exit.FINDINGS
