"""Is the audit trail as it was written: each row sealed, each following the one before, none missing?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import String, select, type_coerce

from mombus.journal.audit import START, audit, seal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

AT_ONCE = 1000
MOST_FAULTS = 100


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found: how many rows, the newest one's number and hash (zeros for none), and what is wrong.

    A head that was noted before and isn't in the trail any more is a fault: rows were cut off, or written anew.
    """

    rows: int
    number: int
    head: str
    faults: tuple[str, ...]

    @property
    def intact(self) -> bool:
        """True if nothing is wrong."""
        return not self.faults


def verify(connection: Connection, head: str | None = None) -> Verdict:
    """Look at every row, in the order of their numbers. `head` is a hash that the trail had at its end once."""
    rows, number, previous = 0, 0, START
    faults: list[str] = []
    met = head in (None, START)
    for row in _rows(connection):
        if len(faults) < MOST_FAULTS:
            faults += _wrong(row, number, previous)
        rows, number, previous = rows + 1, row["number"], row["hash"]
        met = met or previous == head
    if not met:
        faults.append(f"no row has the hash {head}: the rows up to it were cut off or written anew")
    return Verdict(rows, number, previous, tuple(faults))


def _rows(connection: Connection) -> Iterator[dict[str, Any]]:
    """Every row with its time as it is stored, so that one that is no time any more can be read, too."""
    columns = [type_coerce(column, String) if column.name == "at" else column for column in audit.c]
    named = [column.label(stored.name) for column, stored in zip(columns, audit.c, strict=True)]
    statement = select(*named).order_by(audit.c.number).execution_options(yield_per=AT_ONCE)
    return (dict(row) for row in connection.execute(statement).mappings())


def _wrong(row: dict[str, Any], number: int, previous: str) -> Iterator[str]:
    """What is wrong with a row that comes after row `number`, whose hash is `previous`."""
    expected = number + 1
    if row["number"] != expected:
        missing = (
            f"row {expected} is" if row["number"] == expected + 1 else f"rows {expected} to {row['number'] - 1} are"
        )
        yield f"{missing} missing: removed"
    if seal(row["previous"], row) != row["hash"]:
        yield f"row {row['number']} was changed: its content and its hash don't fit"
    elif row["number"] == expected and row["previous"] != previous:
        yield f"row {row['number']} doesn't follow row {number}: one of the two was written anew or put in"
