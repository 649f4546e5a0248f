"""One decision about everything that is chosen among what waits for a target or is kept of a system."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypeAlias

from pydantic import BaseModel, Field

from mombus.desk.question import DECIDING, Asked, Deed, Nothing, Question
from mombus.journal.bulk import Bulk

BulkCommand: TypeAlias = Literal["retry", "release", "hold", "skip", "sent", "not_sent", "take", "dismiss"]


class Choice(Asked):
    """What a person chooses: all that is given must apply, and the target must be given."""

    command: BulkCommand
    target: str | None = Field(
        default=None, max_length=32, description="The system that is waited for; of kept items the one they are from."
    )
    kind: str | None = Field(default=None, max_length=32, description="Why it waits, or is kept.")
    reason: str | None = Field(default=None, max_length=200, description="A part of the reason, in whatever case.")
    object: str | None = Field(default=None, max_length=64, description="Of this data object.")
    lane: str | None = Field(
        default=None, min_length=1, max_length=250, description="In this lane, `order:PO-4711`; or an order's number."
    )
    older: str | None = Field(default=None, max_length=16, description="Has waited for longer than this span: `1h`.")

    def words(self) -> str:
        """The choice for people."""
        said = self.model_dump(include=set(Choice.model_fields) - {"command"}, exclude_none=True)
        return ", ".join(f"{name} {value}" for name, value in said.items())


class Begin(Deed, Choice):
    """Do it to all that is chosen now."""


class BulkId(Asked):
    """Which bulk action."""

    id: str = Field(min_length=1, max_length=32)


class Cancel(Deed):
    """Do nothing more of it; what is done stays done."""

    id: str = Field(min_length=1, max_length=32)


class ChosenGroup(BaseModel):
    """Chosen things of one object and kind."""

    target: str
    object: str
    kind: str
    count: int
    reason: str = Field(description="One of the reasons.")


class Preview(BaseModel):
    """How much would be chosen now."""

    count: int
    groups: list[ChosenGroup]
    choice: str = Field(description="The choice in words.")


class BulkAction(BaseModel):
    """A bulk action and how far it is."""

    id: str
    command: str
    who: str
    why: str
    selection: str = Field(description="What was chosen, in words.")
    state: Bulk
    begun: datetime
    ended: datetime | None
    total: int
    done: int = Field(description="So many were changed.")
    refused: int = Field(description="So many couldn't be.")


class Result(BaseModel):
    """What one of the chosen things got."""

    number: int
    target: str | None
    subject: str = Field(description="The id of the message or kept item.")
    ok: bool | None = Field(description="null: not yet.")
    result: str | None


class BulkResults(BulkAction):
    """A bulk action with what each thing got, those that were refused first."""

    results: list[Result]


BULK = Question("bulk", Nothing)
BULK_PREVIEW = Question("bulk_preview", Choice)
BULK_PROGRESS = Question("bulk_progress", BulkId)
BULK_RESULTS = Question("bulk_results", BulkId)
BULK_BEGIN = Question("bulk_begin", Begin, DECIDING)
BULK_CANCEL = Question("bulk_cancel", Cancel, DECIDING)
