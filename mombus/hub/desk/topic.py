"""A topic's answers, and how what is asked is understood."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, TypeAlias

from pydantic import ValidationError

from mombus.desk.mistakes import mistake
from mombus.desk.question import Asked, Question, QuestionError

Answer: TypeAlias = Callable[[Any], Awaitable[Any]]
"""Gets what is asked, an instance of the question's `asked`; returns plain data."""


class Topic(Protocol):
    """Answers some questions. What it raises is told to who asks: UnknownNameError, QuestionError."""

    def answers(self) -> Mapping[Question, Answer]:
        """Each question and its answer."""


def understood(question: Question, said: Mapping[str, Any]) -> Asked:
    """What is asked. Raises QuestionError with the first thing that is wrong."""
    try:
        return question.asked.model_validate(said)
    except ValidationError as error:
        raise QuestionError(mistake(error, question.asked)) from None
