"""`mombus connectors`: what can be connected, and how."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from mombus.cli.completing import kind_names
from mombus.cli.exits import Exit
from mombus.config.finding import did_you_mean
from mombus.config.kinds import kinds
from mombus.config.reference import Field, KindReference, Part, kind_reference


def connectors(
    kind: Annotated[
        str | None, typer.Argument(help="Show this kind with its fields.", autocompletion=kind_names)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """List the kinds of connectors, or one of them with all of its fields."""
    names = kinds()
    if kind is not None and kind not in names:
        typer.echo(
            f"There is no connector '{kind}'; {did_you_mean(kind, names) or 'mombus connectors lists them'}", err=True
        )
        return Exit.USAGE
    references = [kind_reference(name) for name in ([kind] if kind else names)]
    if as_json:
        typer.echo(json.dumps([asdict(reference) for reference in references], indent=2))
    elif kind:
        typer.echo("\n".join(_whole(references[0])))
    else:
        typer.echo("\n".join(_line(reference) for reference in references))
        typer.echo("`mombus connectors KIND` shows what it says and takes, and its fields.", err=True)
    return Exit.FINDINGS if kind and references[0].problem else Exit.OK


def _line(reference: KindReference) -> str:
    return f"{reference.kind:<14} {reference.problem or reference.summary}"


def _whole(reference: KindReference) -> list[str]:
    if reference.problem:
        return [f"{reference.kind}: {reference.problem}"]
    declared = "what its fields declare"
    return [
        f"{reference.kind}: {reference.summary}",
        f"  says:  {', '.join(reference.offers) or declared}",
        f"  takes: {', '.join(reference.accepts) or declared}",
        "",
        *(line for field in reference.fields for line in _field(field)),
        *(line for part in reference.parts for line in _part(part)),
    ]


def _part(part: Part) -> list[str]:
    return ["", f"{part.name}: {part.summary}", "", *(line for field in part.fields for line in _field(field))]


def _field(field: Field) -> list[str]:
    notes = ["required"] if field.required else [f"default {field.default}"] if field.default else []
    if field.secret:
        notes.append("write ${secret:NAME}")
    head = f"  {field.name} ({', '.join([field.type, *notes])})"
    return [head, f"      {field.description}"] if field.description else [head]
