"""Where systems say something else than the owner, what is decided about it, and who waits for an answer."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from mombus.desk.question import ANSWERING, Asked, Deed, Nothing, Question
from mombus.journal.disagreements import Decision, Standing

MOST_NUMBER = 2**31 - 1
MOST_REQUESTS = 200
"""Requests in one answer."""


class Wanted(Asked):
    """Which disagreements are listed, the newest first."""

    standing: Standing | Literal["all"] = Field(default=Standing.OPEN, description="How they stand now.")
    object: str | None = Field(default=None, max_length=64, description="Of this data object.")
    system: str | None = Field(default=None, max_length=32, description="What this system says otherwise.")
    owner: str | None = Field(default=None, max_length=32, description="About what this system owns.")
    process_owner: str | None = Field(default=None, max_length=250, description="Those that this one answers for.")
    key: str | None = Field(default=None, max_length=250, description="A part of the key.")
    before: int | None = Field(default=None, ge=1, le=MOST_NUMBER, description="Older than the one with this number.")
    limit: int = Field(default=100, ge=1, le=200, description="So many at most.")


class Number(Asked):
    """One disagreement."""

    number: int = Field(ge=1, le=MOST_NUMBER, description="Its number.")


class Decide(Deed):
    """What the process owner decides."""

    number: int = Field(ge=1, le=MOST_NUMBER, description="The disagreement's number.")
    decision: Decision = Field(
        description="`adopt`: the owner is asked to say what the other says. `overrule`: what the owner says is sent "
        "again to the other. `tolerate`: both stand until a time, or until one of them says something new."
    )
    until: str | None = Field(
        default=None, max_length=40,
        description="With `tolerate`: until when. A time, in the plant's zone unless it has an offset, or a span from "
        "now such as 8h or 7d; a year at most.",
    )  # fmt: skip


class Effect(BaseModel):
    """How far a decision has got."""

    state: Literal["done", "under way", "refused", "tolerated", "over"]
    text: str = Field(description="What is known of it, in a sentence.")


class Decided(BaseModel):
    """The last decision about a disagreement."""

    decision: Decision
    who: str
    why: str
    at: datetime
    until: datetime | None = Field(default=None, description="Of a tolerance that still counts.")
    sent: str | None = Field(default=None, description="Id of the request or message that carries it out.")
    effect: Effect


class Row(BaseModel):
    """One disagreement."""

    number: int
    standing: Standing
    object: str
    key: str
    name: str = Field(description="The key as people say it.")
    system: str = Field(description="Who says otherwise.")
    owner: str
    process_owner: str | None = Field(description="Who answers for the object.")
    fields: list[str] = Field(description="Dotted paths that differ; none: the whole.")
    about: str = Field(description="What they disagree about, in a sentence.")
    since: datetime
    last_seen: datetime
    age_s: float
    times: int = Field(description="How often it was said.")
    message_id: str = Field(description="What the system said last. It was never published.")
    closed: datetime | None
    how: str | None = Field(description="What closed it.")
    decided: Decided | None


class Listed(BaseModel):
    """Disagreements."""

    at: datetime
    rows: list[Row]
    more: bool = Field(description="There are older ones: ask for those `before` the last number.")
    counts: dict[Standing, int] = Field(description="How many there are of what is asked for, by standing.")


class Difference(BaseModel):
    """One place at which the two differ."""

    path: str
    owner_says: str | None = Field(description="None: nothing.")
    said: str | None


class OwnersWord(BaseModel):
    """The owner's newest statement about the same thing."""

    id: str
    seq: int
    revision: int | None
    recorded: datetime


class Shown(BaseModel):
    """One disagreement, side by side."""

    at: datetime
    row: Row
    differences: list[Difference]
    more_differences: bool
    said: Any = Field(description="The body that the system says; null: deleted, or too large to be shown.")
    owner_says: Any = Field(description="The body that the owner says; null: nothing, deleted or too large.")
    owners_word: OwnersWord | None
    may: dict[Decision, str] = Field(description="Why each decision can't be carried out now; empty: it can.")
    before: list[Row] = Field(description="Earlier ones of that system about the same thing, the newest first.")


class Done(BaseModel):
    """What a decision did, or why nothing was done."""

    ok: bool
    text: str


class Request(BaseModel):
    """A request that nobody answered yet."""

    id: str
    asker: str
    owner: str
    object: str
    verb: str
    key: str
    name: str = Field(description="The key as people say it; empty: everything.")
    asked: datetime
    expires: datetime
    age_s: float
    told: bool = Field(description="The owner has it, or may have it: it doesn't expire any more.")
    process_owner: str | None


class Requests(BaseModel):
    """Requests awaiting an answer, the newest first, 200 at most."""

    at: datetime
    rows: list[Request]
    more: bool = Field(description="There are older ones.")


DISAGREEMENTS = Question("disagreements", Wanted)
SHOW = Question("disagreements_show", Number)
DECIDE = Question("disagreements_decide", Decide, ANSWERING)
REQUESTS = Question("disagreements_requests", Nothing)
