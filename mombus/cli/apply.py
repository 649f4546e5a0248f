"""`mombus apply`: has the running hub take over a configuration, after its plan was shown."""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mombus.cli.asking import Folder, HubError, Json, ask, asked, name_of, the_hub, whoami, why_of
from mombus.cli.exits import Exit
from mombus.cli.placing import placed
from mombus.cli.plan import Saved, new_salt, of_own_files, planned, saved
from mombus.cli.planned import show
from mombus.cli.showing import print_json, printable
from mombus.hub.note import NoHub

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mombus.plan.plan import Plan

Files = Annotated[
    list[Path] | None,
    typer.Argument(
        help="The configuration, or a plan that `mombus plan --out` saved. Default: the files that the hub was started "
        "from, as they are now."
    ),
]
Why = Annotated[str | None, typer.Option("--why", help="Why: kept in the audit trail. Asked for if not given.")]
Who = Annotated[str | None, typer.Option("--who", help="Who decides. Default: you, by your login name.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask back.")]
Skip = Annotated[list[str] | None, typer.Option("--skip", help="A system that goes: what waits for it is never sent.")]
Keep = Annotated[
    list[str] | None,
    typer.Option("--keep", help="A system that goes: what waits for it stays until it is declared again."),
]
Within = Annotated[
    float, typer.Option(help="Seconds that what was stored before may take to be delivered by the old rules.")
]
Unreached = Annotated[
    bool, typer.Option("--unreached", help="Also if a system that is new or changed can't be reached.")
]
LOOK_S = 0.2
AWAY_S = 150.0
"""How long a hub that changes over may not answer; one that answers is waited for, as several hubs take their time."""


def apply(
    files: Files = None, why: Why = None, who: Who = None, yes: Yes = False, skip: Skip = None, keep: Keep = None,
    within: Within = 30.0, unreached: Unreached = False, folder: Folder = None, as_json: Json = False,
) -> int:  # fmt: skip
    """Have the running hub take over a configuration. No message is lost or repeated; when it can't, the old one stays.

    Exit code 0: the hub runs it; 1: it doesn't, for the reason that is told; 78: the configuration has errors.
    """
    is_saved = files is not None and len(files) == 1 and files[0].suffix == ".json"
    before = saved(files[0]) if files and is_saved else None
    salt = before.salt if before else new_salt()
    named = before.files if before else files or []
    told = ask(folder, "plan_make", at=name_of(folder), salt=salt)
    own: list[str] = told["files"]
    others = named if [str(path.absolute()) for path in named] != own else []
    made = planned(others, folder, salt) if others else of_own_files(told)
    if not as_json:
        show(made)
    decided = {*(skip or ()), *(keep or ())}
    if not made.open and not decided:
        if as_json:
            print_json({"state": "nothing to change", "reason": None})
        return Exit.OK
    _check(made, before, decided)
    reason = why_of(why)
    if not yes and not typer.confirm("Have the hub take this over?", err=True):
        typer.echo("Nothing was changed.", err=True)
        return Exit.FINDINGS
    wish = {
        "who": who or whoami(), "why": reason, "base": made.base, "to": made.to, "salt": salt, "skip": skip or [],
        "keep": keep or [], "within_s": within, "unreached": unreached,
    }  # fmt: skip
    with placed(others, own) as place:
        done = _done(folder, wish)
        if done["state"] == "kept":
            place.take_back()
    return _told(done, as_json=as_json)


def _check(made: Plan, before: Saved | None, decided: set[str]) -> None:
    """Exits with 1 when it can't be done as it is."""
    wrong = made.blocked[0] if made.blocked else None
    if before is not None:
        wrong = wrong or _differs(made, before.plan)
    strange = sorted(decided - made.decidable)
    if strange:
        wrong = wrong or f"{', '.join(strange)} doesn't go: --skip and --keep are for systems that are removed"
    undecided = [name for name in made.undecided if name not in decided]
    if undecided:
        wrong = wrong or f"say what becomes of what waits for {', '.join(undecided)}: --skip or --keep"
    if wrong:
        typer.echo(f"Nothing was changed: {printable(wrong)}", err=True)
        raise typer.Exit(Exit.FINDINGS)


def _differs(now: Plan, then: Plan) -> str | None:
    if now.base != then.base:
        return "the hub runs another configuration than when that plan was made; make a new one"
    if now.to != then.to:
        return "the files say something else than when that plan was made; make a new one"
    if {name: n for name, n in now.undecided.items() if n > then.undecided.get(name, 0)}:
        return "more messages wait for what would go than when that plan was made; make a new one"
    return None


def _done(folder: Path | None, wish: dict[str, Any]) -> dict[str, Any]:
    """How the change ended. Exits with 1 when nobody says."""
    with _answered():
        begun: dict[str, Any] = ask(folder, "plan_apply", at=name_of(folder), **wish)
        end, found, step = time.monotonic() + AWAY_S, begun, ""
        while found["state"] == "changing":
            if found["step"] != step:
                step = found["step"]
                typer.echo(f"… {step}", err=True)
            time.sleep(LOOK_S)
            before, found = found, _looked(folder, found, end)
            if found is not before:
                end = time.monotonic() + AWAY_S
        return found if found["number"] == begun["number"] else _by_what_runs(folder, wish, begun)


def _by_what_runs(folder: Path | None, wish: dict[str, Any], begun: dict[str, Any]) -> dict[str, Any]:
    """How it ended where the hub doesn't know any more: it was started again, or has read its files again since."""
    runs = of_own_files(ask(folder, "plan_make", at=name_of(folder), salt=wish["salt"]))
    if runs.base != wish["to"] or runs.open:
        raise HubError("the hub was started again meanwhile, or was told to change once more")
    return {**begun, "state": "applied", "step": ""}


def _looked(folder: Path | None, last: dict[str, Any], end: float) -> dict[str, Any]:
    """How it goes now; while the hub changes over it doesn't answer for a moment."""
    try:
        note = the_hub(folder)
        found: dict[str, Any] = asyncio.run(asked(note, "plan_changed", {}, note.hub))
    except (HubError, NoHub):
        if time.monotonic() > end:
            raise
        return last
    return found


@contextmanager
def _answered() -> Iterator[None]:
    try:
        yield
    except (HubError, NoHub) as error:
        typer.echo(f"{error}. It may have taken it over or not: `mombus plan` tells what it runs.", err=True)
        raise typer.Exit(Exit.FINDINGS) from None


def _told(done: dict[str, Any], *, as_json: bool) -> int:
    if as_json:
        print_json(done)
    elif done["state"] == "kept":
        typer.echo(f"Not taken over, the configuration before works on: {printable(done['reason'] or '')}", err=True)
    else:
        but = f" But {printable(done['reason'])}" if done["reason"] else ""
        typer.echo(f"The hub runs it.{but}", err=True)
    return Exit.FINDINGS if done["state"] == "kept" else Exit.OK
