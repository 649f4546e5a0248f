"""The desk, as the person of a request may use it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from fastapi import Depends, Request

from mombus.desk.access import TURNED_AWAY, TurnedAway
from mombus.desk.question import Deed, NoAnswerError, Personal, QuestionError
from mombus.web.access.visiting import visit_of

if TYPE_CHECKING:
    from mombus.desk.question import Asked, Desk, Person, Question


_ABOUT = ("id", "name", "number", "target", "system")
"""What a deed is about, by the first of these that it has."""


class NotAllowedError(Exception):
    """The person's roles don't let them; the text says which would."""


class Asking:
    """Asks in a person's name. `person` is who is signed in."""

    def __init__(self, desk: Desk, person: Person) -> None:
        self.person = person
        self._desk = desk

    def may(self, question: Question) -> bool:
        """Whether the person may ask that: what they may not isn't offered to them."""
        return bool(self.person.roles & question.roles)

    async def __call__(self, question: Question, asked: Asked) -> Any:
        """The answer, as plain data; what is personal is asked in the person's name.

        Raises NotAllowedError, QuestionError, UnknownNameError, NoAnswerError: all become answers of their own.
        """
        if not self.may(question):
            reason = f"it is for {' or '.join(sorted(question.roles))}"
            if isinstance(asked, Deed):
                await self._note(question, asked, reason)
            raise NotAllowedError(f"{self.person.name} may not do that: {reason}")
        if isinstance(asked, Personal):
            asked = asked.model_copy(update={"who": self.person.name})
        return await self._desk.ask(question, asked)

    async def _note(self, question: Question, deed: Deed, reason: str) -> None:
        """For the audit trail, if the hub takes it now."""
        about = next((str(said) for name in _ABOUT if (said := getattr(deed, name, None)) is not None), None)
        refused = TurnedAway(
            who=self.person.name, action=question.name, about=about and about[:250], why=deed.why, reason=reason
        )  # fmt: skip
        with suppress(NoAnswerError, QuestionError):
            await self._desk.ask(TURNED_AWAY, refused)


def _asking(request: Request) -> Asking:
    return Asking(request.app.state.desk, visit_of(request).person)


Ask: TypeAlias = Annotated[Asking, Depends(_asking)]
"""What an endpoint takes to ask the hub."""
