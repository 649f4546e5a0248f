"""What a person decides about what waits and what is kept: one thing by its id, or all that is chosen (`--all`)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from mombus.cli.asking import Folder, Json, ask, whoami, why_of
from mombus.cli.bulk import decide_all
from mombus.cli.completing import object_names, system_names
from mombus.cli.exits import Exit
from mombus.cli.showing import printable

Target = Annotated[str | None, typer.Argument(help="The target system.", autocompletion=system_names)]
Id = Annotated[
    str | None, typer.Argument(help="The message's id as `mombus waiting` shows it; its beginning is enough.")
]
KeptId = Annotated[str | None, typer.Argument(help="The item's id as `mombus kept` shows it; its beginning is enough.")]
Why = Annotated[str | None, typer.Option("--why", help="Why: kept in the audit trail. Asked for if not given.")]
Who = Annotated[str | None, typer.Option("--who", help="Who decides. Default: you, by your login name.")]
Document = Annotated[str | None, typer.Option("--document", help="With sent: the number it got in the target.")]
All = Annotated[bool, typer.Option("--all", help="All that is chosen by the options below.")]
ChosenTarget = Annotated[
    str | None, typer.Option("--target", help="With --all: those for this system.", autocompletion=system_names)
]
KeptKind = Annotated[
    str | None, typer.Option("--kind", help="With --all: those of this kind, as `mombus kept` shows it.")
]
ChosenSystem = Annotated[
    str | None, typer.Option("--system", help="With --all: those from this system.", autocompletion=system_names)
]
Kind = Annotated[
    str | None, typer.Option("--kind", help="With --all: those that wait for this reason, such as parked.")
]
Reason = Annotated[str | None, typer.Option("--reason", help="With --all: those whose reason has this text in it.")]
Object = Annotated[
    str | None, typer.Option("--object", help="With --all: those of this data object.", autocompletion=object_names)
]
Lane = Annotated[str | None, typer.Option("--lane", help="With --all: those of this lane, such as order:PO-4711.")]
Older = Annotated[str | None, typer.Option("--older", help="With --all: those that have waited longer, such as 1h.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="With --all: show what would be chosen, change nothing.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="With --all: don't ask back.")]


def _decision(command: str, text: str) -> Callable[..., int]:
    """A command about waiting messages."""

    def decide(
        target: Target = None, message_id: Id = None, everything: All = False, to: ChosenTarget = None,
        kind: Kind = None, reason: Reason = None, object: Object = None, lane: Lane = None, older: Older = None,
        dry_run: DryRun = False, yes: Yes = False, why: Why = None, who: Who = None, document: Document = None,
        folder: Folder = None, as_json: Json = False,
    ) -> int:  # fmt: skip
        if not everything:
            return _one(command, target, message_id, why, who, folder, document)
        _not_both(message_id)
        choice = {
            "command": command, "target": to or target, "kind": kind, "reason": reason, "object": object, "lane": lane,
            "older": older,
        }  # fmt: skip
        return decide_all(choice, why=why, who=who, dry_run=dry_run, yes=yes, as_json=as_json, folder=folder)

    decide.__doc__ = text
    return decide


def _kept_decision(command: str, text: str) -> Callable[..., int]:
    """A command about kept items."""

    def decide(
        item: KeptId = None, everything: All = False, system: ChosenSystem = None, kind: KeptKind = None,
        reason: Reason = None, older: Older = None, dry_run: DryRun = False, yes: Yes = False, why: Why = None,
        who: Who = None, folder: Folder = None, as_json: Json = False,
    ) -> int:  # fmt: skip
        if not everything:
            _needed(item, "say which one by its id (`mombus kept`), or --all")
            return _told(ask(folder, "do_kept", command=command, id=item, why=why_of(why), who=who or whoami()))
        _not_both(item)
        choice = {"command": command, "target": system, "kind": kind, "reason": reason, "older": older}
        return decide_all(choice, why=why, who=who, dry_run=dry_run, yes=yes, as_json=as_json, folder=folder)

    decide.__doc__ = text
    return decide


release = _decision("release", "Let a waiting message go, also if it names something unknown.")
retry = _decision("retry", "Try a waiting message now.")
hold = _decision("hold", "Keep a waiting message, and what is behind it, until released.")
skip = _decision("skip", "Never send a waiting message; what is behind it goes on.")
sent = _decision("sent", "Say that a message in doubt did take effect.")
not_sent = _decision("not_sent", "Say that a message in doubt did not take effect: it is sent.")
take = _kept_decision("take", "Try a kept message again, after its cause is gone.")
dismiss = _kept_decision("dismiss", "Say that a kept item is dealt with.")


def _one(
    command: str, target: str | None, id: str | None, why: str | None, who: str | None, folder: Path | None,
    document: str | None = None,
) -> int:  # fmt: skip
    _needed(target, "say the target system and the message's id (`mombus waiting`), or --all")
    _needed(id, "say the message's id (`mombus waiting`), or --all")
    asked = {"command": command, "target": target, "id": id, "why": why_of(why), "who": who or whoami()}
    return _told(ask(folder, "do", **asked, document=document))


def _needed(given: str | None, text: str) -> None:
    if given is None:
        typer.echo(text, err=True)
        raise typer.Exit(Exit.USAGE)


def _not_both(id: str | None) -> None:
    """One that is named and --all contradict each other: what is meant isn't guessed."""
    if id is not None:
        typer.echo("say either one by its id, or --all", err=True)
        raise typer.Exit(Exit.USAGE)


def _told(done: dict[str, Any]) -> int:
    typer.echo(printable(done["text"]))
    return Exit.OK if done["ok"] else Exit.FINDINGS
