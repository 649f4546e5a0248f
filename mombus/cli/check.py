"""`mombus check`: everything that is wrong with a configuration, at once."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mombus.cli.exits import Exit
from mombus.config.finding import Severity
from mombus.config.loader import Loaded, load
from mombus.config.needs import EVERY_SECRET, Needs

if TYPE_CHECKING:
    from mombus.config.model import Config

DEFAULT = Path("routes.yaml")


def check(
    files: Annotated[
        list[Path] | None, typer.Argument(help="The configuration and files laid over it. Default: routes.yaml")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Let warnings fail, too.")] = False,
) -> int:
    """Check routes.yaml and every file it names.

    What passes here is what `mombus run` starts with. Exit code 0: no errors; 1: findings; 78: a file can't be read.
    """
    paths = files or [DEFAULT]
    unreadable = [path for path in paths if not path.is_file()]
    loaded = load(paths)
    if as_json:
        print(json.dumps(_as_json(loaded), indent=2))  # noqa: T201 - stdout is for data
    else:
        for finding in loaded.findings:
            print(finding)  # noqa: T201
        typer.echo(_summary(loaded), err=True)
    if unreadable:
        return Exit.CONFIG
    failed = loaded.config is None or (strict and loaded.findings)
    return Exit.FINDINGS if failed else Exit.OK


def load_or_exit(files: list[Path] | None, needs: Needs = EVERY_SECRET) -> Config:
    """The configuration for a command that needs one; exits with 78 after printing the errors if it has any."""
    return config_or_exit(load(files or [DEFAULT], needs=needs))


def config_or_exit(loaded: Loaded) -> Config:
    """As `load_or_exit`, of what was loaded."""
    if loaded.config is not None:
        return loaded.config
    for finding in loaded.findings:
        print(finding, file=sys.stderr)  # noqa: T201
    typer.echo(f"{_summary(loaded)} Nothing was started; `mombus check` shows the same.", err=True)
    raise typer.Exit(Exit.CONFIG)


def _summary(loaded: Loaded) -> str:
    errors = sum(finding.severity is Severity.ERROR for finding in loaded.findings)
    warnings = len(loaded.findings) - errors
    counted = f"{_plural(errors, 'error')}, {_plural(warnings, 'warning')}."
    config = loaded.config
    if config is None:
        return f"Checked {', '.join(loaded.files)}: {counted}"
    has = ", ".join((
        _plural(len(config.systems), "system"), _plural(len({one.object for one in config.objects}), "object"),
        _plural(len(config.routes), "route"),
    ))  # fmt: skip
    return f"Checked {', '.join(loaded.files)}: {has}; {counted}"


def _as_json(loaded: Loaded) -> dict[str, object]:
    return {
        "ok": loaded.config is not None,
        "files": list(loaded.files),
        "findings": [asdict(finding) for finding in loaded.findings],
    }


def _plural(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
