"""The message browser: messages found by what they are about, who said them, and what became of them where."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, Field, StringConstraints

from canonical.message import Verb
from mombus.desk.question import Asked, Question

MOST_VALUES = 20
"""Values of one filter."""
LAST = 2**53
"""Beyond every place on the bus; a larger number isn't exact in every JSON reader."""
MOST_IDS = 10_000
"""Ids in one question: more than messages of a journey."""
MOST_ROWS = 200
"""Messages in one answer."""

Name = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Value = Annotated[str, StringConstraints(min_length=1, max_length=250)]
RouteName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]+>[^>]+$", max_length=130)]
Time = Annotated[str, StringConstraints(min_length=1, max_length=40)]

MessageState: TypeAlias = Literal[
    "delivered", "superseded", "rejected", "skipped",
    "waiting", "behind", "retrying", "awaiting reference", "awaiting alias", "awaiting posting", "awaiting another",
    "awaiting stock", "parked", "in doubt", "held", "replayed",
]  # fmt: skip
"""What a message may have come to at a target: an outcome, why it waits, or `waiting` for whatever reason."""


def _many(description: str) -> Any:
    return Field(default=(), max_length=MOST_VALUES, description=description)


class MessageFilter(Asked):
    """Which messages: those that fit everything that is given, each by one of its values.

    `target`, `state` and `attempts` are about the same handover: one to that target, with that state.
    """

    since: Time | None = Field(
        default=None,
        description="Stored since then: 2026-03-02, '2026-03-02 06:00' (the plant's time), 06:00, or 4h ago.",
    )
    until: Time | None = Field(default=None, description="Stored before then.")
    object: tuple[Name, ...] = _many("Of this data object.")
    verb: tuple[Verb, ...] = _many("With this verb.")
    key: tuple[Value, ...] = _many("About the thing with this key or id.")
    order: tuple[Value, ...] = _many("About an order, of any kind.")
    lot: tuple[Value, ...] = _many("About a lot.")
    equipment: tuple[Value, ...] = _many("Names this piece of equipment.")
    material: tuple[Value, ...] = _many("Names this material.")
    document: tuple[Value, ...] = _many("Has this number of a document, its own or one in a target.")
    ref: tuple[Value, ...] = _many("Names a thing, as OBJECT=ID.")
    source: tuple[Name, ...] = _many("Said by this system.")
    target: tuple[Name, ...] = _many("Went to this system, or waits for it.")
    system: tuple[Name, ...] = _many("Said by this system, went to it, or waits for it.")
    route: RouteName | None = Field(default=None, description="By this route, as OBJECT>TARGET.")
    state: tuple[MessageState, ...] = _many("What it has come to at a target.")
    text: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = Field(
        default=None,
        description="Has all of these words, in its key, document, reason or body; `word*` for what begins like that.",
    )
    attempts: int | None = Field(default=None, ge=1, le=10_000, description="Tried at least so often at a target.")


class MessagesSearch(MessageFilter):
    """A page of what fits, the newest first."""

    before: int | None = Field(
        default=None, ge=1, le=LAST, description="Where the last page said that the next one begins."
    )
    limit: int = Field(default=50, ge=1, le=MOST_ROWS, description="Messages on the page.")


class MessagesExport(MessageFilter):
    """A part of what fits, the newest first, with bodies if they are wanted."""

    before: int | None = Field(
        default=None, ge=1, le=LAST, description="Where the last part said that the next one begins."
    )
    bodies: bool = Field(default=False, description="With the body of each, None for one that is too large or gone.")


class MessageId(Asked):
    """One message."""

    id: str = Field(min_length=6, max_length=64, description="The message's id, or the beginning of it.")


class MessageHop(BaseModel):
    """What became of a message at one target. What is delivered and awaits its posting has two of these."""

    target: str
    state: MessageState | Literal["not sent yet"] = Field(
        description="An outcome, why it waits, or `not sent yet`: its target is away, or its turn is about to come."
    )
    at: datetime = Field(description="When it ended, or since when it waits.")
    delay_s: float = Field(description="From when it was stored until then.")
    attempts: int
    late: bool = Field(description="It ended later than its route promises.")
    level: str | None = Field(description="How far the target has it: received, accepted or posted.")
    document: str | None = Field(description="Its number in the target.")
    reason: str | None
    due: datetime | None = Field(description="When it is tried again.")
    second: bool = Field(description="It is a second effect that a person wanted.")


class MessageRow(BaseModel):
    """One message, with the ids that people know it by."""

    seq: int = Field(description="Its place on the bus; the cursor of pages.")
    id: str
    object: str
    verb: Verb
    action: str | None
    key: str
    revision: int | None
    source: str
    to: str | None = Field(description="The system that it answers.")
    occurred: datetime
    stored: datetime
    delay_s: float = Field(description="From when it occurred until it was stored.")
    correlation: str | None = Field(description="The id of the message that caused it, or that it answers.")
    reason: str | None
    order: list[str]
    lot: list[str]
    equipment: list[str]
    material: list[str]
    document: list[str]
    hops: list[MessageHop]


class MessagesFound(BaseModel):
    """A page of messages, the newest first.

    With `before` there is more: ask again with it. `looked_back_to`: few messages fit, and it was looked no further
    back than to what was stored then. `known` is how many fit, at least; exactly if `complete`.
    """

    messages: list[MessageRow]
    before: int | None
    known: int
    complete: bool
    looked_back_to: datetime | None
    behind: int | None = Field(
        description="Newest messages that aren't indexed yet, so that they can't be found; null while nobody can tell."
    )


class MessageRef(BaseModel):
    """One thing that a message names."""

    object: str
    id: str


class MessageShown(BaseModel):
    """One message, whole. `body` is None for one that is too large to be shown, or that isn't kept any more."""

    message: MessageRow
    subject: str | None
    headers: dict[str, str]
    body: Any
    body_bytes: int
    body_missing: str | None = Field(description="Why the body isn't shown.")
    refs: list[MessageRef]
    caused_by: MessageRow | None = Field(description="What it answers, or what caused it.")
    causes: list[MessageRow] = Field(description="Its answers, and what it caused; the first hundred.")
    revises: str | None
    reverses: str | None


class UnsentAsked(Asked):
    """What a hub is asked by another of its journal: which of these messages it has in hand for a target."""

    ids: tuple[str, ...] = Field(max_length=MOST_IDS)


MESSAGES_SEARCH = Question("messages_search", MessagesSearch)
MESSAGES_EXPORT = Question("messages_export", MessagesExport)
"""Answered with `messages`, rows as of MessageRow and perhaps a `body` in each, and `before` as in MessagesFound."""
MESSAGES_SHOW = Question("messages_show", MessageId)
UNSENT = Question("messages_unsent", UnsentAsked)
