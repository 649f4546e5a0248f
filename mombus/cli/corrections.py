"""`mombus replay --from-raw`: documents translated again; what is said otherwise now is shown, then published."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import typer

from mombus.cli.asking import ask
from mombus.cli.exits import Exit
from mombus.cli.showing import print_json, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

SILENT = frozenset({"same", "said since", "not its own"})
WRONG = frozenset({"changed", "new", "read now"})
"""What publishing corrects."""


def rows_of(folder: Path | None, opened: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The rows of what was opened, from the hub that has opened it."""
    while rows := ask(folder, "replay_rows", at=opened["hub"], preview=opened["preview"]):
        yield from rows


class Corrections:
    """The corrections of what is selected, or of the documents whose parts are kept."""

    def __init__(self, folder: Path | None, selection: Mapping[str, Any], *, kept: bool, as_json: bool) -> None:
        self._folder = folder
        self._question: dict[str, Any] = {"selection": dict(selection), "kept": kept}
        self._as_json = as_json

    def shown(self) -> int:
        """Show what would be corrected. Exit code 0: nothing; 2: something."""
        rows = list(self._rows(publish=False))
        self._show(rows)
        typer.echo("Nothing was published.", err=True)
        return Exit.CHANGES if any(row["difference"] in WRONG for row in rows) else Exit.OK

    def published(self, deed: Callable[[str], Mapping[str, str]]) -> int:
        """Show it, ask by `deed`, publish it. Exit code 0: done; 1: something of it wasn't taken."""
        found = list(self._rows(publish=False))
        self._show(found)
        number = sum(row["difference"] in WRONG for row in found)
        if not number:
            typer.echo("Nothing is to be corrected.", err=True)
            return Exit.OK
        done = list(self._rows(publish=True, **deed(f"Publish {number} corrections?")))
        refused = [row for row in done if row["difference"] == "kept"]
        typer.echo(f"{number - len(refused)} corrections were published, {len(refused)} weren't taken.", err=True)
        for row in refused:
            typer.echo(printable(f"  {row['object']} {row['key']}: {row['details'][0]}"), err=True)
        return Exit.FINDINGS if refused else Exit.OK

    def _rows(self, **more: Any) -> Iterator[dict[str, Any]]:
        return rows_of(self._folder, ask(self._folder, "replay_translate", **self._question, **more))

    def _show(self, rows: Sequence[Mapping[str, Any]]) -> None:
        counts = Counter(row["difference"] for row in rows)
        typer.echo(f"{', '.join(f'{n} {what}' for what, n in counts.items()) or 'No documents'}.", err=True)
        if self._as_json:
            print_json(rows)
            return
        for row in rows:
            if row["difference"] not in SILENT:
                what = f"{row['object']} {row['key']}" if row["object"] else f"document {row['raw'][:10]}"
                typer.echo(printable(f"{what} from {row['source']}: {row['difference']}"))
                for detail in row["details"]:
                    typer.echo(printable(f"    {detail}"))
