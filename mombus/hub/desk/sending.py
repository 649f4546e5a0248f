"""One message sent to one system again: the smallest of replays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mombus.desk.sending import SEND, Send
from mombus.hub.replay.wishes import Wish

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mombus.desk.question import Question
    from mombus.hub.desk.topic import Answer
    from mombus.hub.replay.replays import Replays


class Sending:
    """Begins the replay."""

    def __init__(self, replays: Replays) -> None:
        self._replays = replays

    def answers(self) -> Mapping[Question, Answer]:
        """As `mombus.hub.desk.topic.Topic`."""
        return {SEND: self.send}

    async def send(self, asked: Send) -> Mapping[str, Any]:
        """Raises as `Replays.begin`."""
        return await self._replays.begin(
            Wish(selection={"id": [asked.id]}, to=(asked.to,), manner=asked.manner, who=asked.who, why=asked.why)
        )
