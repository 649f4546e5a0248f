"""`mombus export`: handovers, or the facts of an object, as CSV or Parquet."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mombus.cli.asking import Folder, HubError, UnknownNameError, on_line, the_hub
from mombus.cli.exits import Exit
from mombus.cli.filters import (
    Attempts,
    Document,
    Equipment,
    Key,
    Lot,
    Material,
    Object,
    Order,
    Ref,
    Route,
    Saved,
    Since,
    Source,
    State,
    System,
    Target,
    Text,
    Until,
    Verb,
    given,
)
from mombus.hub.note import NoHub

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from mombus.cli.exporting.columns import Column

    Rows = Callable[[Mapping[str, Any]], Iterable[Mapping[str, Any]]]


def export(
    file: Annotated[Path, typer.Argument(help="FILE.csv, FILE.parquet, or - for CSV on stdout.")],
    bodies: Annotated[
        bool, typer.Option("--bodies", help="One row for each message of one --object, its body as columns.")
    ] = False,
    each: Annotated[
        str | None, typer.Option("--each", help="With --bodies: a row for each element of this list of the body.")
    ] = None,
    order: Order = None,
    lot: Lot = None,
    equipment: Equipment = None,
    material: Material = None,
    document: Document = None,
    ref: Ref = None,
    object: Object = None,
    verb: Verb = None,
    key: Key = None,
    source: Source = None,
    target: Target = None,
    system: System = None,
    route: Route = None,
    state: State = None,
    attempts: Attempts = None,
    text: Text = None,
    since: Since = None,
    until: Until = None,
    saved: Saved = None,
    folder: Folder = None,
) -> int:
    """Write what fits as a table: one row for each handover, or for what each message says; the newest first.

    Decimals and times keep their types. Exit code 0: written; 1: nothing fits, or it can't be written.
    """
    wanted = given(
        folder, saved, order=order, lot=lot, equipment=equipment, material=material, document=document, ref=ref,
        object=object, verb=verb, key=key, source=source, target=target, system=system, route=route, state=state,
        attempts=attempts, text=text, since=since, until=until,
    )  # fmt: skip
    columns, rows = _bodies(wanted, each) if bodies or each else _handovers()
    return _written(folder, {**wanted, "bodies": bodies or bool(each)}, file, columns, rows)


def _handovers() -> tuple[list[Column], Rows]:
    from mombus.cli.exporting.columns import HANDOVER, IDS, MESSAGE, handover_rows  # noqa: PLC0415 - heavy

    return [*MESSAGE, *IDS, *HANDOVER], handover_rows


def _bodies(wanted: dict[str, Any], each: str | None) -> tuple[list[Column], Rows]:
    """Of what one data object states."""
    from canonical.objects import UnknownObjectError, data_object  # noqa: PLC0415 - heavy
    from mombus.cli.exporting.columns import MESSAGE, NoListError, body_columns, body_rows  # noqa: PLC0415

    objects = wanted.get("object") or []
    if len(objects) != 1:
        raise typer.BadParameter("--bodies needs one --object: each has other columns")
    wanted.setdefault("verb", ["sync"])
    try:
        columns = [*MESSAGE, *body_columns(data_object(objects[0]), each)]
    except (UnknownObjectError, NoListError) as error:
        raise typer.BadParameter(str(error)) from None
    return columns, lambda row: body_rows(row, each)


def _written(
    folder: Path | None, wanted: dict[str, Any], file: Path, columns: list[Column], rows: Rows
) -> int:  # fmt: skip
    from mombus.cli.exporting.sheets import SheetError, sheet  # noqa: PLC0415 - heavy

    try:
        with sheet(file, columns) as write:
            number = asyncio.run(_copied(folder, wanted, rows, write))
    except UnknownNameError as error:
        typer.echo(str(error), err=True)
        return Exit.USAGE
    except (NoHub, HubError, SheetError) as error:
        typer.echo(str(error), err=True)
        return Exit.FINDINGS
    typer.echo(f"{number} rows in {file}.", err=True)
    return Exit.OK if number else Exit.FINDINGS


async def _copied(
    folder: Path | None, wanted: dict[str, Any], rows: Rows, write: Callable[[Mapping[str, Any]], None]
) -> int:
    """Write all of it, part by part; returns how many rows."""
    number, begin = 0, None
    async with on_line(the_hub(folder)) as ask_hub:
        while True:
            part = await ask_hub("messages_export", {**wanted, **({"before": begin} if begin else {})})
            for message in part["messages"]:
                for row in rows(message):
                    write(row)
                    number += 1
            begin = part["before"]
            _progress(number, part["messages"], done=begin is None)
            if begin is None:
                return number


def _progress(number: int, messages: list[Mapping[str, Any]], *, done: bool) -> None:
    if sys.stderr.isatty():
        back = f" back to {messages[-1]['stored'][:19]}" if messages else ""
        sys.stderr.write(f"\r\x1b[K{'' if done else f'{number} rows{back}'}")
        sys.stderr.flush()
