"""Insert or update in one statement, the same on SQLite and PostgreSQL, in the driver's own words.

Every handover goes through here: the statement is compiled once, and only the values that a database doesn't take as
they are go through SQLAlchemy, which would otherwise cost more than the database does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import TypeDecorator
from sqlalchemy.dialects import postgresql, sqlite

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from sqlalchemy import ClauseElement, ColumnElement, Connection, Dialect, Table


def upsert(
    connection: Connection, table: Table, rows: Sequence[dict[str, Any]], over: ColumnElement[bool] | None = None
) -> int:
    """Write `rows`, which all name the same columns; returns how many were written.

    A new row has the default of a column that isn't named. A row whose primary key exists replaces the columns it names
    and no other; with `over`, a condition without values of its
    own, only where that is true of the one that is there, which stays as it is otherwise.
    """
    if not rows:
        return 0
    what = (table, connection.dialect.name, tuple(rows[0]), over)
    said = _MADE.get(what)
    if said is None:
        said = _MADE[what] = _said(connection.dialect, *what)
    return connection.exec_driver_sql(said.text, said.values(rows)).rowcount


class _Said(NamedTuple):
    """A statement as the driver takes it: its text, and each column's conversion, None for what goes as it is.

    `defaults` are the values of columns that no row names.
    """

    text: str
    columns: Sequence[tuple[str, Callable[[Any], Any] | None]]
    by_place: bool
    defaults: Mapping[str, Any]

    def values(self, rows: Iterable[dict[str, Any]]) -> Any:
        """What is given for `rows`: tuples, or dictionaries where the driver wants names."""
        columns = self.columns
        if self.defaults:
            rows = [{**self.defaults, **row} for row in rows]
        if self.by_place:
            return [tuple([row[name] if say is None else say(row[name]) for name, say in columns]) for row in rows]
        return [{name: row[name] if say is None else say(row[name]) for name, say in columns} for row in rows]


_MADE: dict[tuple[Any, ...], _Said] = {}
"""By table, database, columns and `over`: made once each."""


def _said(
    dialect: Dialect, table: Table, _database: str, columns: Sequence[str], over: ColumnElement[bool] | None
) -> _Said:
    compiled: Any = _statement(table, dialect.name, columns, over).compile(dialect=dialect, column_keys=list(columns))
    order = compiled.positiontup or list(compiled.params)
    defaults = {name: table.c[name].default.arg for name in order if name not in columns}
    says = [(name, _conversion(table, name, dialect)) for name in order]
    return _Said(str(compiled), says, compiled.positional, defaults)


def _conversion(table: Table, name: str, dialect: Dialect) -> Callable[[Any], Any] | None:
    """How a value of one of our own types is said; drivers take the others as they are."""
    type_ = table.c[name].type
    return type_.bind_processor(dialect) if isinstance(type_, TypeDecorator) else None


def _statement(table: Table, database: str, columns: Sequence[str], over: ColumnElement[bool] | None) -> ClauseElement:
    insert = postgresql.insert if database == "postgresql" else sqlite.insert
    statement = insert(table)
    keys = [column.name for column in table.primary_key]
    changes = {name: statement.excluded[name] for name in columns if name not in keys}
    if changes:
        return statement.on_conflict_do_update(index_elements=keys, set_=changes, where=over)
    return statement.on_conflict_do_nothing(index_elements=keys)
