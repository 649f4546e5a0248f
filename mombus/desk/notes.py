"""What one shift hands over to the next."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from mombus.desk.question import DECIDING, Asked, Deed, Question

Id = Field(min_length=1, max_length=32, pattern="^[0-9a-f]+$", description="The note's id.")


class Notes(Asked):
    """The newest notes."""

    closed: bool = Field(default=False, description="Those that are dealt with, not the open ones.")


class HandOver(Deed):
    """Leave a note: `why` is what it says."""

    to: str = Field(default="", max_length=100, description="For whom: a person, a shift; nothing: whoever comes next.")
    about: str = Field(min_length=1, max_length=500, description="What it is about, in words.")
    target: str | None = Field(default=None, max_length=32, description="It is about what goes to this system.")
    object: str | None = Field(default=None, max_length=64, description="It is about this data object.")
    cause: str | None = Field(default=None, max_length=32, description="It is about this cause, by its id.")


class TakeOver(Deed):
    """Say that you see to it now."""

    id: str = Id


class Close(Deed):
    """Say that it is dealt with, and how (`why`)."""

    id: str = Id


class Note(BaseModel):
    """A note."""

    id: str
    at: datetime
    who: str
    to: str
    target: str | None
    object: str | None
    cause: str | None
    about: str
    text: str
    taken_by: str | None
    taken: datetime | None
    closed_by: str | None
    closed: datetime | None
    how: str | None


NOTES = Question("notes", Notes)
HAND_OVER = Question("notes_add", HandOver, DECIDING)
TAKE_OVER = Question("notes_take", TakeOver, DECIDING)
CLOSE = Question("notes_close", Close, DECIDING)
