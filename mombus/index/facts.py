"""The newest revision of each fact, by when it occurred or by what it names, with what takes it back."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import bindparam, func, select

from canonical.message import Verb, message_id
from mombus.index.selection import LONGEST
from mombus.index.tables import REVERSES, messages, refs

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from datetime import datetime, timedelta

    from sqlalchemy import BindParameter, Connection, Select

Thing = tuple[str, str, str]
"""A fact whatever its revision: object, source and key."""
AT_ONCE = 400
"""Names in one question."""
_NAMES: BindParameter[Any] = bindparam("names", expanding=True)


class Found(NamedTuple):
    """Sequences of facts and of their reversals in stream order; `partial`: there are others besides."""

    seqs: list[int]
    partial: bool


def occurred(  # noqa: PLR0917 - a period, and how far beyond it is looked
    connection: Connection, objects: Sequence[str], since: datetime, until: datetime, beyond: timedelta, limit: int
) -> Found:  # fmt: skip
    """Facts of which a revision occurred in that time, of the newest `limit` messages; each as it is said now.

    So are those that occurred up to `beyond` after it, of the oldest `limit` messages: what began in that time may
    have been said at its end only.
    """
    m = messages.c
    inside = _statements(objects).where(m.occurred >= since, m.occurred < until).order_by(m.seq.desc())
    after = _statements(objects).where(m.occurred >= until, m.occurred < until + beyond).order_by(m.seq)
    return _now(connection, [inside, after], limit)


def stated(connection: Connection, objects: Sequence[str], limit: int) -> Found:
    """What was said of these states last, of the newest `limit` messages."""
    m = messages.c
    statement = _statements(objects).add_columns(m.seq).order_by(m.seq.desc()).limit(limit + 1)
    rows = connection.execute(statement).all()
    newest: dict[Thing, int] = {}
    for object, source, key, seq in rows[:limit]:
        newest.setdefault((object, source, key), seq)
    return Found(sorted(newest.values()), len(rows) > limit)


def revisions(connection: Connection, object: str, id: str, limit: int) -> list[int]:
    """The sequences of all that was said about what a message of an object is about, the newest first."""
    m = messages.c
    about = select(m.source, m.key).where(m.id == id, m.object == object).limit(1).subquery()
    found = (
        select(m.seq).where(m.object == object, m.source == about.c.source, m.key == about.c.key)
        .order_by(m.seq.desc()).limit(limit)
    )  # fmt: skip
    return list(connection.execute(found).scalars())


def naming(connection: Connection, objects: Sequence[str], named: str, value: str, limit: int) -> Found:
    """Facts of which a revision names a thing, of the newest `limit` messages; as said now they may not."""
    r = refs.c
    about = select(r.seq).where(r.object == named, r.value == value)
    statement = _statements(objects).where(messages.c.seq.in_(about)).order_by(messages.c.seq.desc())
    return _now(connection, [statement], limit)


def _statements(objects: Sequence[str]) -> Select[tuple[str, str, str]]:
    """What was said of these objects; nearly all messages are syncs: that is no way to find the few of an object."""
    m = messages.c
    syncs = func.likely(m.verb == Verb.SYNC)
    return select(m.object, m.source, m.key).where(m.object.in_(objects), syncs, m.recipient.is_(None))


def _now(connection: Connection, statements: Iterable[Select[tuple[str, str, str]]], limit: int) -> Found:
    """What each thing that these find is now, and what takes it back, whenever that was said."""
    things: set[Thing] = set()
    partial = False
    for statement in statements:
        rows = connection.execute(statement.limit(limit + 1)).all()
        things.update((row.object, row.source, row.key) for row in rows[:limit])
        partial |= len(rows) > limit
    best: dict[Thing, tuple[int, int]] = {}
    ids = {message_id(source, object, Verb.SYNC, key, "0") for object, source, key in things}
    for seq, id, thing, revision in _revisions(connection, things):
        best[thing] = max((revision, seq), best.get(thing, (revision, seq)))
        ids.add(id)
    undoing = (row.seq for row in _named(connection, REVERSES, ids))
    return Found(sorted({*(seq for _, seq in best.values()), *undoing}), partial)


def _revisions(connection: Connection, things: Collection[Thing]) -> Iterator[tuple[int, str, Thing, int]]:
    """Every revision of these things: its sequence and id, the thing, and its number."""
    for name in dict.fromkeys(object for object, _, _ in things):
        keys = {key[:LONGEST] for object, _, key in things if object == name}
        for row in _named(connection, name, keys):
            thing = (row.object, row.source, row.key)
            if thing in things and row.verb == Verb.SYNC and row.recipient is None:
                yield row.seq, row.id, thing, row.revision or 0


def _named(connection: Connection, object: str, values: Iterable[str]) -> Iterator[Any]:
    """The messages that name any of these."""
    m, r = messages.c, refs.c
    statement = (
        select(m.seq, m.id, m.object, m.source, m.key, m.revision, m.verb, m.recipient)
        .join(refs, r.seq == m.seq)
        .where(r.object == object, r.value.in_(_NAMES))
    )  # fmt: skip
    left = iter(values)
    while part := list(islice(left, AT_ONCE)):
        yield from connection.execute(statement, {"names": part})
