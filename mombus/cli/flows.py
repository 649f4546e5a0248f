"""`mombus flows`: what is declared to go where, for people and for what draws it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mombus.cli.check import load_or_exit
from mombus.cli.exits import Exit
from mombus.cli.showing import print_table
from mombus.config.flows import declared_flows, dot, mermaid
from mombus.config.needs import NO_SECRET

if TYPE_CHECKING:
    from mombus.config.model import Config


def flows(
    files: Annotated[
        list[Path] | None, typer.Argument(help="The configuration and files laid over it. Default: routes.yaml")
    ] = None,
    as_mermaid: Annotated[bool, typer.Option("--mermaid", help="Print a Mermaid flowchart.")] = False,
    as_dot: Annotated[bool, typer.Option("--dot", help="Print a graph for Graphviz.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Show which object goes from which system to which, as declared; no hub needs to run.

    Exit code 0: shown; 64: several formats at once; 78: the configuration has errors.
    """
    if as_mermaid + as_dot + as_json > 1:
        typer.echo("Give one of --mermaid, --dot, --json.", err=True)
        return Exit.USAGE
    config = load_or_exit(files, NO_SECRET)
    if as_json:
        typer.echo(json.dumps([asdict(flow) for flow in declared_flows(config)], indent=2))
    elif as_mermaid or as_dot:
        typer.echo((mermaid if as_mermaid else dot)(config), nl=False)
    else:
        _show(config)
    return Exit.OK


def _show(config: Config) -> None:
    print_table(
        ("object", "from", "to", "within", "done when", "only when"),
        [
            (flow.object, flow.source, flow.target, flow.within or "", flow.effect, flow.when or "")
            for flow in declared_flows(config)
        ],
        empty="No routes are declared: add one under `routes:`.",
    )
