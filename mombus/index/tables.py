"""The index's tables, in a database of their own beside the journal."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, String, Table, Text, literal_column

from mombus.journal.tables import Instant

index_metadata = MetaData()

messages = Table(
    "messages", index_metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("id", String(64), nullable=False, index=True),
    Column("object", String(64), nullable=False, index=True),
    Column("verb", String(16), nullable=False, index=True),
    Column("action", String(16)),
    Column("source", String(32), nullable=False, index=True),
    Column("recipient", String(32)),
    Column("key", Text, nullable=False),
    Column("lane", Text, nullable=False),
    Column("revision", BigInteger),
    Column("occurred", Instant, nullable=False),
    Column("recorded", Instant, nullable=False),
    Column("stored", Instant, nullable=False, index=True),
    Column("correlation", String(64), index=True),
    Column("document", Text),
    Column("reason", Text),
)  # fmt: skip
"""Every message by its sequence, which is the row's own number: each index has it too, in order, newest at its end."""

refs = Table(
    "refs", index_metadata,
    Column("object", String(64), primary_key=True),
    Column("value", String(250), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Index("refs_seq", "seq"),
    sqlite_with_rowid=False,
)  # fmt: skip
"""What a message is about and what it names: (object, id) of every reference in its body, its own, and the number of
the document that it became in each target. A reversal has the id of what it undoes, as REVERSES."""
REVERSES = "reverses"

hops = Table(
    "hops", index_metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("target", String(32), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    sqlite_with_rowid=False,
)  # fmt: skip
"""How each handover ended, as far as it is searched for; the journal has the rest of it, and what waits."""

UNUSUAL = hops.c.state != literal_column("'delivered'")
REPEATED = hops.c.attempts > literal_column("1")
"""Said in words, as the indexes of these few rows are, so that they are used."""
Index("hops_target", hops.c.target, hops.c.seq)
Index("hops_state", hops.c.state, hops.c.seq, sqlite_where=UNUSUAL)
Index("hops_target_state", hops.c.target, hops.c.state, hops.c.seq, sqlite_where=UNUSUAL)
Index("hops_attempts", hops.c.seq, sqlite_where=REPEATED)

read_outcomes = Table(
    "read_outcomes", index_metadata,
    Column("target", String(32), primary_key=True),
    Column("at", String(32), nullable=False),
    sqlite_with_rowid=False,
)  # fmt: skip
"""Up to when each target's outcomes were read from the journal."""

read_from = Table(
    "read_from", index_metadata,
    Column("stream", String(64), primary_key=True),
    Column("created", Instant, nullable=False),
)  # fmt: skip
"""The stream the sequences belong to: another one, and the index starts anew."""
