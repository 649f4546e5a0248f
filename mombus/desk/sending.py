"""Sending one message to one system again: a replay of it alone."""

from __future__ import annotations

from pydantic import BaseModel, Field

from mombus.desk.question import ENGINEERING, Deed, Question
from mombus.journal.replays import Manner


class Send(Deed):
    """Send a stored message to a system."""

    id: str = Field(min_length=6, max_length=200, description="The message's id, or the beginning of it.")
    to: str = Field(max_length=32, description="The system that gets it.")
    manner: Manner = Field(
        default=Manner.MISSING, description="What happens about what the system has already: `missing` believes the "
        "journal, `restored` makes sure, `again` wants a second effect.",
    )  # fmt: skip


class Begun(BaseModel):
    """The replay that does it."""

    id: str
    count: int
    targets: list[str]


SEND = Question("message_send", Send, ENGINEERING)
