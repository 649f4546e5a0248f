"""What every target got: intents, outcomes, newest revisions, what it has entered, how far its reading is settled."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    and_,
    bindparam,
    delete,
    func,
    insert,
    literal_column,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from mombus.journal.databases import alone
from mombus.journal.inboxes import system_of
from mombus.journal.tables import Instant, metadata
from mombus.journal.upsert import upsert

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import BindParameter, Connection

CHUNK = 400
"""Values per IN list; databases limit their number."""


class Outcome(StrEnum):
    """How one handover of one message to one target ended, or that it has begun."""

    INTENT = "intent"
    """About to be written: after a kill its effect is unknown."""
    DELIVERED = "delivered"
    SUPERSEDED = "superseded"
    """A newer revision went instead."""
    REJECTED = "rejected"
    """A request its owner refused; the asker was told."""
    SKIPPED = "skipped"
    """A person decided that it isn't sent."""


deliveries = Table(
    "deliveries", metadata,
    Column("target", String(32), primary_key=True),
    Column("message_id", String(200), primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("object", String(64), nullable=False),
    Column("key", Text, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("level", String(16)),
    Column("document", Text),
    Column("reason", Text),
    Column("late", Boolean, nullable=False, default=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("at", Instant, nullable=False),
    Column("reply_headers", Text),
    Column("reply_content", LargeBinary),
    Column("replied", Boolean, nullable=False, default=True),
)  # fmt: skip
"""One row per target and message: unique, so that a redelivery meets it instead of the target."""

IS_INTENT = deliveries.c.outcome == literal_column(f"'{Outcome.INTENT}'")
IS_OUTCOME = deliveries.c.outcome != literal_column(f"'{Outcome.INTENT}'")
"""Said in words, not as a value: a database uses an index of some rows only when it sees that they are enough."""

_UNREPLIED = deliveries.c.replied.is_(False)
Index("deliveries_begun", deliveries.c.target, sqlite_where=IS_INTENT, postgresql_where=IS_INTENT)
Index("deliveries_ended", deliveries.c.target, deliveries.c.at, sqlite_where=IS_OUTCOME, postgresql_where=IS_OUTCOME)
Index("deliveries_unreplied", deliveries.c.target, sqlite_where=_UNREPLIED, postgresql_where=_UNREPLIED)
"""Each of the rows it is asked for only: most outcomes are in one of them, in the order they came."""

revisions = Table(
    "revisions", metadata,
    Column("target", String(32), primary_key=True),
    Column("object", String(64), primary_key=True),
    Column("key", String(1000), primary_key=True),
    Column("revision", BigInteger, nullable=False),
)  # fmt: skip
"""The newest revision of a state that a target has."""

entered = Table(
    "entered", metadata,
    Column("target", String(32), primary_key=True),
    Column("object", String(64), primary_key=True),
    Column("key", String(1000), primary_key=True),
    Column("seq", BigInteger, nullable=False),
)  # fmt: skip
"""Things that passed a route's `when` once, first with the message at `seq`: the target gets every later revision."""

positions = Table(
    "positions", metadata,
    Column("inbox", String(40), primary_key=True),
    Column("seq", BigInteger, nullable=False),
)  # fmt: skip
"""Everything up to this stream sequence is settled for the inbox: written, moved to the waiting room or not its."""

starts = Table(
    "starts", metadata,
    Column("inbox", String(40), primary_key=True),
    Column("what", String(128), primary_key=True),
    Column("from_seq", BigInteger, nullable=False),
    Column("from_time", Instant),
    Column("fresh", Boolean, nullable=False),
)  # fmt: skip
"""Where each route of an inbox began: what is older is none of its. Fresh: the inbox hasn't read for it yet."""

streams = Table(
    "streams", metadata,
    Column("name", String(64), primary_key=True),
    Column("created", Instant, nullable=False),
)  # fmt: skip
"""The stream the sequences above belong to."""


_TARGET: BindParameter[str] = bindparam("target")
_OBJECT: BindParameter[str] = bindparam("object")
_PART: BindParameter[Any] = bindparam("part", expanding=True)
_DONE = select(
    deliveries.c.message_id, deliveries.c.outcome, deliveries.c.reply_headers, deliveries.c.reply_content
).where(deliveries.c.target == _TARGET, deliveries.c.message_id.in_(_PART))  # fmt: skip
_NEWEST = select(revisions.c.key, revisions.c.revision).where(
    revisions.c.target == _TARGET, revisions.c.object == _OBJECT, revisions.c.key.in_(_PART)
)
_ENTERED = select(entered.c.key, entered.c.seq).where(
    entered.c.target == _TARGET, entered.c.object == _OBJECT, entered.c.key.in_(_PART)
)
_NEVER = entered.c.seq < literal_column("0")
"""Of no row that is there: a sequence isn't negative."""
_EARLIER = update(entered).where(
    entered.c.target == bindparam("target_"), entered.c.object == bindparam("object_"),
    entered.c.key == bindparam("key_"), entered.c.seq > bindparam("seq_"),
).values(seq=bindparam("seq_"))  # fmt: skip
_WITHDRAW = delete(deliveries).where(deliveries.c.target == _TARGET, IS_INTENT, deliveries.c.message_id.in_(_PART))
_FORGET = delete(deliveries).where(deliveries.c.target == _TARGET, deliveries.c.message_id.in_(_PART))
"""What is said for every batch; made once, because making them costs more than running them."""


@dataclass(frozen=True, slots=True)
class Done:
    """What the journal knows of a message that comes again."""

    outcome: Outcome
    reply_headers: str | None
    reply_content: bytes | None


@dataclass(frozen=True, slots=True)
class Known:
    """What the journal knows about a batch of messages."""

    done: dict[str, Done]
    revisions: dict[tuple[str, str], int]
    entered: dict[tuple[str, str], int]


def look_up(
    connection: Connection, target: str, ids: Sequence[str], states: Sequence[tuple[str, str]],
    conditional: Sequence[tuple[str, str]],
) -> Known:  # fmt: skip
    """What is done of `ids`, the newest revisions of `states`, and which `conditional` things have entered, where."""
    done: dict[str, Done] = {}
    for part in _chunks(ids):
        rows = connection.execute(_DONE, {"target": target, "part": part})
        done.update({row[0]: Done(Outcome(row[1]), row[2], row[3]) for row in rows})
    newest: dict[tuple[str, str], int] = {}
    for name, part in _by_object(states):
        rows = connection.execute(_NEWEST, {"target": target, "object": name, "part": part})
        newest.update({(name, row[0]): row[1] for row in rows})
    has: dict[tuple[str, str], int] = {}
    for name, part in _by_object(conditional):
        found = connection.execute(_ENTERED, {"target": target, "object": name, "part": part})
        has.update({(name, row[0]): row[1] for row in found})
    return Known(done, newest, has)


def record(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Write outcomes; each row names every column it sets, the same for all."""
    upsert(connection, deliveries, rows)


def intend(connection: Connection, target: str, rows: Sequence[dict[str, Any]], *, again: Sequence[str] = ()) -> None:
    """Write intents. A message with an outcome already must not be intended: IntegrityError, nothing sent.

    The outcomes of `again` give way: a person has these replayed.
    """
    for part in _chunks(again):
        connection.execute(_FORGET, {"target": target, "part": part})
    if upsert(connection, deliveries, rows, over=IS_INTENT) < len(rows):
        raise IntegrityError("intend", None, ValueError(f"one of {len(rows)} messages has an outcome at {target}"))


def withdraw(connection: Connection, target: str, ids: Sequence[str]) -> None:
    """Take intents back: nothing was sent."""
    for part in _chunks(ids):
        connection.execute(_WITHDRAW, {"target": target, "part": part})


class Posted(NamedTuple):
    """How a message ended at a target, and its document's number."""

    outcome: Outcome
    document: str | None
    reason: str | None


def posted(connection: Connection, target: str, message_id: str) -> Posted | None:
    """How a message ended; if a correction of it went instead, how that did. None for one that isn't known."""
    d = deliveries.c
    columns = (d.outcome, d.document, d.reason)
    row = connection.execute(
        select(*columns, d.object, d.key).where(d.target == target, d.message_id == message_id)
    ).first()
    if row is None:
        return None
    if row[0] != Outcome.DELIVERED:
        same = and_(d.target == target, d.object == row[3], d.key == row[4], d.outcome == Outcome.DELIVERED)
        corrected = select(*columns, d.object, d.key).where(same).order_by(d.seq.desc()).limit(1)
        row = connection.execute(corrected).first() or row
    return Posted(Outcome(row[0]), row[1], row[2])


class Ended(NamedTuple):
    """How a message ended at a target, when and why."""

    outcome: Outcome
    at: datetime
    reason: str | None


def ended(connection: Connection, target: str, message_id: str) -> Ended | None:
    """How a message ended at a target; None while it hasn't."""
    d = deliveries.c
    row = connection.execute(
        select(d.outcome, d.at, d.reason).where(d.target == target, d.message_id == message_id, IS_OUTCOME)
    ).first()
    return None if row is None else Ended(Outcome(row[0]), row[1], row[2])


def reopen(connection: Connection, target: str, ids: Sequence[str]) -> None:
    """These were delivered, but the target doesn't have them any more: their effect is unknown again."""
    d = deliveries.c
    for part in _chunks(ids):
        connection.execute(
            update(deliveries).where(d.target == target, d.message_id.in_(part), d.outcome == Outcome.DELIVERED)
            .values(outcome=Outcome.INTENT)
        )  # fmt: skip


def open_intents(connection: Connection, target: str) -> set[str]:
    """Messages whose write had begun when the hub stopped."""
    d = deliveries.c
    rows = connection.execute(select(d.message_id).where(d.target == target, IS_INTENT))
    return {row[0] for row in rows}


def unreplied(connection: Connection, target: str) -> list[tuple[str, str, bytes]]:
    """Replies that were decided but perhaps not published: message id, headers, content."""
    d = deliveries.c
    rows = connection.execute(
        select(d.message_id, d.reply_headers, d.reply_content).where(d.target == target, _UNREPLIED)
    )
    return [(row[0], row[1], row[2]) for row in rows]


def mark_replied(connection: Connection, target: str, ids: Sequence[str]) -> None:
    """The replies to these are published."""
    d = deliveries.c
    for part in _chunks(ids):
        connection.execute(update(deliveries).where(d.target == target, d.message_id.in_(part)).values(replied=True))


def advance(connection: Connection, target: str, newest: Sequence[dict[str, Any]]) -> None:
    """Remember the newest revisions that a target has; keeping older ones out is the caller's."""
    upsert(connection, revisions, [{"target": target, **row} for row in newest])


def enter(connection: Connection, target: str, things: Mapping[tuple[str, str], int]) -> None:
    """Remember that these (object, key) have entered the target at a sequence; what has already stays where it did."""
    rows = [{"target": target, "object": name, "key": key, "seq": seq} for (name, key), seq in things.items()]
    upsert(connection, entered, rows, over=_NEVER)


def enter_earlier(connection: Connection, target: str, things: Mapping[tuple[str, str], int]) -> None:
    """As `enter`, of history: what has entered later counts as entered there from now on."""
    enter(connection, target, things)
    for (name, key), seq in things.items():
        connection.execute(_EARLIER, {"target_": target, "object_": name, "key_": key, "seq_": seq})


def settle(connection: Connection, inbox: str, seq: int) -> None:
    """Everything up to `seq` is settled for the inbox."""
    upsert(connection, positions, [{"inbox": inbox, "seq": seq}])


def position(connection: Connection, inbox: str) -> int | None:
    """Up to where everything is settled, None if the inbox has never been read."""
    return connection.execute(select(positions.c.seq).where(positions.c.inbox == inbox)).scalar()


def stream_created(connection: Connection, name: str) -> datetime | None:
    """The creation time of the stream that the journal belongs to, None if it never saw one."""
    return connection.execute(select(streams.c.created).where(streams.c.name == name)).scalar()


def furthest(connection: Connection) -> int:
    """The furthest position of any inbox, 0 if there is none."""
    return connection.execute(select(func.max(positions.c.seq))).scalar() or 0


def same_stream(connection: Connection, name: str, created: datetime) -> datetime | None:
    """Remember the stream's creation time on first sight; return the remembered one if it is another stream."""
    alone(connection)
    known = connection.execute(select(streams.c.created).where(streams.c.name == name)).scalar()
    if known is None:
        connection.execute(insert(streams).values(name=name, created=created))
        return None
    return None if known == created else known


def inboxes(connection: Connection) -> list[str]:
    """Every inbox that was ever read for."""
    return list(connection.execute(select(positions.c.inbox)).scalars())


def targets(connection: Connection) -> list[str]:
    """Every target that was ever read for."""
    return sorted(set(map(system_of, inboxes(connection))))


def prune(connection: Connection, target: str, before: datetime, limit: int) -> int:
    """Forget at most `limit` outcomes of a target older than `before`; intents and unpublished replies stay.

    Returns how many.
    """
    d = deliveries.c
    old = select(d.message_id).where(d.target == target, IS_OUTCOME, d.at < before, d.replied.is_(True))
    gone = delete(deliveries).where(d.target == target, d.message_id.in_(old.limit(limit)))
    return connection.execute(gone).rowcount


def _chunks(values: Sequence[Any]) -> Iterable[list[Any]]:
    for start in range(0, len(values), CHUNK):
        yield list(values[start : start + CHUNK])


def _by_object(things: Sequence[tuple[str, str]]) -> Iterable[tuple[str, list[str]]]:
    """The keys of each object: asked for pair by pair, SQLite would look at every thing that the target has."""
    keys: dict[str, list[str]] = {}
    for name, key in things:
        keys.setdefault(name, []).append(key)
    return ((name, part) for name, those in keys.items() for part in _chunks(those))
