"""Selecting from history: messages by what they name, who said them and when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator
from sqlalchemy import and_, func, or_, select

from canonical.message import Verb
from canonical.objects import CATALOGUE
from mombus.index.tables import messages, refs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import ColumnElement, Connection

ORDERS = ("production_order", "maintenance_order", "inspection_order", "transfer_order", "job_order")
LOOKED_AT = 5000
"""Ids among which the one that was meant is looked for."""
SHORTEST_ID = 6
MOST_VALUES = 200
"""Values of one kind in a selection; the database takes no statement of any length."""
LONGEST = 250
"""Characters of an id that the index keeps."""

_OLDEST = select(func.min(messages.c.stored))
_LAST = select(func.max(messages.c.seq))
"""Asked for one by one: together, each message would be looked at."""

_NAMES = {"order": ORDERS, "lot": ("material_lot",), "equipment": ("equipment",)}


class Selection(BaseModel):
    """What of history is meant: everything that fits all of what is given, each by one of its values.

    Times are compared with when it happened (`occurred`), or when it was stored; `until` itself is outside.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    order: tuple[str, ...] = Field(default=(), description="Messages about an order, of any kind.")
    lot: tuple[str, ...] = Field(default=(), description="Messages about a lot.")
    equipment: tuple[str, ...] = Field(default=(), description="Messages that name a piece of equipment.")
    ref: tuple[str, ...] = Field(default=(), description="Messages that name a thing, as OBJECT=ID.")
    object: tuple[str, ...] = Field(default=(), description="Messages of a data object.")
    key: tuple[str, ...] = Field(default=(), description="Messages about the thing with this key or id.")
    id: tuple[str, ...] = Field(default=(), description="The message with this id, or the beginning of it.")
    source: tuple[str, ...] = Field(default=(), description="What a system said.")
    since: datetime | None = None
    until: datetime | None = None
    time: Literal["occurred", "stored"] = "occurred"

    @field_validator("since", "until")
    @classmethod
    def _with_zone(cls, value: datetime | None) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError(f"{value.isoformat()} has no time zone")
        return value

    @field_validator("order", "lot", "equipment", "ref", "object", "key", "id", "source")
    @classmethod
    def _not_too_many(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(value) > MOST_VALUES:
            raise ValueError(f"{len(value)} values: give {MOST_VALUES} at once")
        return value

    @field_validator("ref")
    @classmethod
    def _named(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            if "=" not in one.strip("="):
                raise ValueError(f"'{one}' names nothing: write OBJECT=ID, such as material=FG-1000")
        return value

    @field_validator("id")
    @classmethod
    def _long_enough(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            if len(one) < SHORTEST_ID:
                raise ValueError(f"'{one}' is too little of an id: give {SHORTEST_ID} characters")
        return value

    @property
    def is_everything(self) -> bool:
        """True if nothing is given."""
        return not self.model_dump(exclude_defaults=True, exclude={"time"})

    def __str__(self) -> str:
        said = [f"{name} {' or '.join(getattr(self, name))}" for name in _TEXTS if getattr(self, name)]
        said += [f"{name} {time.isoformat()}" for name in ("since", "until") if (time := getattr(self, name))]
        return ", ".join(said) or "everything"


_TEXTS = ("order", "lot", "equipment", "ref", "object", "key", "id", "source")


@dataclass(frozen=True, slots=True)
class End:
    """The first or the last of a selection."""

    seq: int
    stored: datetime
    object: str
    key: str


@dataclass(frozen=True, slots=True)
class Found:
    """How much is selected, up to which sequence of the stream."""

    count: int
    upto: int
    first: End | None
    last: End | None


def survey(connection: Connection, selection: Selection) -> Found:
    """How many statements are selected, and which are the first and the last."""
    m = messages.c
    fits = _fits(selection)
    count, first, last = connection.execute(
        select(func.count(), func.min(m.seq), func.max(m.seq)).where(fits)
    ).one()  # fmt: skip
    ends = {row[0]: End(*row) for row in connection.execute(
        select(m.seq, m.stored, m.object, m.key).where(m.seq.in_([first, last]))
    )} if count else {}  # fmt: skip
    return Found(count, last or 0, ends.get(first), ends.get(last))


def page(connection: Connection, selection: Selection, *, after: int, upto: int, limit: int) -> list[int]:
    """The sequences of at most `limit` selected statements after one and up to another, in stream order."""
    m = messages.c
    statement = select(m.seq).where(_fits(selection), m.seq > after, m.seq <= upto).order_by(m.seq).limit(limit)
    return list(connection.execute(statement).scalars())


def newest(connection: Connection, *, object: str, key: str, source: str) -> int | None:
    """The sequence of the newest revision that a system said of one thing."""
    m = messages.c
    named = select(refs.c.seq).where(refs.c.object == object, refs.c.value == key[:LONGEST])
    statement = (
        select(m.seq)
        .where(m.seq.in_(named), m.key == key, m.object == object, m.source == source)
        .where(m.verb == Verb.SYNC, m.recipient.is_(None))
        .order_by(func.coalesce(m.revision, 0).desc(), m.seq.desc())
    )
    return connection.execute(statement.limit(1)).scalar()


def reach(connection: Connection) -> tuple[datetime | None, int]:
    """When the oldest message that is still there was stored, and the last sequence that is indexed."""
    return connection.execute(_OLDEST).scalar(), connection.execute(_LAST).scalar() or 0


def why_nothing(connection: Connection, selection: Selection, *, now: datetime) -> list[str]:
    """Why nothing is selected by names that there are, one sentence each, with what may have been meant."""
    oldest, _ = reach(connection)
    if oldest is None:
        return ["nothing was ever said on this bus, or the index is being built: try again in a moment"]
    reasons = [
        *_unknown_ids(connection, selection),
        *_times(selection, oldest, now),
    ]
    return reasons or ["each of these fits something, but nothing fits all of them: leave one out"]


def _fits(selection: Selection) -> ColumnElement[bool]:
    m = messages.c
    wanted: list[ColumnElement[bool]] = [m.verb == Verb.SYNC, m.recipient.is_(None)]
    for name, objects in _NAMES.items():
        if values := getattr(selection, name):
            wanted.append(m.seq.in_(select(refs.c.seq).where(refs.c.object.in_(objects), refs.c.value.in_(values))))
    if selection.ref:
        named = [and_(refs.c.object == name, refs.c.value == id) for name, _, id in map(_split, selection.ref)]
        wanted.append(m.seq.in_(select(refs.c.seq).where(or_(*named))))
    if selection.key:
        kept = [key[:LONGEST] for key in selection.key]
        wanted.append(m.seq.in_(select(refs.c.seq).where(refs.c.object.in_(CATALOGUE), refs.c.value.in_(kept))))
        own = select(refs.c.seq).where(refs.c.value.in_(selection.key), refs.c.object == m.object, refs.c.seq == m.seq)
        wanted.append(or_(m.key.in_(selection.key), own.correlate(messages).exists()))
    if selection.object:
        wanted.append(m.object.in_(selection.object))
    if selection.source:
        wanted.append(m.source.in_(selection.source))
    if selection.id:
        wanted.append(or_(*(m.id.startswith(one, autoescape=True) for one in selection.id)))
    time = m.occurred if selection.time == "occurred" else m.stored
    if selection.since is not None:
        wanted.append(time >= selection.since)
    if selection.until is not None:
        wanted.append(time < selection.until)
    return and_(*wanted)


def _split(ref: str) -> tuple[str, str, str]:
    return ref.partition("=")


def _unknown_ids(connection: Connection, selection: Selection) -> list[str]:
    asked: list[tuple[str, tuple[str, ...] | None, str]] = [
        (name, objects, value) for name, objects in _NAMES.items() for value in getattr(selection, name)
    ]
    asked += [(name, (name,), id) for name, _, id in map(_split, selection.ref)]
    asked += [("key", selection.object or None, value) for value in selection.key]
    found = []
    for name, objects, value in asked:
        r = refs.c
        among = r.object.in_(objects) if objects else r.object.is_not(None)
        if connection.execute(select(r.seq).where(among, r.value == value).limit(1)).first() is None:
            near = connection.execute(select(r.value).where(among).distinct().limit(LOOKED_AT)).scalars()
            found.append(f"nothing names the {name} '{value}'{_meant(value, near)}")
    return found


def _times(selection: Selection, oldest: datetime, now: datetime) -> list[str]:
    since, until = selection.since, selection.until
    found = []
    if since is not None and until is not None and since >= until:
        found.append("`since` is not before `until`")
    if since is not None and since > now:
        found.append(f"since {since.isoformat()} is in the future")
    if until is not None and until <= oldest:
        found.append(f"what was stored before {oldest.isoformat(timespec='seconds')} isn't kept any more")
    return found


def _meant(word: str, known: Iterable[Any]) -> str:
    close = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f": did you mean '{close[0]}'?" if close else ""
