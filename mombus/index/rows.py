"""Messages as they are shown: with the ids that people know them by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, select

from canonical.objects import shown_key
from mombus.index.selection import ORDERS
from mombus.index.tables import REVERSES, messages, refs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import BindParameter, Connection

COLUMNS = {
    **dict.fromkeys(ORDERS, "order"), "material_lot": "lot", "equipment": "equipment", "material": "material",
    "document": "document",
}  # fmt: skip
"""In which column the id of a thing is shown."""
JOB = "job_order"
MOST_REASON = 500
"""Characters of a reason in a list."""
MOST_IDS = 5
"""Ids in one column of one message."""

_SEQS: BindParameter[Any] = bindparam("seqs", expanding=True)
_OF = select(messages).where(messages.c.seq.in_(_SEQS))
_IDS = select(refs.c.seq, refs.c.object, refs.c.value).where(refs.c.seq.in_(_SEQS), refs.c.object.in_(COLUMNS))


def rows(connection: Connection, seqs: Sequence[int]) -> list[dict[str, Any]]:
    """These messages in this order, those that are there; see `mombus.desk.messages.MessageRow`, `hops` left empty."""
    found = {row["seq"]: _row(row) for row in connection.execute(_OF, {"seqs": list(seqs)}).mappings()}
    for seq, name, value in connection.execute(_IDS, {"seqs": list(found)}):
        column = found[seq][COLUMNS[name]]
        if value not in column and len(column) < MOST_IDS:
            column.append(value)
    return [found[seq] for seq in seqs if seq in found]


def orders(connection: Connection, seqs: Sequence[int]) -> dict[int, list[str]]:
    """The orders that these messages name, by sequence; jobs only where no order is named."""
    found: dict[int, dict[str, list[str]]] = {}
    for seq, name, value in connection.execute(_IDS, {"seqs": list(seqs)}):
        if name in ORDERS:
            found.setdefault(seq, {}).setdefault(name, []).append(value)
    return {seq: [id for name in names if name != JOB or len(names) == 1 for id in names[name]]
            for seq, names in found.items()}  # fmt: skip


def caused_by(connection: Connection, id: str, limit: int) -> list[dict[str, Any]]:
    """The first messages that answer this one, or that it caused."""
    seqs = connection.execute(
        select(messages.c.seq).where(messages.c.correlation == id).order_by(messages.c.seq).limit(limit)
    )
    return rows(connection, list(seqs.scalars()))


def by_id(connection: Connection, start: str, limit: int) -> list[dict[str, Any]]:
    """The messages whose id begins like that, newest first."""
    m = messages.c
    begins = (m.id >= start, m.id < start + "\U0010ffff")
    seqs = connection.execute(select(m.seq).where(*begins).order_by(m.id, m.seq.desc()).limit(limit))
    return rows(connection, list(seqs.scalars()))


def named(connection: Connection, seq: int, limit: int) -> list[dict[str, str]]:
    """What a message names, itself included."""
    r = refs.c
    statement = select(r.object, r.value).where(r.seq == seq, r.object != REVERSES).order_by(r.object, r.value)
    return [{"object": row[0], "id": row[1]} for row in connection.execute(statement.limit(limit))]


def _row(row: Any) -> dict[str, Any]:
    """One message without what it names."""
    shown = {name: row[name] for name in ("seq", "id", "object", "verb", "action", "revision", "source",
                                          "correlation")}  # fmt: skip
    return {
        **shown, "reason": row["reason"][:MOST_REASON] if row["reason"] else None,
        "key": shown_key(row["object"], row["key"]), "to": row["recipient"],
        "occurred": row["occurred"].isoformat(), "stored": row["stored"].isoformat(),
        "delay_s": max(0.0, round((row["stored"] - row["occurred"]).total_seconds(), 3)), "hops": [],
        **{column: [] for column in set(COLUMNS.values())},
    }  # fmt: skip
