"""Whether a database was written by this version of mombus: its tables are looked at, not a number."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import inspect

if TYPE_CHECKING:
    from sqlalchemy import Connection, MetaData, Table
    from sqlalchemy.engine.interfaces import ReflectedColumn

INDEX, EXCHANGES = "index.sqlite", "exchanges.sqlite"


class OtherVersionError(ConnectionError):
    """The database was written by another version of mombus; the text says which one, and what to do."""


def check(connection: Connection, schema: MetaData) -> None:
    """Return if the tables that are there are ours. Raises OtherVersionError, having changed nothing.

    What another version added besides, and what may be left empty, is left alone.
    """
    found = inspect(connection)
    there = set(found.get_table_names())
    for table in schema.tables.values():
        if table.name in there:
            wrong = _difference(table, found.get_columns(table.name))
            if wrong is not None:
                raise OtherVersionError(f"{_name(connection)} was written by {wrong}. {_advice(connection)}")


def _difference(table: Table, columns: list[ReflectedColumn]) -> str | None:
    there, ours = {column["name"]: column for column in columns}, {column.name for column in table.c}
    missing = sorted(ours - there.keys())
    if missing:
        return f"an older version of mombus: its table {table.name} has no {', '.join(missing)}"
    strange = [name for name, column in there.items() if name not in ours and _needed(column)]
    return f"a newer version of mombus: its table {table.name} has {', '.join(strange)}" if strange else None


def _needed(column: ReflectedColumn) -> bool:
    return not column["nullable"] and column["default"] is None


def _name(connection: Connection) -> str:
    database = connection.engine.url.database or ""
    return f"the database {Path(database).name if connection.dialect.name == 'sqlite' else database}"


def _advice(connection: Connection) -> str:
    if Path(connection.engine.url.database or "").name == INDEX:
        return "Delete it: the index is made anew from the broker's streams"
    if Path(connection.engine.url.database or "").name == EXCHANGES:
        return "Delete it, or move it away: what was exchanged with the targets until now isn't shown any more then"
    return "Start the version that wrote it, or this one with a database and a folder of its own"
