"""Open requests: who asked whom for what, until when; so that answers find their asker after a restart."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import Boolean, Column, Index, String, Table, Text, and_, delete, func, or_, select, update

from mombus.journal.databases import alone
from mombus.journal.tables import Instant, metadata
from mombus.journal.upsert import upsert

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection, RowMapping


class Asked(StrEnum):
    """What became of a request."""

    OPEN = "open"
    ANSWERED = "answered"
    EXPIRED = "expired"
    """Nobody answered in time: the asker was told Rejected, and the owner must not act on it any more."""


requests = Table(
    "requests", metadata,
    Column("id", String(200), primary_key=True),
    Column("asker", String(32), nullable=False),
    Column("owner", String(32), nullable=False),
    Column("object", String(64), nullable=False),
    Column("verb", String(16), nullable=False),
    Column("key", Text, nullable=False),
    Column("site", String(64), nullable=False),
    Column("lanes", Text, nullable=False),
    Column("asked", Instant, nullable=False),
    Column("expires", Instant, nullable=False),
    Column("state", String(16), nullable=False),
    Column("answer", String(16)),
    Column("reason", Text),
    Column("document", Text),
    Column("ended", Instant),
    Column("told", Instant),
    Column("acted_on", Boolean, nullable=False, default=False),
    Index("requests_open", "state", "expires"),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRequest:
    """One request. `lanes` is as in the message's header; `answer` is the reply's action, `ended` when it came.

    `told` is when the asker of an expired request was told. `acted_on`: its owner is being told or may know it already,
    so that it doesn't expire: the answer comes.
    """

    id: str
    asker: str
    owner: str
    object: str
    verb: str
    key: str
    site: str
    lanes: str
    asked: datetime
    expires: datetime
    state: Asked = Asked.OPEN
    answer: str | None = None
    reason: str | None = None
    document: str | None = None
    ended: datetime | None = None
    told: datetime | None = None
    acted_on: bool = False


_COLUMNS = [column.name for column in requests.c]


def record(connection: Connection, request: OpenRequest) -> None:
    """Keep a request; one that is known already stays what it is."""
    row = {name: getattr(request, name) for name in _COLUMNS}
    alone(connection)
    if find(connection, request.id) is None:
        upsert(connection, requests, [row])


def find(connection: Connection, id: str) -> OpenRequest | None:
    """The request with that id."""
    row = connection.execute(select(requests).where(requests.c.id == id)).mappings().first()
    return None if row is None else _request(row)


def answer(
    connection: Connection, id: str, *, owner: str, action: str | None, reason: str | None, document: str | None,
    now: datetime,
) -> bool:  # fmt: skip
    """Close an open request with its answer; False when it is unknown or closed already: the first answer wins.

    Only `owner` closes one, who was asked, whoever else can publish replies about its own objects.
    """
    r = requests.c
    done = connection.execute(
        update(requests).where(r.id == id, r.owner == owner, r.state == Asked.OPEN)
        .values(state=Asked.ANSWERED, answer=action, reason=reason, document=document, ended=now)
    )  # fmt: skip
    return done.rowcount == 1


def act_on(connection: Connection, id: str) -> bool:
    """Keep a request from expiring while its owner is told of it; False when it has expired already."""
    r = requests.c
    connection.execute(update(requests).where(r.id == id, r.state == Asked.OPEN).values(acted_on=True))
    found = find(connection, id)
    return found is None or found.state is not Asked.EXPIRED


def let_go(connection: Connection, ids: Sequence[str]) -> None:
    """Nobody acts on these for now, and nothing came of it: they may expire."""
    for start in range(0, len(ids), 400):
        part = list(ids[start : start + 400])
        connection.execute(update(requests).where(requests.c.id.in_(part)).values(acted_on=False))


def expire(connection: Connection, now: datetime) -> None:
    """Close the open requests whose time is over; `untold` lists those whose asker doesn't know it yet."""
    r = requests.c
    connection.execute(
        update(requests).where(r.state == Asked.OPEN, r.expires <= now, r.acted_on.is_(False))
        .values(state=Asked.EXPIRED, ended=now, reason="nobody answered in time")
    )  # fmt: skip


def untold(connection: Connection, limit: int = 100) -> list[OpenRequest]:
    """Expired requests whose asker is still to be told, the oldest first."""
    r = requests.c
    statement = select(requests).where(r.state == Asked.EXPIRED, r.told.is_(None)).order_by(r.expires).limit(limit)
    return [_request(row) for row in connection.execute(statement).mappings()]


def told(connection: Connection, id: str, now: datetime) -> None:
    """The asker's Rejected reply is stored."""
    connection.execute(update(requests).where(requests.c.id == id).values(told=now))


def next_expiry(connection: Connection) -> datetime | None:
    """When the next open request expires; a time that is over is of one that its owner is just being told of."""
    r = requests.c
    return connection.execute(
        select(r.expires).where(r.state == Asked.OPEN).order_by(r.expires).limit(1)
    ).scalar()  # fmt: skip


def prune(connection: Connection, before: datetime) -> int:
    """Forget requests that ended and whose time was over before then; returns how many."""
    r = requests.c
    ended = or_(r.state == Asked.ANSWERED, and_(r.state == Asked.EXPIRED, r.told.is_not(None)))
    return connection.execute(delete(requests).where(ended, r.expires < before)).rowcount


def open_by_asker(connection: Connection) -> dict[tuple[str, str], int]:
    """How many are open, by (object, asker)."""
    r = requests.c
    counted = select(r.object, r.asker, func.count()).where(r.state == Asked.OPEN).group_by(r.object, r.asker)
    return {(row[0], row[1]): row[2] for row in connection.execute(counted)}


def rows(connection: Connection, *, state: Asked | None = None, limit: int = 200) -> Sequence[OpenRequest]:
    """Requests, the newest first."""
    statement = select(requests).order_by(requests.c.asked.desc()).limit(limit)
    if state is not None:
        statement = statement.where(requests.c.state == state)
    return [_request(row) for row in connection.execute(statement).mappings()]


def _request(row: RowMapping) -> OpenRequest:
    return OpenRequest(**{**row, "state": Asked(row["state"])})
