"""The index's tables, in a database of their own beside the journal."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, MetaData, String, Table, Text

from mombus.journal.tables import Instant

index_metadata = MetaData()

messages = Table(
    "messages", index_metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("id", String(64), nullable=False, index=True),
    Column("object", String(64), nullable=False),
    Column("verb", String(16), nullable=False),
    Column("action", String(16)),
    Column("source", String(32), nullable=False),
    Column("recipient", String(32)),
    Column("key", Text, nullable=False),
    Column("lane", Text, nullable=False),
    Column("revision", BigInteger),
    Column("occurred", Instant, nullable=False),
    Column("recorded", Instant, nullable=False),
    Column("stored", Instant, nullable=False),
    Column("correlation", String(64), index=True),
    Column("document", Text),
    Column("reason", Text),
)  # fmt: skip

refs = Table(
    "refs", index_metadata,
    Column("object", String(64), primary_key=True),
    Column("value", String(250), primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Index("refs_seq", "seq"),
)  # fmt: skip
"""What a message is about and what it names: (object, id) of every reference in its body, and its own."""

read_from = Table(
    "read_from", index_metadata,
    Column("stream", String(64), primary_key=True),
    Column("created", Instant, nullable=False),
)  # fmt: skip
"""The stream the sequences belong to: another one, and the index starts anew."""
