"""What waits for a target, and what a person decides about it."""

from __future__ import annotations

from pydantic import Field

from mombus.delivery.commands import Command
from mombus.desk.question import DECIDING, Asked, Deed, Question


class Target(Asked):
    """What waits, for all targets or one."""

    target: str | None = Field(default=None, description="What waits for this system only.")


class Decision(Deed):
    """What is decided about one message at one target."""

    command: Command
    target: str = Field(description="The system it waits for.")
    id: str = Field(min_length=1, description="The message's id, or the beginning of it.")
    document: str | None = Field(default=None, description="With `sent`: the document's number in the target.")


class Resume(Deed):
    """A halted system can work again."""

    system: str


WAITING = Question("waiting", Target)
CAUSES = Question("causes", Target)
DO = Question("do", Decision, DECIDING)
RESUME = Question("resume", Resume, DECIDING)
