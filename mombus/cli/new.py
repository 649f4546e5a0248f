"""`mombus new`: beginnings that work as they are. Nothing that is there is ever written over."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from mombus.cli.completing import object_names, system_names
from mombus.cli.exits import Exit

app = typer.Typer(
    help="Begin a plant's folder, a route, or a connector's package.", no_args_is_help=True, rich_markup_mode=None,
    add_completion=False, pretty_exceptions_enable=False,
)  # fmt: skip
DryRun = Annotated[bool, typer.Option("--dry-run", help="Write nothing, name the files.")]


@app.command()
def plant(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to make.")],
    site: Annotated[str | None, typer.Option(help="The site's name. Default: made of the folder's.")] = None,
    enterprise: Annotated[str, typer.Option(help="The enterprise's name.")] = "acme",
    timezone: Annotated[str, typer.Option(help="The plant's time zone, such as Europe/Paris.")] = "UTC",
    dry_run: DryRun = False,
) -> int:
    """Make a plant's folder that runs as it is: configuration, equipment, shifts, a route test, what to do next.

    Exit code 0: made; 1: something is there already; 64: no such time zone or site name.
    """
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - only this command needs it

    from mombus.scaffold.plant import plant_files, site_name  # noqa: PLC0415

    try:
        ZoneInfo(timezone)
    except (LookupError, ValueError, OSError):
        typer.echo(f"mombus: there is no time zone '{timezone}'; write one such as Europe/Paris", err=True)
        return Exit.USAGE
    named = site or site_name(folder.absolute().name)
    if named != site_name(named):
        typer.echo(f"mombus: '{named}' is no name for a site; '{site_name(named)}' is one", err=True)
        return Exit.USAGE
    made = plant_files(named, json.dumps(enterprise, ensure_ascii=False), timezone)
    return _write(folder, made, dry_run, f"cd {quote(str(folder))} && mombus test && mombus run")


@app.command()
def connector(
    kind: Annotated[str, typer.Argument(metavar="NAME", help="What routes.yaml will call it, such as acme.crm.")],
    folder: Annotated[Path | None, typer.Option(help="The folder to make. Default: mombus-NAME.")] = None,
    dry_run: DryRun = False,
) -> int:
    """Make a package with a connector of your own, whose tests join the contract suite against a real server.

    Exit code 0: made; 1: something is there already; 64: no name for a kind, or one that is taken.
    """
    from mombus.config.kinds import kinds  # noqa: PLC0415 - only this command needs it
    from mombus.scaffold.connector import KIND, connector_files, folder_of  # noqa: PLC0415

    if not KIND.fullmatch(kind):
        typer.echo(f"mombus: '{kind}' is no name for a kind: lower case, such as acme.crm", err=True)
        return Exit.USAGE
    if kind in kinds():
        typer.echo(f"mombus: there is a connector '{kind}' already; `mombus connectors {kind}` shows it", err=True)
        return Exit.USAGE
    place = folder or Path(folder_of(kind))
    return _write(
        place, connector_files(kind), dry_run, f"cd {quote(str(place))} && pip install -e '.[test]' && pytest"
    )


@app.command()
def route(
    object: Annotated[str, typer.Argument(help="The data object that goes.", autocompletion=object_names)],
    to: Annotated[list[str], typer.Argument(help="Where it goes: systems.", autocompletion=system_names)],
    config: Annotated[Path, typer.Option("--config", help="The configuration it is for.")] = Path("routes.yaml"),
    within: Annotated[str, typer.Option(help="The promise, such as 30s, 15m, 1h30m.")] = "15m",
    effect: Annotated[str, typer.Option(help="What counts as done: received, accepted or posted.")] = "accepted",
    when: Annotated[str | None, typer.Option(help="JSONata; the targets get what it is true for.")] = None,
    add: Annotated[bool, typer.Option("--add", help="Put it into the configuration, behind the last route.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="With --add: change nothing.")] = False,
) -> int:
    """Print a route's block, explained, if the configuration is good with it; with --add put it there.

    Exit code 0: good; 1: the configuration would have errors; 64: no such file, or routes that can't be added to.
    """
    from mombus.scaffold.route import RouteError, added, judged, route_block  # noqa: PLC0415 - only this command

    if effect not in {"received", "accepted", "posted"}:
        typer.echo(f"mombus: effect is received, accepted or posted, not '{effect}'", err=True)
        return Exit.USAGE
    block = route_block(object, to, within=within, effect=effect, when=when)
    try:
        config_then, findings = judged(config, block)
        text = added(config, block) if add else ""
    except RouteError as error:
        typer.echo(f"mombus: {error}", err=True)
        return Exit.USAGE
    for finding in findings:
        place = f"{finding.path}: " if finding.path else ""
        hint = f"; {finding.hint}" if finding.hint else ""
        typer.echo(f"{finding.severity}: {place}{finding.message}{hint}", err=True)
    if config_then is None:
        typer.echo(f"{config} would have errors with this route.", err=True)
        return Exit.FINDINGS
    typer.echo(block, nl=False)
    if add and not dry_run:
        config.write_text(text, encoding="utf-8")
        typer.echo(f"Added to {config}; `mombus check` and `mombus test` look at it.", err=True)
    elif not add:
        typer.echo(f"Put it under `routes:` of {config}, or do it again with --add.", err=True)
    return Exit.OK


def _write(folder: Path, made: Mapping[str, str], dry_run: bool, following: str) -> int:
    from mombus.scaffold.writing import TakenError, write  # noqa: PLC0415 - only where something is written

    try:
        if not dry_run:
            write(folder, made)
    except (TakenError, OSError) as error:
        typer.echo(f"mombus: {error}", err=True)
        return Exit.FINDINGS
    for path in made:
        typer.echo(str(folder / path))
    typer.echo("Nothing was written." if dry_run else f"Next: {following}", err=True)
    return Exit.OK
