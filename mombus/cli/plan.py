"""`mombus plan`: what a configuration would change at the running hub."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mombus.cli.asking import Folder, Json, ask
from mombus.cli.check import DEFAULT, load_or_exit
from mombus.cli.exits import Exit
from mombus.cli.planned import show
from mombus.cli.showing import print_json

if TYPE_CHECKING:
    from mombus.plan.plan import Plan

Files = Annotated[
    list[Path] | None, typer.Argument(help="The configuration and files laid over it. Default: routes.yaml")
]
SALT_BYTES = 16


def plan(files: Files = None, folder: Folder = None, as_json: Json = False) -> int:
    """Show what a configuration would change at the running hub. Nothing is changed.

    Exit code 0: nothing would change; 2: something would; 1: no hub answers; 78: the configuration has errors.
    """
    paths = files or [DEFAULT]
    salt = secrets.token_hex(SALT_BYTES)
    made = compared(paths, folder, salt)
    if as_json:
        print_json(made.model_dump(mode="json"))
    else:
        show(made)
    return Exit.CHANGES if made.changes else Exit.OK


def compared(paths: list[Path], folder: Path | None, salt: str) -> Plan:
    """The plan for a configuration. Exits when it has errors, and when no hub answers."""
    config = load_or_exit(paths)
    basis: dict[str, Any] = ask(folder, "plan_basis", salt=salt)
    from mombus.plan.comparing import compare  # noqa: PLC0415 - only these commands need it
    from mombus.plan.fates import Flow  # noqa: PLC0415
    from mombus.plan.picture import contents, picture, sealing  # noqa: PLC0415

    new = picture(config, contents(config), sealing(salt))
    return compare(basis["running"], new, Flow.model_validate(basis["flow"]))
