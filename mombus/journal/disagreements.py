"""Disagreements: where a system that isn't the owner states something else than the owner does, since when.

One that a process owner tolerates isn't open until its time is over, or until one of the two values changes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import (
    Column,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    and_,
    case,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from mombus.journal.databases import alone, storable
from mombus.journal.tables import Instant, metadata

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, RowMapping


class Decision(StrEnum):
    """What a process owner decides about a disagreement."""

    ADOPT = "adopt"
    """The other's value is right: the owner is asked to say it."""
    OVERRULE = "overrule"
    """The owner's value is right: it is sent again to the system that says otherwise."""
    TOLERATE = "tolerate"
    """Both stand until a time."""


class Standing(StrEnum):
    """How a disagreement stands now."""

    OPEN = "open"
    TOLERATED = "tolerated"
    CLOSED = "closed"


disagreements = Table(
    "disagreements", metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("object", String(64), nullable=False),
    Column("key", Text, nullable=False),
    Column("system", String(32), nullable=False),
    Column("owner", String(32), nullable=False),
    Column("said", LargeBinary, nullable=False),
    Column("owner_says", LargeBinary),
    Column("fields", Text, nullable=False),
    Column("message_id", String(200), nullable=False),
    Column("since", Instant, nullable=False),
    Column("last_seen", Instant, nullable=False),
    Column("times", Integer, nullable=False),
    Column("closed", Instant),
    Column("how", Text),
    Column("decision", String(16)),
    Column("decided", Instant),
    Column("decided_by", Text),
    Column("decided_why", Text),
    Column("tolerated_until", Instant),
    Column("sent", String(200)),
    Index("disagreements_open", "closed", "object", "key"),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """`system` states `said` (a body as canonical JSON, empty: deleted), the owner states `owner_says`.

    `owner_says` is None when the owner has said nothing about that key. `fields` are the dotted paths that differ,
    `message_id` is what the system said last, `how` tells what closed it.

    `decision` is the last one that was made about it, `sent` the id of the request or message that carries it out. The
    time of a tolerance is gone once it doesn't count any more.
    """

    id: int
    object: str
    key: str
    system: str
    owner: str
    said: bytes
    owner_says: bytes | None
    fields: tuple[str, ...]
    message_id: str
    since: datetime
    last_seen: datetime
    times: int
    closed: datetime | None
    how: str | None
    decision: Decision | None = None
    decided: datetime | None = None
    decided_by: str | None = None
    decided_why: str | None = None
    tolerated_until: datetime | None = None
    sent: str | None = None

    def standing(self, now: datetime) -> Standing:
        """How it stands at a time."""
        if self.closed is not None:
            return Standing.CLOSED
        tolerated = self.tolerated_until is not None and self.tolerated_until > now
        return Standing.TOLERATED if tolerated else Standing.OPEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which disagreements are looked for; None is any. `key` is a part of the key, `before` the number after them."""

    standing: Standing | None = None
    object: str | None = None
    objects: Collection[str] | None = None
    system: str | None = None
    owner: str | None = None
    key: str | None = None
    before: int | None = None


def note(
    connection: Connection, *, object: str, key: str, system: str, owner: str, said: bytes, owner_says: bytes | None,
    fields: Sequence[str], message_id: str, now: datetime,
) -> None:  # fmt: skip
    """Open a disagreement, or renew the open one of that system about that key: `since` stays.

    What is tolerated are the two values: it ends when one is another.
    """
    d = disagreements.c
    values = {
        "owner": owner, "said": said, "owner_says": owner_says, "fields": json.dumps(list(fields)),
        "message_id": message_id, "last_seen": now,
    }  # fmt: skip
    alone(connection)
    renewed = connection.execute(
        update(disagreements)
        .where(d.closed.is_(None), d.object == object, d.key == key, d.system == system)
        .values(**values, times=d.times + 1, tolerated_until=case((_as_before(said, owner_says), d.tolerated_until)))
    )
    if renewed.rowcount == 0:
        connection.execute(
            insert(disagreements).values(object=object, key=key, system=system, since=now, times=1, **values)
        )


def close(connection: Connection, object: str, key: str, *, how: str, now: datetime, system: str | None = None) -> int:
    """Close the open ones about that key, of one system or of all; returns how many there were."""
    d = disagreements.c
    statement = update(disagreements).where(d.closed.is_(None), d.object == object, d.key == key)
    if system is not None:
        statement = statement.where(d.system == system)
    return connection.execute(statement.values(closed=now, how=how)).rowcount


def owner_said(connection: Connection, object: str, key: str, content: bytes, *, now: datetime) -> int:
    """The owner states something new: who said that before agrees now. Returns how many remain open."""
    left = 0
    for row in rows(connection, object=object, key=key):
        if row.said == content:
            close(connection, object, key, system=row.system, how="the owner changed to that value", now=now)
        else:
            left += 1
            fields = json.dumps(list(differing(row.said, content)))
            connection.execute(
                update(disagreements).where(disagreements.c.id == row.id).values(
                    owner_says=content, fields=fields,
                    tolerated_until=row.tolerated_until if row.owner_says == content else None,
                )
            )  # fmt: skip
    return left


def decide(
    connection: Connection, id: int, decision: Decision, *, who: str, why: str, now: datetime,
    until: datetime | None = None, sent: str | None = None, how: str | None = None,
) -> bool:  # fmt: skip
    """Note what was decided about an open one; with `how` that closes it. False if it is closed already."""
    closing = {} if how is None else {"closed": now, "how": storable(how)}
    done = connection.execute(
        update(disagreements).where(disagreements.c.id == id, disagreements.c.closed.is_(None)).values(
            decision=decision, decided=now, decided_by=storable(who), decided_why=storable(why), tolerated_until=until,
            sent=sent, **closing,
        )
    )  # fmt: skip
    return done.rowcount == 1


def take_back(connection: Connection, id: int, *, sent: str) -> bool:
    """A decision that couldn't be carried out: it is as if it hadn't been made, if it is still that one."""
    none = dict.fromkeys(("decision", "decided", "decided_by", "decided_why", "tolerated_until", "sent"))
    d = disagreements.c
    return connection.execute(update(disagreements).where(d.id == id, d.sent == sent).values(**none)).rowcount == 1


def rows(
    connection: Connection, *, object: str | None = None, key: str | None = None, closed: bool = False,
    limit: int | None = None,
) -> list[Disagreement]:  # fmt: skip
    """Open disagreements (with `closed` the others), the oldest first."""
    d = disagreements.c
    statement = select(disagreements).order_by(d.since, d.id).limit(limit)
    statement = statement.where(d.closed.is_not(None) if closed else d.closed.is_(None))
    if object is not None:
        statement = statement.where(d.object == object)
    if key is not None:
        statement = statement.where(d.key == key)
    return [_row(row) for row in connection.execute(statement).mappings()]


def find(connection: Connection, id: int) -> Disagreement | None:
    """The one with that number."""
    row = connection.execute(select(disagreements).where(disagreements.c.id == id)).mappings().first()
    return None if row is None else _row(row)


def listed(connection: Connection, wanted: Wanted, *, now: datetime, limit: int) -> list[Disagreement]:
    """Those that are wanted, the newest first, at most `limit`."""
    statement = select(disagreements).where(*_fits(wanted, now)).order_by(disagreements.c.id.desc()).limit(limit)
    return [_row(row) for row in connection.execute(statement).mappings()]


def counts(connection: Connection, wanted: Wanted, *, now: datetime) -> dict[Standing, int]:
    """How many there are of each standing, of those that are wanted otherwise."""
    found = {}
    for standing in Standing:
        fits = (*_fits(wanted, now), _stands(standing, now))
        found[standing] = connection.execute(select(func.count()).select_from(disagreements).where(*fits)).scalar_one()
    return found


def by_object(connection: Connection, *, now: datetime) -> dict[tuple[str, str], int]:
    """How many are open, by (object, system that says otherwise)."""
    d = disagreements.c
    found = connection.execute(
        select(d.object, d.system, func.count()).where(_stands(Standing.OPEN, now)).group_by(d.object, d.system)
    )
    return {(row[0], row[1]): row[2] for row in found}


def count(connection: Connection, now: datetime) -> int:
    """How many are open, without those that are tolerated."""
    return connection.execute(select(func.count()).where(_stands(Standing.OPEN, now))).scalar_one()


def count_by_object(connection: Connection, now: datetime) -> dict[str, int]:
    """How many are open, by data object."""
    found: dict[str, int] = {}
    for (object, _), number in by_object(connection, now=now).items():
        found[object] = found.get(object, 0) + number
    return found


def prune(connection: Connection, before: datetime) -> int:
    """Forget what was closed before then; returns how many. What is open stays."""
    return connection.execute(delete(disagreements).where(disagreements.c.closed < before)).rowcount


def open_keys(connection: Connection) -> set[tuple[str, str]]:
    """(object, key) of everything that is disagreed about."""
    d = disagreements.c
    return {(row[0], row[1]) for row in connection.execute(select(d.object, d.key).where(d.closed.is_(None)))}


class Difference(NamedTuple):
    """A dotted path at which two bodies differ, and what each says there; None: it says nothing."""

    path: str
    one: Any
    other: Any


def differing(one: bytes, other: bytes | None, limit: int = 20) -> tuple[str, ...]:
    """The dotted paths at which two bodies differ, at most `limit`; empty text stands for a deleted thing."""
    return tuple(found.path for found in differences(one, other, limit))


def differences(one: bytes, other: bytes | None, limit: int) -> list[Difference]:
    """Where two bodies differ and how, at most `limit` places; none where one of them is nothing."""
    if not one or not other:
        return []
    found = _compared(json.loads(one), json.loads(other), "")
    return [difference for difference, _ in zip(found, range(limit), strict=False)]


def _compared(one: object, other: object, path: str) -> Iterator[Difference]:
    if isinstance(one, dict) and isinstance(other, dict):
        for name in sorted(one.keys() | other.keys()):
            yield from _compared(one.get(name), other.get(name), f"{path}.{name}" if path else name)
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, (left, right) in enumerate(zip(one, other, strict=True)):
            yield from _compared(left, right, f"{path}.{number}")
    elif one != other:
        yield Difference(path, one, other)


def _as_before(said: bytes, owner_says: bytes | None) -> ColumnElement[bool]:
    d = disagreements.c
    owners = d.owner_says.is_(None) if owner_says is None else d.owner_says == owner_says
    return and_(d.said == said, owners)


def _stands(standing: Standing, now: datetime) -> ColumnElement[bool]:
    d = disagreements.c
    match standing:
        case Standing.CLOSED:
            return d.closed.is_not(None)
        case Standing.TOLERATED:
            return and_(d.closed.is_(None), d.tolerated_until > now)
    return and_(d.closed.is_(None), or_(d.tolerated_until.is_(None), d.tolerated_until <= now))


def _fits(wanted: Wanted, now: datetime) -> list[ColumnElement[bool]]:
    d = disagreements.c
    named = ((d.object, wanted.object), (d.system, wanted.system), (d.owner, wanted.owner))
    fits = [column == storable(value) for column, value in named if value is not None]
    if wanted.standing is not None:
        fits.append(_stands(wanted.standing, now))
    if wanted.objects is not None:
        fits.append(d.object.in_(wanted.objects))
    if wanted.key is not None:
        fits.append(d.key.contains(storable(wanted.key), autoescape=True))
    if wanted.before is not None:
        fits.append(d.id < wanted.before)
    return fits


def _row(row: RowMapping) -> Disagreement:
    decision = Decision(row["decision"]) if row["decision"] else None
    return Disagreement(**{**row, "fields": tuple(json.loads(row["fields"])), "decision": decision})
