"""The audit trail: what people did, who, when, why, and what came of it."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from mombus.desk.question import ENGINEERING, Asked, Question

MOST = 200
"""Deeds in one answer."""
Text = Annotated[str, Field(max_length=500)]
Head = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="The hash of a row.")]


class Wanted(Asked):
    """Which deeds, the newest first; all that is given must fit exactly."""

    who: Text | None = Field(default=None, description="Only what this person did.")
    action: Text | None = Field(default=None, description="Only this, such as `retry` or `sign_in`.")
    target: Text | None = Field(default=None, description="Only what was done about this system.")
    message_id: Text | None = Field(default=None, description="Only about this message, kept item, account or session.")
    before: int | None = Field(default=None, ge=1, le=2**31 - 1, description="Only those with a smaller number.")
    limit: int = Field(
        default=MOST, ge=1, le=MOST,
        description="How many at most. Fewer if they are long: ask with `before` the last one's number.",
    )  # fmt: skip


class Verify(Asked):
    """A look at every row."""

    head: Head | None = Field(default=None, description="A head noted before: is the trail up to it still there?")


class DeedRow(BaseModel):
    """One thing that a person did, or wanted to."""

    number: int
    at: str = Field(description="ISO 8601.")
    who: str
    action: str
    target: str | None
    message_id: str | None
    why: str
    result: str = Field(description="What it changed; `not done: …` says why it didn't.")
    hash: Head


class Verdict(BaseModel):
    """Whether the trail is as it was written."""

    intact: bool
    rows: int
    number: int = Field(description="The newest row's; 0 for none.")
    head: Head = Field(description="The newest row's hash, zeros for none. Noted elsewhere, it tells a trail cut off.")
    faults: list[str]


AUDIT = Question("audit", Wanted)
VERIFY = Question("audit_verify", Verify, ENGINEERING)
