"""`mombus schema`: JSON Schemas for editors and for those who read the bus, and the bus as AsyncAPI."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from canonical.objects import CATALOGUE
from mombus import __version__
from mombus.cli.check import load_or_exit
from mombus.cli.exits import Exit
from mombus.config.asyncapi import asyncapi
from mombus.config.finding import did_you_mean
from mombus.config.needs import NO_SECRET
from mombus.config.schemas import object_schema, routes_schema

BUS = "bus"


def schema(
    name: Annotated[
        str | None,
        typer.Argument(help="A data object such as production_order; `bus` for AsyncAPI; none: routes.yaml."),
    ] = None,
    config: Annotated[
        list[Path] | None, typer.Option("--config", help="With `bus`: the configuration. Default: routes.yaml")
    ] = None,
) -> int:
    """Print the JSON Schema of routes.yaml with the installed connectors, or of a data object's body.

    `mombus schema bus` prints the AsyncAPI 3.1 document of a plant's bus. Exit code 64: there is no such object; 78:
    the configuration has errors.
    """
    if name is not None and name != BUS and name not in CATALOGUE:
        hint = did_you_mean(name, [*CATALOGUE, BUS]) or "docs/objects.md lists them"
        typer.echo(f"There is no data object '{name}'; {hint}", err=True)
        return Exit.USAGE
    typer.echo(json.dumps(_document(name, config), indent=2, ensure_ascii=False))
    return Exit.OK


def _document(name: str | None, config: list[Path] | None) -> dict[str, Any]:
    if name == BUS:
        return asyncapi(load_or_exit(config, NO_SECRET), __version__)
    return object_schema(name) if name else routes_schema()
