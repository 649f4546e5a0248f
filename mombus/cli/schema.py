"""`mombus schema`: JSON Schemas for editors and for those who read the bus."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from canonical.objects import CATALOGUE
from mombus.cli.exits import Exit
from mombus.config.finding import did_you_mean
from mombus.config.schemas import object_schema, routes_schema


def schema(
    name: Annotated[
        str | None, typer.Argument(help="A data object such as production_order; none: routes.yaml.")
    ] = None,
) -> int:
    """Print the JSON Schema of routes.yaml with the installed connectors, or of a data object's body."""
    if name is not None and name not in CATALOGUE:
        hint = did_you_mean(name, CATALOGUE) or "docs/objects.md lists them"
        typer.echo(f"There is no data object '{name}'; {hint}", err=True)
        return Exit.USAGE
    typer.echo(json.dumps(object_schema(name) if name else routes_schema(), indent=2, ensure_ascii=False))
    return Exit.OK
