"""Who owns what, who consumes it, whether the promises are kept, and who says what isn't theirs to say."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from canonical.objects import Kind
from connectors.connector import Level
from mombus.desk.question import Asked, Nothing, Question


class Owner(BaseModel):
    """Who owns an object in one scope."""

    system: str
    process_owner: str | None
    scope: str | None = Field(description="Equipment or storage id whose subtree this is for; null: everywhere else.")


class Stated(BaseModel):
    """What a system said of an object."""

    hour: int = Field(description="Messages in the last hour; of signals, in the last minute.")
    last: datetime | None


class Promise(BaseModel):
    """A handover that is promised, and how it is kept."""

    effect: Level = Field(description="How far it must get to be done.")
    within_s: float | None = Field(description="In so many seconds; null: no time is promised.")
    conditional: bool = Field(description="Only things for which the route's `when` is true.")
    done: int = Field(description="Handovers of the last day that are done.")
    late: int = Field(description="Those of them that were done after the promise.")
    worst_late_s: float | None = Field(
        description="How long the slowest of the newest late ones took since its storing."
    )
    waiting: int = Field(description="What waits now.")
    overdue: int = Field(description="What waits now and is over its promise.")
    most_overdue_s: float | None = Field(description="By how much the worst of them is over it.")


class Violations(BaseModel):
    """What a system said that isn't its own to say."""

    disagreements: int = Field(description="Open disagreements.")
    refused: int = Field(description="Statements that are kept, refused; of the newest 500 of all systems.")
    tried: int = Field(
        description="Attempts that the broker or the intake refused to its account in the last day, as the newest 500 "
        "notes of that say."
    )


class Cell(BaseModel):
    """One object and one system that has to do with it."""

    system: str
    owns: bool
    stated: Stated | None
    promises: list[Promise]
    asks: int = Field(description="Its requests that are open.")
    violations: Violations | None


class Row(BaseModel):
    """One object."""

    object: str
    kind: Kind
    isa95: str
    owners: list[Owner]
    kept_for: str | None = Field(description="Why it is wanted though no route has it.")
    unused: bool = Field(description="A fact that no route has and that isn't kept for anything.")
    cells: list[Cell]


class Column(BaseModel):
    """One system."""

    name: str
    kind: str
    decides: list[str]
    contact: str | None
    owns: int
    consumes: int


class Matrix(BaseModel):
    """Every declared object, by system."""

    at: datetime
    counted: datetime = Field(description="When what happened was counted: some seconds ago at most.")
    systems: list[Column]
    rows: list[Row]


class LateAsked(Asked):
    """Whose late handovers are listed."""

    object: str = Field(min_length=1, max_length=64, description="Of this object.")
    system: str = Field(min_length=1, max_length=32, description="To this system.")


class Late(BaseModel):
    """A handover that was done after its promise."""

    message_id: str
    key: str | None = Field(description="What it is about; null: the index knows it no more.")
    stored: datetime | None
    done: datetime
    took_s: float | None = Field(description="From its storing until it was done.")


class LateOnes(BaseModel):
    """Late handovers of the last day."""

    at: datetime
    object: str
    system: str
    number: int = Field(description="How many there are.")
    rows: list[Late] = Field(description="The newest first, 500 at most.")


OWNERSHIP = Question("ownership", Nothing)
LATE = Question("ownership_late", LateAsked)
