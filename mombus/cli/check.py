"""`mombus check`: everything that is wrong with a configuration, or with route tests, at once."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mombus.cli.exits import Exit
from mombus.config.finding import Severity
from mombus.config.loader import Loaded, load
from mombus.config.needs import EVERY_SECRET, Needs
from mombus.trial import SUFFIX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mombus.config.finding import Finding
    from mombus.config.model import Config

DEFAULT = Path("routes.yaml")


def check(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="The configuration and files laid over it; route tests. Default: routes.yaml"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Let warnings fail, too.")] = False,
) -> int:
    """Check routes.yaml and every file it names; of route tests (*.test.yaml) what keeps `mombus test` from playing.

    What passes here is what `mombus run` starts with. Exit code 0: no errors; 1: findings; 78: a file can't be read.
    """
    paths = files or [DEFAULT]
    unreadable = [path for path in paths if not path.is_file()]
    tests = [path for path in paths if path.name.endswith(SUFFIX)]
    configuration = [path for path in paths if path not in tests]
    checked = [_configuration(configuration)] if configuration else []
    checked += map(_route_tests, tests)
    findings = list(dict.fromkeys(finding for one in checked for finding in one.findings))
    good = all(one.good for one in checked)
    if as_json:
        named = [file for one in checked for file in one.files]
        told = {"ok": good, "files": named, "findings": [asdict(finding) for finding in findings]}
        print(json.dumps(told, indent=2))  # noqa: T201 - stdout is for data
    else:
        for finding in findings:
            print(finding)  # noqa: T201
        for one in checked:
            typer.echo(one.summary, err=True)
    if unreadable:
        return Exit.CONFIG
    return Exit.OK if good and not (strict and findings) else Exit.FINDINGS


@dataclass(frozen=True, slots=True)
class _Checked:
    """What was checked together; `good` if none of the findings is an error."""

    files: tuple[str, ...]
    findings: tuple[Finding, ...]
    good: bool
    summary: str


def _configuration(paths: list[Path]) -> _Checked:
    loaded = load(paths)
    return _Checked(loaded.files, loaded.findings, loaded.config is not None, _summary(loaded))


def _route_tests(path: Path) -> _Checked:
    from mombus.trial.reading import read  # noqa: PLC0415 - only where there are some

    file = read(path)
    cases = f"{_plural(len(file.tests), 'case')}; " if file.tests else ""
    summary = f"Checked {path}: {cases}{_counted(file.findings)} `mombus test` plays them."
    return _Checked((str(path),), file.findings, file.config is not None, summary)


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
    counted, config = _counted(loaded.findings), loaded.config
    if config is None:
        return f"Checked {', '.join(loaded.files)}: {counted}"
    has = ", ".join((
        _plural(len(config.systems), "system"), _plural(len({one.object for one in config.objects}), "object"),
        _plural(len(config.routes), "route"),
    ))  # fmt: skip
    return f"Checked {', '.join(loaded.files)}: {has}; {counted}"


def _counted(findings: Sequence[Finding]) -> str:
    errors = sum(finding.severity is Severity.ERROR for finding in findings)
    return f"{_plural(errors, 'error')}, {_plural(len(findings) - errors, 'warning')}."


def _plural(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
