"""Searching the index, newest first: any combination of conditions, a bounded amount of work for each answer.

Each condition gives the newest messages that fit it. One that has few drives the search: the others are looked at for
those alone, and the answer is complete. Where all have many, the one whose newest reach back the furthest drives, part
by part, until there are enough or LOOKED_AT were looked at; then the answer says how far back it has looked, and the
next question goes on there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from mombus.index.conditions import Ended, Everything, Said, Span
from mombus.index.tables import messages

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from mombus.index.conditions import Condition

FEW = 1000
"""Messages that are looked at together; a condition that fewer fit is rare."""
LAST = 2**62
"""Over every sequence."""
LOOKED_AT = 20_000
"""Messages that are looked at for one answer."""


@dataclass(frozen=True, slots=True)
class Found:
    """What was found, newest first. `before` is where to go on, None when there is nothing more.

    `looked_back_to`: the search was ended there, with less than was asked for; there may be more before it. `known` is
    how many fit, as far as that was seen; `complete` if there are no more.
    """

    seqs: list[int]
    before: int | None
    known: int
    complete: bool
    looked_back_to: int | None = None


def search(
    connection: Connection, conditions: Sequence[Condition], span: Span, limit: int, *, looked_at: int = LOOKED_AT
) -> Found:
    """At most `limit` messages that fit all of the conditions, or all messages if there are none."""
    wanted = list(conditions) or [Everything()]
    few = max(FEW, limit + 1)
    first = [one.newest(connection, span, few) for one in wanted]
    rare = [number for number, seqs in enumerate(first) if len(seqs) < few]
    if rare:
        driver = min(rare, key=lambda number: len(first[number]))
        return _page(_fitting(connection, first[driver], _others(wanted, driver)), limit)
    driver = min(range(len(wanted)), key=lambda number: first[number][-1])
    return _through(connection, wanted, driver, first[driver], span, limit, looked_at)


def between(connection: Connection, since: datetime | None, until: datetime | None, before: int) -> Span:
    """The sequences below `before` of what is there, was stored since then and before then."""
    m = messages.c
    after = (connection.execute(select(func.min(m.seq))).scalar() or 1) - 1
    if since is not None:
        at = select(m.seq).where(m.stored >= since).order_by(m.stored, m.seq).limit(1)
        first = connection.execute(at).scalar()
        after = before if first is None else first - 1
    if until is not None:
        at = select(m.seq).where(m.stored < until).order_by(m.stored.desc(), m.seq.desc()).limit(1)
        last = connection.execute(at).scalar()
        before = min(before, 0 if last is None else last + 1)
    return Span(after, before)


def is_known(connection: Connection, system: str) -> bool:
    """True if a system said something, or got something."""
    span = Span(0, LAST)
    return any(one.newest(connection, span, 1) for one in (Said("source", (system,)), Ended((system,))))


def _through(  # noqa: PLR0917 - one step of `search`
    connection: Connection, wanted: Sequence[Condition], driver: int, part: list[int], span: Span, limit: int,
    looked_at: int,
) -> Found:  # fmt: skip
    """Go through what fits one condition, part by part."""
    others, size, looked = _others(wanted, driver), len(part), 0
    found: list[int] = []
    while part:
        found += _fitting(connection, part, others)
        looked += len(part)
        if len(part) < size:
            return _page(found, limit)
        if len(found) > limit:
            return Found(found[:limit], found[limit - 1], len(found), complete=False)
        if looked >= looked_at:
            return Found(found, part[-1], len(found), complete=False, looked_back_to=part[-1])
        part = wanted[driver].newest(connection, span._replace(before=part[-1]), size)
    return _page(found, limit)


def _page(found: list[int], limit: int) -> Found:
    """What is shown of all that fit."""
    return Found(found[:limit], found[limit - 1] if len(found) > limit else None, len(found), complete=True)


def _fitting(connection: Connection, seqs: list[int], others: Sequence[Condition]) -> list[int]:
    for one in others:
        if not seqs:
            break
        fits = one.fitting(connection, seqs)
        seqs = [seq for seq in seqs if seq in fits]
    return seqs


def _others(wanted: Sequence[Condition], driver: int) -> list[Condition]:
    return [one for number, one in enumerate(wanted) if number != driver]
