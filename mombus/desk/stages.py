"""One message at every step of its way, and what is different between two of them.

raw → canonical → for each target: mapped → sent → what it answered → how it ended. What can't be shown says why.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from canonical.difference import Format, What
from mombus.desk.question import Asked, Question

MOST_TEXT = 16_000
"""Characters of a text that is compared as it is given."""

Id = Annotated[str, Field(pattern=r"^[!-~]{1,200}$", description="A message's id, or the beginning of it.")]
System = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,31}$", description="A system, as routes.yaml names it.")]


class Answered(BaseModel):
    """A part of an answer."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class StagesAsked(Asked):
    """Which message is looked at, and at which target; at all targets if none is named."""

    id: Id
    target: System | None = None


class Content(Answered):
    """What is kept of a text: all of it, its beginning, or nothing, and then why."""

    text: str | None = Field(default=None, description="The text, or its beginning.")
    media_type: str | None = Field(default=None, description="Such as application/json.")
    size: int | None = Field(default=None, ge=0, description="Bytes of the whole, as far as it is known.")
    cut: bool = Field(default=False, description="Whether only the beginning is here.")
    missing: str | None = Field(default=None, description="Why there is no text.")


class Raw(Answered):
    """The document that the message came in."""

    id: str | None = Field(default=None, description="The document's id in the raw store.")
    document: str | None = Field(default=None, description="The document's own id, where it has one.")
    channel: str | None = Field(default=None, description="By which of the system's ways it came: a topic, a list.")
    content: Content


class Canonical(Answered):
    """The message as it is on the bus."""

    stored: str | None = Field(default=None, description="When the bus stored it.")
    sequence: int | None = Field(default=None, description="Its place in the stream.")
    subject: str | None = None
    headers: dict[str, str] = Field(default_factory=dict)
    lanes: list[str] = Field(default_factory=list, description="What it must not overtake, and what not it.")
    content: Content


class Outcome(Answered):
    """How it stands with a message at a target."""

    state: str = Field(description="delivered, superseded, rejected, skipped; why it waits; or `not sent yet`.")
    at: str | None = Field(default=None, description="Since when.")
    reason: str | None = None
    level: str | None = Field(default=None, description="received, accepted or posted.")
    document: str | None = Field(default=None, description="The document's number in the target.")
    late: bool = False
    attempts: int | None = Field(default=None, description="How often it was tried, while it waits.")
    due: str | None = Field(default=None, description="When it is tried again.")


class Attempt(Answered):
    """One call to a target for the message, as it really went over the wire."""

    number: int = Field(ge=1, description="Its place among those that are shown, from 1; `diff` names it so.")
    attempt: int = Field(ge=0, description="To which attempt of the delivery it belonged.")
    asked: bool = Field(description="Whether the target was only asked what it has; otherwise it was written to.")
    at: str
    took_s: float
    how: str = Field(description="What was called: `POST http://…`, `publish mes/in/…`, `call /Objects/…`.")
    status: str | None = Field(description="The wire's own word for how it went.")
    trouble: str | None = Field(description="Why there was no good answer, as far as the wire tells.")
    sent: Content
    reply: Content


class AtTarget(Answered):
    """What a target gets of a message, and what became of it."""

    target: str
    passes: bool | None = Field(description="Whether a route lets it through; unknown where its `when` fails.")
    why: str = Field(description="Which route that is, or why there is none.")
    mapped: Content = Field(description="What the route makes of it, in the target's words.")
    attempts: list[Attempt] = Field(default_factory=list, description="What was exchanged with it: the last calls.")
    attempts_missing: str | None = Field(default=None, description="Why none is shown.")
    not_kept: str | None = Field(default=None, description="How many calls weren't kept, and why, where it is known.")
    outcome: Outcome


class Stages(Answered):
    """A message at every step of its way."""

    id: str
    object: str
    verb: str
    action: str | None
    key: str
    source: str
    raw: Raw
    canonical: Canonical
    targets: list[AtTarget]
    away: list[str] = Field(description="Hubs that can't be asked, each with why: their calls aren't shown.")


class ExchangedAsked(Asked):
    """What a hub is asked by another of its journal: the last calls that it made for a message."""

    id: str = Field(min_length=1, max_length=200)
    targets: tuple[System, ...]
    most: int = Field(ge=1, le=100, description="Calls with each target.")


class Stage(StrEnum):
    """Where on its way a message is looked at."""

    RAW = "raw"
    CANONICAL = "canonical"
    MAPPED = "mapped"
    SENT = "sent"
    REPLY = "reply"

    @property
    def at_target(self) -> bool:
        """True if each target has its own."""
        return self in {Stage.MAPPED, Stage.SENT, Stage.REPLY}

    @property
    def exchanged(self) -> bool:
        """True for what went over a target's wire."""
        return self in {Stage.SENT, Stage.REPLY}


class Side(Asked):
    """One of two texts: a stage of a message, or a text as it is."""

    id: Id | None = None
    stage: Stage = Stage.CANONICAL
    target: System | None = Field(default=None, description="At which target; needed for what is mapped or exchanged.")
    number: int | None = Field(
        default=None,
        ge=1,
        le=1000,
        description="Which call, as the stages number them; else the last that wrote.",
    )
    text: str | None = Field(default=None, max_length=MOST_TEXT, description="A text instead of a message.")

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.id is None) == (self.text is None):
            raise ValueError("name either a message or a text")
        if self.id is not None and self.stage.at_target and self.target is None:
            raise ValueError(f"name the target at which it is {self.stage}")
        return self


class DiffAsked(Asked):
    """What is compared."""

    left: Side
    right: Side


class CaseAsked(Asked):
    """Messages of which a route test is made."""

    ids: tuple[Id, ...] = Field(min_length=1, max_length=20, description="The messages, in the order they were said.")
    name: str | None = Field(default=None, min_length=1, max_length=200, description="What the test is called.")


class Case(Answered):
    """A route test, as it is written to a file."""

    text: str = Field(description="YAML, with one case.")
    masked: str = Field(description="What pseudonyms stand for, in words.")


class Change(Answered):
    """One place where they differ."""

    path: str = Field(description="The place, as the text spells it.")
    isa95: str = Field(description="The place in ISA-95 words, empty where it has none.")
    what: What
    before: str | None
    after: str | None


class Diff(Answered):
    """What is different."""

    format: Format | None = Field(description="How they were compared; none where one is missing.")
    left: str = Field(description="What is on the left.")
    right: str = Field(description="What is on the right.")
    missing: str | None = Field(default=None, description="Why they can't be compared.")
    cut: bool = Field(default=False, description="Whether only the beginnings were compared.")
    changes: list[Change] = Field(default_factory=list)
    more: int = Field(default=0, ge=0, description="How many more differences there are than are told.")


STAGES = Question("messages_stages", StagesAsked)
DIFF = Question("messages_diff", DiffAsked)
CASE = Question("messages_case", CaseAsked)
EXCHANGED = Question("messages_exchanged", ExchangedAsked)
