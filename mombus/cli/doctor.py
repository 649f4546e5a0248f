"""`mombus doctor`: is everything there that a hub needs."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mombus.cli.asking import Json
from mombus.cli.check import load_or_exit
from mombus.cli.exits import Exit
from mombus.cli.showing import print_json, print_table
from mombus.hub.note import NoHub, find

if TYPE_CHECKING:
    from mombus.config.model import Config
    from mombus.doctor.check import Check


def doctor(
    files: Annotated[
        list[Path] | None, typer.Argument(help="The configuration and files laid over it. Default: routes.yaml")
    ] = None,
    as_json: Json = False,
) -> int:
    """Look at what a hub needs: folder, disk, secrets, ports, certificates, clocks, broker, database, every system.

    Nothing is changed, and systems are asked for the time only. Exit code 0: all is well, at least for a while;
    1: something is wrong; 78: the configuration has errors.
    """
    from mombus.doctor.check import Verdict  # noqa: PLC0415 - only this command needs it
    from mombus.doctor.doctor import examine  # noqa: PLC0415

    config = load_or_exit(files)
    runs = _runs(config)
    checks = asyncio.run(examine(config, runs=runs))
    if as_json:
        print_json([check.said() for check in checks])
    else:
        _show(checks, runs=runs)
    return Exit.FINDINGS if any(check.verdict is Verdict.WRONG for check in checks) else Exit.OK


def _runs(config: Config) -> bool:
    try:
        find(config.folder / config.bus.folder)
    except NoHub:
        return False
    return True


def _show(checks: list[Check], *, runs: bool) -> None:
    rows = ((check.verdict.value, check.about, check.text, check.do) for check in checks)
    print_table(("", "what", "how it is", "what to do"), rows, empty="There is nothing to look at.")
    wrong = sum(check.verdict.value == "wrong" for check in checks)
    advice = "`mombus status` says how the running hub is." if runs else "`mombus run` starts the hub."
    typer.echo(f"{wrong} of {len(checks)} are wrong. {'Mend them first.' if wrong else advice}", err=True)
