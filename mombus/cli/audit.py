"""`mombus audit`: what people did and why, and whether that is still what was written."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mombus.cli.asking import Folder, Json, ask, zone_of
from mombus.cli.completing import system_names
from mombus.cli.exits import Exit
from mombus.cli.showing import print_json, print_table, printable
from mombus.web.words import day

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy import Connection

app = typer.Typer(rich_markup_mode=None, add_completion=False, pretty_exceptions_enable=False)

JournalUrl = Annotated[
    str | None,
    typer.Option("--journal", help="Read this journal, a file or a database URL, instead of asking the running hub."),
]


@app.callback(invoke_without_command=True)
def deeds(
    context: typer.Context,
    who: Annotated[str | None, typer.Option("--who", help="Only what this person did.")] = None,
    action: Annotated[str | None, typer.Option("--action", help="Only this, such as retry or sign_in.")] = None,
    target: Annotated[
        str | None, typer.Option("--target", help="Only what was done about this system.", autocompletion=system_names)
    ] = None,
    message: Annotated[str | None, typer.Option("--message", help="Only what was done about this message id.")] = None,
    journal: JournalUrl = None,
    folder: Folder = None,
    as_json: Json = False,
) -> int:
    """Show the newest things that people did, who, when and why; `audit verify` looks whether the trail is intact."""
    if context.invoked_subcommand is not None:
        return Exit.OK
    wanted = {"who": who, "action": action, "target": target, "message_id": message}
    rows = _read(journal, wanted) if journal else ask(folder, "audit", **wanted)
    if as_json:
        print_json(rows)
        return Exit.OK
    zone = UTC if journal else zone_of(folder)
    shown = (
        (row["number"], day(row["at"], zone), row["who"], row["action"], row["target"] or "",
         (row["message_id"] or "")[:10], row["result"], row["why"])
        for row in rows
    )  # fmt: skip
    columns = ("number", f"at ({zone})", "who", "did", "system", "message", "result", "why")
    narrowed = any(wanted.values())
    print_table(columns, shown, empty="Nothing fits these options." if narrowed else "Nobody did anything yet.")
    return Exit.OK


@app.command("verify")
def verify(
    journal: JournalUrl = None,
    head: Annotated[
        str | None, typer.Option("--head", help="A head noted before: is the trail up to it still there?")
    ] = None,
    folder: Folder = None,
    as_json: Json = False,
) -> int:
    """Look whether any row of the audit trail was changed, removed or put in.

    Note the head it prints somewhere else: only that tells whether the newest rows were cut off. Exit code 0: intact;
    1: not, or nobody answers.
    """
    verdict = _verified(journal, head) if journal else ask(folder, "audit_verify", head=head)
    if as_json:
        print_json(verdict)
    else:
        for fault in verdict["faults"]:
            typer.echo(f"! {printable(fault)}")
        typer.echo(_summary(verdict))
    return Exit.OK if verdict["intact"] else Exit.FINDINGS


def _summary(verdict: Mapping[str, Any]) -> str:
    if not verdict["intact"]:
        return f"The audit trail is NOT as it was written: {verdict['rows']} rows were read."
    if not verdict["rows"]:
        return "The audit trail is empty."
    return f"The audit trail is intact up to number {verdict['number']}. Head: {verdict['head']}"


def _read(journal: str, wanted: Mapping[str, Any]) -> Any:
    from mombus.hub.desk.auditing import shown  # noqa: PLC0415 - heavy, only who reads a journal needs it
    from mombus.journal import audit  # noqa: PLC0415

    with _opened(journal) as connection:
        return [shown(deed) for deed in audit.deeds(connection, **wanted)]


def _verified(journal: str, head: str | None) -> Any:
    from mombus.hub.desk.auditing import plain  # noqa: PLC0415 - see _read
    from mombus.journal import chain  # noqa: PLC0415

    with _opened(journal) as connection:
        return plain(chain.verify(connection, head))


@contextmanager
def _opened(journal: str) -> Iterator[Connection]:
    """A journal, to read only. Prints why and exits with 1 when it can't be read."""
    from sqlalchemy import create_engine  # noqa: PLC0415 - see _read
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415

    url = journal if "://" in journal else f"sqlite:///file:{Path(journal).absolute()}?mode=ro&uri=true"
    try:
        with create_engine(url).connect() as connection:
            yield connection
    except (SQLAlchemyError, ModuleNotFoundError, ValueError) as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        advice = "name the file `journal.sqlite` in the hub's folder, or the database's URL"
        typer.echo(f"the journal can't be read: {printable(reason)}; {advice}", err=True)
        raise typer.Exit(Exit.FINDINGS) from None
