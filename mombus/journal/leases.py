"""Leases: which hub does what, as rows with an epoch, where several hubs share one journal (PostgreSQL).

Time is the database's alone, so that hubs whose clocks are hours apart agree. A lease that ran out, or that its hub let
go, may be taken by any hub; each taking has a new epoch. What is done under a lease checks the epoch in its own
transaction and keeps the row from changing until that has ended: after a taking nothing of an earlier epoch comes.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Integer,
    String,
    Table,
    Text,
    cast,
    delete,
    extract,
    func,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from mombus.journal.databases import alone
from mombus.journal.tables import metadata

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sqlalchemy import Connection
    from sqlalchemy.sql import ColumnElement

OVER = 0.0
"""The expiry of a lease that was let go."""
VOID = -1.0
"""The expiry of one that ran out before the system was shared out in another way."""

FORGOTTEN_S = 86_400
"""How long a hub that was killed is remembered, if nothing is in its spools."""

leases = Table(
    "leases", metadata,
    Column("name", String(64), primary_key=True),
    Column("hub", String(64), nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("expires", Float(53), nullable=False),
)  # fmt: skip

hubs = Table(
    "hubs", metadata,
    Column("hub", String(64), primary_key=True),
    Column("address", Text, nullable=False),
    Column("plan", String(64), nullable=False),
    Column("routes", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("place", String(64), nullable=False),
    Column("kept", Integer, nullable=False),
    Column("since", Float(53), nullable=False),
    Column("heard", Float(53), nullable=False),
    Column("expires", Float(53), nullable=False),
)  # fmt: skip
"""The hubs that live, and those that ended without a word: what each said of itself last, since when and at what time.

`kept` is how many items are in its spools, `place` the id of the disk they are on: a hub that starts there takes the
place of the one that died. One with nothing in its spools is forgotten by and by.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """What a hub says of itself to the others: where its pages are, and digests of the configuration it runs.

    `plan` is all that hubs must agree on, `routes` what each target gets, by target.
    """

    address: str
    plan: str
    routes: Mapping[str, str] = field(default_factory=dict)
    version: str = ""
    place: str = ""


class LeaseLost(RuntimeError):  # noqa: N818 - a fact to act on
    """Another hub has the lease, or may have it: nothing may be done under it any more."""


class Held(NamedTuple):
    """A lease as it stands: `let_go` tells a lease that was handed over from one that ran out."""

    name: str
    hub: str
    epoch: int
    live: bool
    let_go: bool


class Peer(NamedTuple):
    """A hub that lives, or ended without a word: what it said last, since when it ran and when it was heard."""

    hub: str
    said: Presence
    kept: int
    since: datetime
    heard: datetime
    live: bool


def renew(  # noqa: PLR0917 - one row
    connection: Connection, hub: str, me: Presence, kept: int, names: Collection[str], ttl_s: float
) -> None:  # fmt: skip
    """Say that the hub lives, and renew those of its leases under which it works."""
    h, now = hubs.c, _now()
    came_back = (h.place == me.place) & (h.place != "") & (h.hub != hub)
    forgotten = (h.kept == 0) & (h.heard < now - FORGOTTEN_S)
    connection.execute(delete(hubs).where(h.expires <= now, came_back | forgotten))
    said = {**asdict(me), "routes": json.dumps(dict(me.routes)), "kept": kept, "heard": now, "expires": now + ttl_s}
    row = insert(hubs).values(hub=hub, since=now, **said)
    connection.execute(row.on_conflict_do_update(index_elements=["hub"], set_=said))
    connection.execute(
        update(leases)
        .where(leases.c.hub == hub, leases.c.name.in_(names), leases.c.expires > OVER)
        .values(expires=_now() + ttl_s)
    )


def take(connection: Connection, hub: str, name: str, ttl_s: float) -> int | None:
    """Take a lease nobody has, or that the hub had before: its new epoch, None if another hub was faster.

    `system` stands for a whole system, `system:part` for a part of it: while one of them is held, none of the other
    sort can be taken; those that ran out are over for good.
    """
    alone(connection)
    other = _other_sort(name)
    connection.execute(
        update(leases).where(other, leases.c.expires > OVER, leases.c.expires <= _now()).values(expires=VOID)
    )
    if connection.execute(select(leases.c.name).where(other, leases.c.expires > OVER).limit(1)).first() is not None:
        return None
    row = insert(leases).values(name=name, hub=hub, epoch=1, expires=_now() + ttl_s)
    free = (leases.c.expires <= _now()) | (leases.c.hub == hub)
    taken = row.on_conflict_do_update(
        index_elements=["name"], where=free,
        set_={"hub": hub, "epoch": leases.c.epoch + 1, "expires": row.excluded.expires},
    )  # fmt: skip
    return connection.execute(taken.returning(leases.c.epoch)).scalar()


def let_go(connection: Connection, hub: str, name: str, epoch: int) -> None:
    """Give a lease back, so that another hub has it at once."""
    mine = (leases.c.hub == hub) & (leases.c.name == name) & (leases.c.epoch == epoch)
    connection.execute(update(leases).where(mine).values(expires=OVER))


def leave(connection: Connection, hub: str) -> None:
    """The hub stops. What it hasn't let go runs out."""
    connection.execute(delete(hubs).where(hubs.c.hub == hub))


def check(connection: Connection, hub: str, name: str, epoch: int) -> None:
    """Keep the lease from being taken until this transaction has ended. Raises LeaseLost when it was."""
    c = leases.c
    mine = select(c.epoch).where(c.name == name, c.hub == hub, c.epoch == epoch, c.expires > OVER)
    if connection.execute(mine.with_for_update(read=True)).first() is None:
        raise LeaseLost(f"'{name}' isn't this hub's any more")


def standing(connection: Connection) -> Sequence[Held]:
    """Every lease, by name."""
    c = leases.c
    rows = connection.execute(select(c.name, c.hub, c.epoch, c.expires > _now(), c.expires == OVER).order_by(c.name))
    return [Held(*row) for row in rows]


def known(connection: Connection) -> Sequence[Peer]:
    """The hubs that live, and those that ended without a word."""
    h = hubs.c
    rows = connection.execute(select(hubs, (h.expires > _now()).label("live")).order_by(h.hub))
    return [_peer(row) for row in rows]


def _peer(row: Any) -> Peer:
    said = Presence(
        address=row.address, plan=row.plan, routes=json.loads(row.routes), version=row.version, place=row.place
    )  # fmt: skip
    since, heard = (datetime.fromtimestamp(at, UTC) for at in (row.since, row.heard))
    return Peer(row.hub, said, row.kept, since, heard, row.live)


def exclude(one: str, other: str) -> bool:
    """True for a lease of a whole system and one of a part of it."""
    return one.partition(":")[0] == other.partition(":")[0] and (":" in one) != (":" in other)


def _other_sort(name: str) -> ColumnElement[bool]:
    """The leases for parts of a system, of the whole; for the whole, of a part."""
    system, is_part, _ = name.partition(":")
    return leases.c.name == system if is_part else leases.c.name.startswith(f"{system}:", autoescape=True)


def _now() -> ColumnElement[float]:
    """The database's clock, in seconds; it goes on within a transaction."""
    return cast(extract("epoch", func.clock_timestamp()), Float(53))
