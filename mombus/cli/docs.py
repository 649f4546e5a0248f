"""`mombus docs`: the reference pages, generated from the declarations."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mombus.cli.exits import Exit
from mombus.config.pages import pages
from mombus.trial import schema


def docs(
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 naming the stale files.")] = False,
    folder: Annotated[Path, typer.Option(help="Where the pages are.")] = Path("docs"),
) -> int:
    """Write the reference pages of docs/, or check that they say what the declarations say."""
    from mombus.web.metrics_page import metrics_page  # noqa: PLC0415 - heavy

    made = {**pages(), "metrics.md": metrics_page(), schema.FILE: schema.page()}
    stale = [name for name, text in made.items() if _text(folder / name) != text]
    stale += [f"schemas/{file.name}" for file in folder.glob("schemas/*.json") if f"schemas/{file.name}" not in made]
    if check:
        for name in stale:
            typer.echo(f"{folder / name}: is not what the declarations say; run `mombus docs`")
        typer.echo(f"Checked {len(made)} pages in {folder}/: {len(stale)} stale.", err=True)
        return Exit.FINDINGS if stale else Exit.OK
    for name in stale:
        _write(folder / name, made.get(name))
    typer.echo(f"Wrote {len(stale)} of {len(made)} pages in {folder}/.", err=True)
    return Exit.OK


def _text(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def _write(file: Path, text: str | None) -> None:
    if text is None:
        file.unlink()
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8", newline="\n")
