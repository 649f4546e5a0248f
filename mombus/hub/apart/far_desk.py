"""The hub's desk, for pages in another process: every question is a command over the bus."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mombus.bus.commands import UnknownNameError, command_subject
from mombus.desk.question import NoAnswerError, QuestionError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nats.aio.client import Client

    from mombus.desk.question import Asked, Question

ANSWER_S = 10.0


class FarDesk:
    """As `mombus.desk.question.Desk`, over the bus."""

    def __init__(self, client: Client, site: str) -> None:
        self._client = client
        self._site = site

    async def ask(self, question: Question, asked: Asked) -> Any:
        """As the hub says."""
        return await self._ask(question.name, asked.model_dump(mode="json", exclude_none=True))

    async def ready(self) -> Mapping[str, str]:
        """What keeps the hub from its work; that it doesn't answer, too."""
        try:
            found: dict[str, str] = await self._ask("ready", {})
        except NoAnswerError as error:
            return {"hub": str(error)}
        return found

    async def metrics(self) -> str:
        """As the hub says."""
        text: str = await self._ask("metrics", {})
        return text

    async def _ask(self, name: str, question: Mapping[str, Any]) -> Any:
        from nats.errors import Error, NoRespondersError  # noqa: PLC0415 - heavy

        subject = command_subject(self._site, name)
        try:
            reply = await self._client.request(subject, json.dumps(question).encode(), timeout=ANSWER_S)
        except NoRespondersError:
            raise NoAnswerError("the hub's part `delivery` doesn't run, or isn't ready") from None
        except (Error, TimeoutError) as error:
            raise NoAnswerError(f"the hub doesn't answer: {str(error) or type(error).__name__}") from error
        answer = json.loads(reply.data)
        if "error" in answer:
            raise _refusal(answer)
        return answer["result"]


def _refusal(answer: Mapping[str, Any]) -> Exception:
    if answer.get("unknown"):
        return UnknownNameError.told(answer["error"])
    if answer.get("away"):
        return NoAnswerError(answer["error"])
    return QuestionError(answer["error"])
