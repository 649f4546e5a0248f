"""What the night shift needs to know: one line for each flow, red, amber or green, and what to do."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypeAlias

from pydantic import BaseModel, Field

from mombus.delivery.commands import Command
from mombus.desk.notes import Note
from mombus.desk.question import Nothing, Question
from mombus.desk.systems import SystemState
from mombus.desk.waiting import Cause

How: TypeAlias = Literal["bad", "warn", "good", "calm"]
"""A person must act or a promise is broken; it mends itself, so far; it goes; nothing went yet."""


class Way(BaseModel):
    """How one object gets to one system."""

    target: str
    how: How
    word: str = Field(description="How it goes, in a few words.")
    waiting: int
    since: datetime | None = Field(description="Since when the oldest waits.")
    orders: list[str] = Field(description="The first orders that it touches.")
    may: list[Command] = Field(description="What may be decided about all that waits on it.")
    per_minute: int
    last: datetime | None = Field(description="When the last one went.")


class Undelivered(BaseModel):
    """What a system that is away hasn't got. It goes by itself when the system is back."""

    target: str
    health: Literal["down", "halted"]
    reason: str
    count: int
    late: int
    since: datetime = Field(description="When the oldest was said.")
    age_s: float
    objects: dict[str, int] = Field(description="How many there are of each data object, of those that were looked at.")
    orders: list[str] = Field(description="The first orders that it touches.")
    orders_total: int = Field(description="How many there are, as far as lanes and the first messages tell.")
    do: str = Field(description="What may be done.")


class Ill(SystemState):
    """A system that isn't well."""

    do: str = Field(description="What may be done.")


class Line(BaseModel):
    """One flow: an object on its way from its owner to those who need it."""

    object: str
    source: str = Field(description="Its owner, or `who asks` where it goes to the owner.")
    process_owner: str | None
    how: How = Field(description="The worst of its ways.")
    ways: list[Way]


class Night(BaseModel):
    """Everything that goes on, in the order in which to look at it."""

    at: datetime
    site: str
    how: How
    trouble: list[str] = Field(description="What a person should look at, a sentence for each cause, the worst first.")
    lines: list[Line]
    besides: list[str] = Field(description="Of that, what is told nowhere else here.")
    causes: list[Cause] = Field(description="Why messages wait: for a person first, then by age.")
    causes_total: int
    undelivered: list[Undelivered] = Field(description="What systems that are away haven't got, the oldest first.")
    systems: list[Ill] = Field(description="Those that aren't well, but for which nothing is there.")
    notes: list[Note] = Field(description="What was handed over and isn't dealt with.")


NIGHT = Question("night", Nothing)
