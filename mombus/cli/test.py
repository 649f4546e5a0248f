"""`mombus test`: route tests, played on a hub of their own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mombus.cli.exits import Exit
from mombus.cli.run import set_up_logging
from mombus.config.scrubbing import Scrubber
from mombus.trial import SUFFIX

if TYPE_CHECKING:
    from mombus.trial.happened import Failure, Ran, Result
    from mombus.trial.reading import Test, TestFile


def test(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Files of route tests, or folders with *.test.yaml. Default: here")
    ] = None,
    keyword: Annotated[str | None, typer.Option("-k", help="Only cases whose name holds this, in any case.")] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show all of what came instead.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show only what failed.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
    junit: Annotated[Path | None, typer.Option(help="Write the results as JUnit XML, for CI, into this file.")] = None,
) -> int:
    """Play route tests: what systems say in each case, and what becomes of it at every other.

    Each case has a hub of its own with a real broker and journal, and stand-ins for the systems. Nothing is sent to
    anybody. Exit code 0: all as expected; 1: some aren't; 64: there are none; 78: a file or its configuration has
    errors.
    """
    from mombus.trial.reading import found, read  # noqa: PLC0415 - only this command needs it

    try:
        paths = found(files or [Path()])
    except FileNotFoundError as error:
        typer.echo(f"mombus: {error}: name a file of route tests, or the folder with *{SUFFIX}", err=True)
        return Exit.USAGE
    if not paths:
        text = f"There are no route tests here: write one beside routes.yaml as routes{SUFFIX} (docs/testing.md)"
        typer.echo(text, err=True)
        return Exit.USAGE
    read_files = [read(path) for path in paths]
    if any(file.config is None for file in read_files):
        return _refuse(read_files, as_json=as_json)
    chosen = [(file, [one for one in file.tests if _chosen(one, keyword)]) for file in read_files]
    if not any(tests for _, tests in chosen):
        typer.echo(f"No case's name holds '{keyword}'.", err=True)
        return Exit.USAGE
    ran = asyncio.run(_play([(file, tests) for file, tests in chosen if tests]))
    if junit is not None and not _written(junit, ran):
        return Exit.FINDINGS
    if as_json:
        typer.echo(json.dumps([_as_json(one) for one in ran], indent=2, ensure_ascii=False))
    else:
        _tell(ran, verbose=verbose, quiet=quiet)
        if keyword is None and not quiet and all(path.is_dir() for path in files or ()):
            _tell_unused(read_files, ran)
        _tell_summary(ran, verbose=verbose)
    return Exit.OK if all(result.passed for one in ran for result in one.results) else Exit.FINDINGS


def _chosen(test: Test, keyword: str | None) -> bool:
    return keyword is None or keyword.casefold() in test.case.name.casefold()


def _refuse(files: Sequence[TestFile], *, as_json: bool) -> int:
    findings = [finding for file in files for finding in file.findings]
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=2, ensure_ascii=False))
    for finding in () if as_json else findings:
        typer.echo(str(finding))
    typer.echo("Nothing was played.", err=True)
    return Exit.CONFIG


async def _play(files: Sequence[tuple[TestFile, Sequence[Test]]]) -> list[Ran]:
    from mombus.hub.trial.playing import playing  # noqa: PLC0415 - heavy, after the files were found good

    set_up_logging(Scrubber(()), quiet=True)
    async with playing() as play:
        return [await play.file(file, tests) for file, tests in files]


def _written(junit: Path, ran: Sequence[Ran]) -> bool:
    from mombus.trial.junit import junit_xml  # noqa: PLC0415 - only who wants it needs it

    try:
        junit.write_bytes(junit_xml(ran))
    except OSError as error:
        typer.echo(f"{junit} can't be written: {error.strerror}", err=True)
        return False
    return True


def _tell(ran: Sequence[Ran], *, verbose: bool, quiet: bool) -> None:
    for result in (result for one in ran for result in one.results):
        if not quiet or not result.passed:
            _tell_result(result, verbose=verbose)


def _tell_unused(files: Sequence[TestFile], ran: Sequence[Ran]) -> None:
    """The routes that no file uses of those that test the same configuration."""
    unused: dict[tuple[Path, ...], dict[str, str]] = {}
    for file, one in zip(files, ran, strict=True):
        before = unused.setdefault(file.tested, dict(one.unused))
        unused[file.tested] = {place: what for place, what in before.items() if place in one.unused}
    for tested, routes in unused.items():
        for place, what in routes.items():
            typer.echo(f"{tested[0]}: no case uses {place}, {what}", err=True)


def _tell_summary(ran: Sequence[Ran], *, verbose: bool) -> None:
    results = [result for one in ran for result in one.results]
    failed = sum(not result.passed for result in results)
    took_s = sum(result.took_s for result in results)
    count = f"{len(results)} case{'' if len(results) == 1 else 's'}"
    told = f"{count} in {took_s:.1f} s: " + (f"{failed} failed" if failed else "all as expected")
    if failed and not verbose:
        told += "; `mombus test -v` shows all of what came"
    typer.echo(f"{told}.", err=True)


def _tell_result(result: Result, *, verbose: bool) -> None:
    word, colour = ("ok", typer.colors.GREEN) if result.passed else ("FAILED", typer.colors.RED)
    typer.echo(f"{typer.style(f'{word:<6}', fg=colour)} {result.name}")
    if result.error is not None:
        typer.echo(f"  {result.mark.file}:{result.mark.line}:{result.mark.column}: {result.error}")
    for failure in result.failures:
        _tell_failure(failure, verbose=verbose)


def _tell_failure(failure: Failure, *, verbose: bool) -> None:
    typer.echo(f"  {failure.mark.file}:{failure.mark.line}:{failure.mark.column}: {failure.path}")
    typer.secho(f"    - {failure.expected}", fg=typer.colors.RED)
    typer.secho(f"    + {failure.got}", fg=typer.colors.GREEN)
    if verbose and failure.whole:
        typer.echo("\n".join(f"      {line}" for line in failure.whole.splitlines()))


def _as_json(ran: Ran) -> dict[str, Any]:
    return {
        "file": ran.file,
        "cases": [
            {"name": result.name, "passed": result.passed, "line": result.mark.line, "took_s": round(result.took_s, 3),
             "error": result.error,
             "failures": [
                 {"line": one.mark.line, "column": one.mark.column, "path": one.path, "expected": one.expected,
                  "got": one.got}
                 for one in result.failures
             ]}
            for result in ran.results
        ],
        "unused_routes": dict(ran.unused),
    }  # fmt: skip
