"""`mombus plan`: what a configuration would change at the running hub."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from mombus.cli.asking import Folder, Json, ask, home_of, name_of
from mombus.cli.check import config_or_exit
from mombus.cli.exits import Exit
from mombus.cli.planned import show
from mombus.cli.showing import print_json
from mombus.cli.simulated import simulated_in
from mombus.config.loader import load
from mombus.hub.note import NoHub

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mombus.config.loader import Loaded
    from mombus.config.model import Config
    from mombus.plan.plan import Plan

Files = Annotated[
    list[Path] | None,
    typer.Argument(help="The configuration and files laid over it. Default: those that the hub was started from."),
]
Out = Annotated[Path | None, typer.Option("--out", help="Save the plan there, for `mombus apply`.")]
SALT_BYTES = 16


class Saved(NamedTuple):
    """A plan that was saved, under its salt, and the files it is about; none: the hub's own."""

    plan: Plan
    salt: str
    files: list[Path]


def plan(files: Files = None, out: Out = None, folder: Folder = None, as_json: Json = False) -> int:
    """Show what a configuration would change at the running hub. Nothing is changed.

    Exit code 0: nothing would change; 2: something would; 1: no hub answers; 78: the configuration has errors.
    """
    salt = new_salt()
    made = planned(files, folder, salt)
    if out is not None:
        _save(out, made, files or [], salt)
        typer.echo(f"Saved: `mombus apply {out}` does that, and nothing else.", err=True)
    if as_json:
        print_json(made.model_dump(mode="json"))
    else:
        show(made)
    return Exit.CHANGES if made.open else Exit.OK


def new_salt() -> str:
    """Seals the secrets of one plan."""
    return secrets.token_hex(SALT_BYTES)


def planned(files: list[Path] | None, folder: Path | None, salt: str) -> Plan:
    """The plan for a configuration, without one for the files that the hub was started from.

    Exits with 78 when they have errors, and with 1 when no hub answers.
    """
    if files:
        config = config_or_exit(_loaded(files, folder))
        basis: dict[str, Any] = ask(folder, "plan_basis", at=name_of(folder), salt=salt)
        if [str(path.absolute()) for path in files] != basis["files"]:
            return _compared(config, files, basis, salt)
    return of_own_files(ask(folder, "plan_make", at=name_of(folder), salt=salt))


def of_own_files(told: dict[str, Any]) -> Plan:
    """The plan as the hub told it. Exits with 78 when its files have errors."""
    from mombus.plan.plan import Plan  # noqa: PLC0415 - only these commands need it

    if told["plan"] is None:
        for finding in told["findings"]:
            typer.echo(finding, err=True)
        typer.echo("Nothing was changed; `mombus check` shows the same.", err=True)
        raise typer.Exit(Exit.CONFIG)
    return Plan.model_validate(told["plan"])


def saved(path: Path) -> Saved:
    """A plan that `--out` saved. Exits with 64 when the file is none, or can't be read."""
    from mombus.plan.plan import Plan  # noqa: PLC0415 - only these commands need it

    try:
        said = json.loads(path.read_text("utf-8"))
        return Saved(Plan.model_validate(said["plan"]), str(said["salt"]), [Path(one) for one in said["files"]])
    except OSError as error:
        typer.echo(f"{path} can't be read: {error.strerror}; make a plan with `mombus plan --out`", err=True)
        raise typer.Exit(Exit.USAGE) from None
    except (ValueError, LookupError, TypeError):
        typer.echo(f"{path} is no saved plan: make one with `mombus plan --out`", err=True)
        raise typer.Exit(Exit.USAGE) from None


def _loaded(files: list[Path], folder: Path | None) -> Loaded:
    """What they say; of a demo with its systems where they are, as they are for the demo's own file."""
    try:
        simulated = simulated_in(home_of(folder))
    except NoHub:
        simulated = None
    return simulated.load(files) if simulated is not None else load(files)


def _compared(config: Config, files: Sequence[Path], basis: dict[str, Any], salt: str) -> Plan:
    """Compared here: the hub reads no file that it wasn't started from."""
    from mombus.plan.comparing import compare  # noqa: PLC0415 - only these commands need it
    from mombus.plan.fates import Flow  # noqa: PLC0415
    from mombus.plan.files import contents  # noqa: PLC0415
    from mombus.plan.picture import picture, sealing  # noqa: PLC0415

    new = picture(config, contents(config), sealing(salt))
    made = compare(basis["running"], new, Flow.model_validate(basis["flow"]))
    return made.model_copy(update={"hints": (*made.hints, *_left_out(files, basis["files"]))})


def _left_out(files: Sequence[Path], own: Sequence[str]) -> Iterator[str]:
    if len(files) < len(own):
        given, over = " ".join(map(str, files)), " ".join(own[len(files) :])
        yield (
            f"the hub was started from {' '.join(own)}: what is laid over there is gone from this plan. "
            f"`mombus plan {given} {over}` keeps it"
        )


def _save(out: Path, made: Plan, files: list[Path], salt: str) -> None:
    said = {"plan": made.model_dump(mode="json"), "salt": salt, "files": [str(path.absolute()) for path in files]}
    try:
        out.write_text(json.dumps(said, indent=2, ensure_ascii=False) + "\n", "utf-8")
    except OSError as error:
        typer.echo(f"{out} can't be written: {error.strerror}", err=True)
        raise typer.Exit(Exit.FINDINGS) from None
