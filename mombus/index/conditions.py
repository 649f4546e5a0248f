"""What a message may be searched by: each condition gives the newest that fit it, by an index, and tells which fit.

A search is made of these by `searching.py`. Every statement here is answered by an index, newest first, and looks at no
more rows than it gives: none is slower over a million messages than over a thousand.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from heapq import merge
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sqlalchemy import Connection


class Span(NamedTuple):
    """Sequences between these two, which are outside."""

    after: int
    before: int


class Condition(Protocol):
    """One thing that is asked of a message."""

    def newest(self, connection: Connection, span: Span, limit: int) -> list[int]:
        """The newest sequences that fit, newest first; fewer than `limit` are all that there are."""

    def fitting(self, connection: Connection, seqs: Sequence[int]) -> set[int]:
        """Which of these fit."""


@dataclass(frozen=True, slots=True)
class Everything:
    """Whatever was said."""

    def newest(self, connection: Connection, span: Span, limit: int) -> list[int]:
        """The newest of all."""
        return _newest(connection, "messages", "", (), span, limit)

    def fitting(self, connection: Connection, seqs: Sequence[int]) -> set[int]:
        """Those that are there."""
        return _fitting(connection, "messages", "", (), seqs)


@dataclass(frozen=True, slots=True)
class Said:
    """One column of a message has one of these values: `object`, `verb` or `source`."""

    column: str
    values: tuple[str, ...]

    def newest(self, connection: Connection, span: Span, limit: int) -> list[int]:
        """By the column's index, value by value."""
        where = f" AND {self.column} = ?"
        return _merged((_newest(connection, "messages", where, (one,), span, limit) for one in self.values), limit)

    def fitting(self, connection: Connection, seqs: Sequence[int]) -> set[int]:
        """By the messages themselves."""
        where = f" AND +{self.column} IN ({_marks(self.values)})"
        return _fitting(connection, "messages", where, self.values, seqs)


@dataclass(frozen=True, slots=True)
class Named:
    """It is about one of these things, or names it: an id of one of these data objects, or a `document`."""

    objects: tuple[str, ...]
    values: tuple[str, ...]

    def newest(self, connection: Connection, span: Span, limit: int) -> list[int]:
        """By the references, thing by thing."""
        where = " AND object = ? AND value = ?"
        things = ((name, value) for name in self.objects for value in self.values)
        return _merged((_newest(connection, "refs", where, thing, span, limit) for thing in things), limit)

    def fitting(self, connection: Connection, seqs: Sequence[int]) -> set[int]:
        """By each message's own references."""
        where = f" AND +object IN ({_marks(self.objects)}) AND +value IN ({_marks(self.values)})"
        return _fitting(connection, "refs", where, (*self.objects, *self.values), seqs)


@dataclass(frozen=True, slots=True)
class Ended:
    """It ended in one of these ways at one of these targets, after so many attempts at least."""

    targets: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    attempts: int = 0

    def newest(self, connection: Connection, span: Span, limit: int) -> list[int]:
        """By the index of what is rare of it: attempts, then states, then targets."""
        return _merged((_newest(connection, "hops", *one, span, limit) for one in self._rarest()), limit)

    def _rarest(self) -> Iterator[tuple[str, tuple[Any, ...]]]:
        if self.attempts > 1:
            where, given = self._where()
            yield f" AND attempts > 1{where}", given
            return
        for target in self.targets or (None,):
            for state in self.states or (None,):
                where = " AND target = ?" if target else ""
                if state is not None:
                    where += " AND +state = ?" if state == "delivered" else " AND state = ? AND state != 'delivered'"
                yield where, tuple(one for one in (target, state) if one is not None)

    def _where(self) -> tuple[str, tuple[Any, ...]]:
        text = f" AND +target IN ({_marks(self.targets)})" if self.targets else ""
        text += f" AND +state IN ({_marks(self.states)})" if self.states else ""
        text += " AND +attempts >= ?" if self.attempts else ""
        return text, (*self.targets, *self.states, *((self.attempts,) if self.attempts else ()))

    def fitting(self, connection: Connection, seqs: Sequence[int]) -> set[int]:
        """By each message's own hops."""
        return _fitting(connection, "hops", *self._where(), seqs)


@dataclass(frozen=True, slots=True)
class OneOf:
    """It is one of these messages, by sequence, newest first: what another database knows of them."""

    seqs: tuple[int, ...]

    def newest(self, _connection: Connection, span: Span, limit: int) -> list[int]:
        """The newest of them."""
        return list(islice((seq for seq in self.seqs if span.after < seq < span.before), limit))

    def fitting(self, _connection: Connection, seqs: Sequence[int]) -> set[int]:
        """Those among them."""
        return set(self.seqs).intersection(seqs)


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One of these fits."""

    conditions: tuple[Condition, ...]

    def newest(self, connection: Connection, span: Span, limit: int) -> list[int]:
        """The newest of each."""
        return _merged((one.newest(connection, span, limit) for one in self.conditions), limit)

    def fitting(self, connection: Connection, seqs: Sequence[int]) -> set[int]:
        """What fits any."""
        return set[int]().union(*(one.fitting(connection, seqs) for one in self.conditions))


def _newest(  # noqa: PLR0917 - one statement
    connection: Connection, table: str, where: str, given: tuple[str | int, ...], span: Span, limit: int
) -> list[int]:
    """The newest sequences of a table's rows in a span; `where` begins with AND, and has nothing that was asked."""
    text = f"SELECT seq FROM {table} WHERE seq > ? AND seq < ?{where} ORDER BY seq DESC LIMIT ?"  # noqa: S608
    return [row[0] for row in connection.exec_driver_sql(text, (*span, *given, limit))]


def _fitting(
    connection: Connection, table: str, where: str, given: tuple[str | int, ...], seqs: Sequence[int]
) -> set[int]:
    """Which of these a table has a row for."""
    text = f"SELECT seq FROM {table} WHERE seq IN (SELECT value FROM json_each(?)){where}"  # noqa: S608
    return {row[0] for row in connection.exec_driver_sql(text, (json.dumps(seqs), *given))}


def _merged(found: Iterable[Sequence[int]], limit: int) -> list[int]:
    """The newest of several lists, each once."""
    each = (seq for seq, _ in groupby(merge(*found, reverse=True)))
    return list(islice(each, limit))


def _marks(values: Sequence[Any]) -> str:
    return ", ".join("?" * len(values))
