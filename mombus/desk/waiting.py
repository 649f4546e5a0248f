"""What waits for a target, and what a person decides about it."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from mombus.delivery.commands import Command
from mombus.desk.question import DECIDING, Asked, Deed, Question
from mombus.journal.waiting import Wait

PAGE, MOST = 50, 200
"""Rows in one answer: as a rule, and at most."""
CURSOR = r"^[^/\s]{1,32}/\d{1,18}/\d{1,18}/.{1,200}$"


class Target(Asked):
    """What waits, for all targets or one."""

    target: str | None = Field(default=None, max_length=32, description="What waits for this system only.")


class Chosen(Target):
    """Which of what waits: that to which all that is given applies."""

    kind: Wait | None = Field(default=None, description="Why it waits.")
    object: str | None = Field(default=None, max_length=64, description="Of this data object.")
    lane: str | None = Field(
        default=None, min_length=1, max_length=250, description="In this lane, `order:PO-4711`; or an order's number."
    )
    reason: str | None = Field(default=None, max_length=200, description="A part of the reason, in whatever case.")
    older: str | None = Field(default=None, max_length=16, description="Has waited for longer than this span: `1h`.")


class Waits(Chosen):
    """A page of what waits."""

    after: str | None = Field(default=None, pattern=CURSOR, description="`next` of the page before.")
    limit: int = Field(default=PAGE, ge=1, le=MOST, description="How many at most.")


class WaitingMessage(BaseModel):
    """A message that waits for a target."""

    target: str
    id: str
    object: str
    key: str
    lanes: list[str] = Field(description="Nothing of these may overtake it.")
    kind: Wait
    person: bool = Field(description="Only a person ends this.")
    reason: str
    since: datetime
    age_s: float
    attempts: int
    due: datetime | None = Field(description="When it is tried again, if time releases it.")
    deadline: datetime | None = Field(description="When the route's promise ends.")
    late: bool
    do: str = Field(description="What may be done, with the commands to give.")
    may: list[Command] = Field(description="What may be decided about it.")


class WaitingPage(BaseModel):
    """Some of what waits, by target in the order it came."""

    rows: list[WaitingMessage]
    next: str | None = Field(description="Ask for what comes after by this; null: there is no more.")


class Choice(BaseModel):
    """What chooses all of a cause."""

    target: str
    kind: Wait
    reason: str | None


class Cause(BaseModel):
    """Messages for one target that wait for one reason; what differs in numbers and ids only is one reason."""

    id: str = Field(description="The same as long as it lasts, whatever comes to it.")
    target: str
    kind: Wait
    person: bool = Field(description="Only a person ends this.")
    reason: str = Field(description="The most frequent one.")
    reasons: int = Field(description="How many different ones there are.")
    count: int
    since: datetime = Field(description="When the oldest came.")
    age_s: float
    late: int = Field(description="How many are late by their route's promise.")
    due: datetime | None = Field(description="When the first is tried again.")
    objects: dict[str, int] = Field(description="How many there are of each data object.")
    orders: list[str] = Field(description="The first of the orders it touches.")
    orders_total: int
    do: str = Field(description="What may be done, with the commands to give.")
    may: list[Command] = Field(description="What may be decided about all of it.")
    choice: Choice
    rows: list[WaitingMessage] = Field(description="The first of them.")


class Decision(Deed):
    """What is decided about one message at one target."""

    command: Command
    target: str = Field(max_length=32, description="The system it waits for.")
    id: str = Field(min_length=1, max_length=200, description="The message's id, or the beginning of it.")
    document: str | None = Field(
        default=None, max_length=250, description="With `sent`: the document's number in the target."
    )


class Done(BaseModel):
    """What became of a deed."""

    ok: bool = Field(description="Something was changed.")
    text: str = Field(description="What, or why not.")


WAITING = Question("waiting", Waits)
CAUSES = Question("causes", Target)
DO = Question("do", Decision, DECIDING)
