"""Finding one message by its id, or the beginning of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from mombus.index.tables import messages

if TYPE_CHECKING:
    from sqlalchemy import Connection

SHORTEST_ID = 6
"""Characters of an id that may stand for all of it."""


def named(connection: Connection, id: str) -> dict[str, int]:
    """The messages with that id, or, if there is none, those whose ids begin so: at most two of these.

    Each with where it was stored last.
    """
    m = messages.c
    exact = connection.execute(select(m.seq).where(m.id == id).order_by(m.seq.desc()).limit(1)).scalar()
    if exact is not None:
        return {id: exact}
    if len(id) < SHORTEST_ID:
        return {}
    begin = select(m.id, m.seq).where(m.id >= id, m.id < f"{id}\U0010ffff").order_by(m.id, m.seq)
    found: dict[str, int] = {}
    for other, seq in connection.execute(begin.limit(50)):
        found[other] = seq
    return dict(list(found.items())[:2])
