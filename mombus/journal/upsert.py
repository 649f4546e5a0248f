"""Insert or update in one statement, the same on SQLite and PostgreSQL."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy.dialects import postgresql, sqlite

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Table
    from sqlalchemy.sql import Executable


def upsert(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Write `rows`; a row whose primary key exists replaces the columns it names."""
    if rows:
        connection.execute(_statement(table, connection.dialect.name, tuple(rows[0])), list(rows))


@cache
def _statement(table: Table, dialect: str, columns: tuple[str, ...]) -> Executable:
    """Made once for each table and set of columns: making it costs more than running it for one row."""
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    statement = insert(table)
    keys = [column.name for column in table.primary_key]
    changes = {name: statement.excluded[name] for name in columns if name not in keys}
    if changes:
        return statement.on_conflict_do_update(index_elements=keys, set_=changes)
    return statement.on_conflict_do_nothing(index_elements=keys)
