"""What came in and couldn't be taken, and what a person decides about it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from mombus.desk.question import DECIDING, Asked, Deed, Question
from mombus.desk.waiting import MOST, PAGE
from mombus.journal.parked import Parked

Id = Field(min_length=1, max_length=64, description="The item's id, or the beginning of it.")


class KeptItems(Asked):
    """A page of what is kept."""

    system: str | None = Field(default=None, max_length=32, description="What came from this system only.")
    kind: Parked | None = Field(default=None, description="Why it is kept.")
    reason: str | None = Field(default=None, max_length=200, description="A part of the reason, in whatever case.")
    older: str | None = Field(default=None, max_length=16, description="Kept for longer than this span: `1h`.")
    after: int = Field(default=0, ge=0, lt=2**63, description="`next` of the page before.")
    limit: int = Field(default=PAGE, ge=1, le=MOST, description="How many at most.")


class KeptItem(Asked):
    """One kept item."""

    id: str = Id


class Glimpse(BaseModel):
    """A kept item."""

    id: str
    system: str
    kind: Parked
    place: str = Field(description="Where it stood in its document, or which message it is.")
    reason: str
    since: datetime
    age_s: float
    size: int = Field(description="Bytes of all of it.")
    content: str = Field(description="Its beginning; what isn't UTF-8 is replaced.")


class KeptPage(BaseModel):
    """Some of what is kept, in the order it came."""

    rows: list[Glimpse]
    next: int | None = Field(description="Ask for what comes after by this; null: there is no more.")


class KeptDecision(Deed):
    """Try a kept item again, or say that it is dealt with."""

    command: Literal["take", "dismiss"]
    id: str = Id


KEPT = Question("kept", KeptItems)
KEPT_ITEM = Question("kept_item", KeptItem)
DO_KEPT = Question("do_kept", KeptDecision, DECIDING)
