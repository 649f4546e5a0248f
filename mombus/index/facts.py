"""The newest revision of each fact, by when it occurred or by what it names."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import select

from canonical.message import Verb
from mombus.index.tables import messages, refs

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Select


class Found(NamedTuple):
    """Sequences of facts in stream order; `partial`: there are older ones besides."""

    seqs: list[int]
    partial: bool


def occurred(connection: Connection, objects: Sequence[str], since: datetime, until: datetime, limit: int) -> Found:
    """Facts of which a revision occurred in that time, of the newest `limit` messages."""
    m = messages.c
    statement = _statements(objects).where(m.occurred >= since, m.occurred < until).order_by(m.seq.desc())
    return _newest(connection.execute(statement.limit(limit + 1)), limit)


def stated(connection: Connection, objects: Sequence[str], limit: int) -> Found:
    """What was said of these objects last, of the newest `limit` messages."""
    statement = _statements(objects).order_by(messages.c.seq.desc())
    return _newest(connection.execute(statement.limit(limit + 1)), limit)


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
    """Facts that name a thing, of the newest `limit` messages."""
    r = refs.c
    about = select(r.seq).where(r.object == named, r.value == value)
    statement = _statements(objects).where(messages.c.seq.in_(about)).order_by(messages.c.seq.desc())
    return _newest(connection.execute(statement.limit(limit + 1)), limit)


def _statements(objects: Sequence[str]) -> Select[tuple[int, str, str, str, int | None]]:
    m = messages.c
    return select(m.seq, m.object, m.source, m.key, m.revision).where(
        m.object.in_(objects), m.verb == Verb.SYNC, m.recipient.is_(None)
    )


def _newest(rows: Iterable[tuple[int, str, str, str, int | None]], limit: int) -> Found:
    """Of each fact the highest revision, and of that what was stored last."""
    best: dict[tuple[str, str, str], tuple[int, int]] = {}
    number = 0
    for seq, object, source, key, revision in rows:
        number += 1
        if number <= limit:
            thing, version = (object, source, key), (revision or 0, seq)
            best[thing] = max(version, best.get(thing, version))
    return Found(sorted(seq for _, seq in best.values()), number > limit)
