"""Journeys: every message about one order, lot or piece of equipment, and what became of it in each target."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from canonical.objects import shown_key
from mombus.index.arrivals import NOT_SENT, arrivals, with_unsent
from mombus.index.selection import LOOKED_AT
from mombus.index.tables import messages, refs
from mombus.journal.waiting import Wait

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence

    from sqlalchemy import Connection

    from mombus.index.arrivals import Arrival
    from mombus.journal.journal import Journal

MOST = 5000
"""Messages of a journey at most; an order with more is read by time from the pages."""

_WAITS = frozenset({*map(str, Wait), NOT_SENT})
NEAR = 5
"""Numbers that may have been meant."""

START = ("production_order", "maintenance_order", "inspection_order", "transfer_order", "job_order", "material_lot",
         "handling_unit", "equipment", "maintenance_request", "downtime", "document")  # fmt: skip
"""What somebody may mean by a number, in this order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """One step: a message stored by the bus, or its arrival in a target.

    `delay_s` is the time since the step before it: from occurred to stored, or from stored to the target's outcome.
    `attempts` at the target, None where nothing is tried; `due` is when the next is.
    """

    at: datetime
    message_id: str
    object: str
    verb: str
    action: str | None
    key: str
    source: str
    target: str | None
    state: str
    delay_s: float
    document: str | None = None
    reason: str | None = None
    attempts: int | None = None
    late: bool = False
    due: datetime | None = None
    waits: bool = False


async def journey(
    index: Journal, journal: Journal, number: str, unsent: Callable[[Collection[str]], Awaitable[Sequence[Arrival]]]
) -> list[Hop]:
    """Every hop of what `number` names, in time order; empty when nothing is known by that number.

    `unsent` tells which messages are in hand for a target and weren't given to it.
    """
    rows = await index.survey(lambda connection: _messages_of(connection, number))
    by_id = {row["id"]: row for row in rows}
    in_hand = await unsent(by_id)
    came = await journal.survey(lambda connection: arrivals(connection, list(by_id)))
    hops = [_stored(row) for row in rows]
    hops += [_arrived(by_id[one.message_id], one) for one in with_unsent(came, in_hand)]
    return sorted(hops, key=lambda hop: hop.at)


def named(connection: Connection, number: str) -> list[str]:
    """The data objects of which one is called so."""
    found = select(refs.c.object).where(refs.c.object.in_(START), refs.c.value == number).distinct()
    return sorted(connection.execute(found).scalars(), key=START.index)


def near(connection: Connection, number: str) -> list[str]:
    """Numbers like it: those that begin so, else those that look alike."""
    r = refs.c
    known = select(r.value).where(r.object.in_(START)).distinct()
    begun = known.where(r.value > number, r.value < f"{number}\U0010ffff").order_by(r.value).limit(NEAR)
    return list(connection.execute(begun).scalars()) or get_close_matches(
        number, connection.execute(known.limit(LOOKED_AT)).scalars().all(), NEAR
    )


def _messages_of(connection: Connection, number: str) -> list[dict[str, Any]]:
    """Messages that name the number, the lots made for it, and the replies to any of them."""
    named = select(refs.c.seq).where(refs.c.object.in_(START), refs.c.value == number)
    seqs = set(connection.execute(named.limit(MOST)).scalars())
    lots = (
        select(refs.c.value)
        .join(messages, messages.c.seq == refs.c.seq)
        .where(refs.c.object == "material_lot", messages.c.object == "production_response", refs.c.seq.in_(named))
    )
    about_lots = select(refs.c.seq).where(refs.c.object == "material_lot", refs.c.value.in_(lots))
    seqs.update(connection.execute(about_lots.limit(MOST)).scalars())
    found = _by_seq(connection, seqs)
    replies = select(messages).where(messages.c.correlation.in_([row["id"] for row in found])).limit(MOST)
    known = {row["seq"] for row in found}
    found += [dict(row) for row in connection.execute(replies).mappings() if row["seq"] not in known]
    return found


def _by_seq(connection: Connection, seqs: Iterable[int]) -> list[dict[str, Any]]:
    rows = connection.execute(select(messages).where(messages.c.seq.in_(sorted(seqs)[:MOST])).order_by(messages.c.seq))
    return [dict(row) for row in rows.mappings()]


def _stored(row: dict[str, Any]) -> Hop:
    return Hop(
        at=row["stored"], message_id=row["id"], object=row["object"], verb=row["verb"], action=row["action"],
        key=shown_key(row["object"], row["key"]), source=row["source"], target=None, state="stored",
        document=row["document"], reason=row["reason"],
        delay_s=max(0.0, (row["stored"] - row["occurred"]).total_seconds()),
    )  # fmt: skip


def _arrived(message: dict[str, Any], arrival: Arrival) -> Hop:
    at = max(arrival.at, message["stored"])
    return Hop(
        at=at, message_id=message["id"], object=message["object"], verb=message["verb"],
        action=message["action"],
        key=shown_key(message["object"], message["key"]), source=message["source"], target=arrival.target,
        state=arrival.state, document=arrival.document, reason=arrival.reason,
        attempts=arrival.attempts, late=arrival.late, due=arrival.due, waits=arrival.state in _WAITS,
        delay_s=(at - message["stored"]).total_seconds(),
    )  # fmt: skip
