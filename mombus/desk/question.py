"""A question to the hub, who may ask it, and how it is refused."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import BaseModel, ConfigDict, Field

from mombus.bus.commands import AwayError

if TYPE_CHECKING:
    from collections.abc import Mapping


class Role(StrEnum):
    """What somebody does at the plant. Everybody who is let in may look at everything."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    """Decides about what waits: the night shift."""
    ENGINEER = "engineer"
    """Changes how systems are connected; does what an operator does, and replays history."""
    PROCESS_OWNER = "process_owner"
    """Answers for data: decides disagreements."""


LOOKING = frozenset(Role)
DECIDING = frozenset({Role.OPERATOR, Role.ENGINEER})
ENGINEERING = frozenset({Role.ENGINEER})
ANSWERING = frozenset({Role.PROCESS_OWNER})


@dataclass(frozen=True, slots=True)
class Person:
    """Who asks, as the audit trail names them."""

    name: str
    roles: frozenset[Role]


class Asked(BaseModel):
    """What is asked."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Nothing(Asked):
    """A question that needs nothing said."""


class Personal(Asked):
    """What has another answer for everybody."""

    who: str = Field(
        default="", max_length=250, description="Who asks. Over HTTP it is who is signed in, whatever is said here."
    )


class Deed(Personal):
    """Something that is done: who decides and why are kept in the audit trail."""

    why: str = Field(min_length=1, max_length=2000, pattern=r"\S", description="Why, for the audit trail.")


@dataclass(frozen=True, slots=True)
class Question:
    """One thing to ask: `name` is its command on the bus, `roles` those of whom one must be had to ask it.

    What has an effect asks a `Deed`; it is in the audit trail, refused or not.
    """

    name: str
    asked: type[Asked]
    roles: frozenset[Role] = LOOKING


class QuestionError(ValueError):
    """A question can't be understood, or not be answered like that; the text says what was expected."""


class NoAnswerError(AwayError):
    """The hub doesn't answer, or can't; the text says why."""


class Desk(Protocol):
    """Who answers: the hub in this process, or far away. All answers are plain data: text, numbers, lists, mappings."""

    async def ask(self, question: Question, asked: Asked) -> Any:
        """The answer. Raises QuestionError, `mombus.bus.commands.UnknownNameError` where something is named that isn't
        there, NoAnswerError."""

    async def ready(self) -> Mapping[str, str]:
        """Every dependency of the hub's work, with the reason why it isn't ready; the reason is empty when it is."""

    async def metrics(self) -> str:
        """Prometheus text format."""
