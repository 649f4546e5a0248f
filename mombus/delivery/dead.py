"""Notification copies: a message that a person must see is also published on stream DEAD, as far as that works."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from time import time_ns
from typing import TYPE_CHECKING

from canonical.subjects import token
from canonical.wire import MESSAGE_ID, to_headers

if TYPE_CHECKING:
    from nats.aio.msg import Msg
    from nats.js import JetStreamContext

    from canonical.message import Message
    from mombus.delivery.lanes import Entry
    from mombus.delivery.reader import Place


class Dead:
    """Publishes the copies of one target. The waiting room is the truth; a copy that is lost is only a notice lost."""

    def __init__(self, js: JetStreamContext, system: str, site: str) -> None:
        self._js = js
        self._system = system
        self._site = site
        self._tasks: set[asyncio.Task[None]] = set()

    def copy(self, entry: Entry, message: Message, reason: str) -> None:
        """One copy for this parking."""
        self._send(
            message.object, message.content,
            {**to_headers(message), MESSAGE_ID: f"{self._system}:{entry.id}:{time_ns()}"}, reason,
        )  # fmt: skip

    def unreadable(self, place: Place, delivery: Msg, reason: str) -> None:
        """A stored message that no message can be made of: it stays in the stream, this is its notice."""
        headers = {**(delivery.headers or {}), MESSAGE_ID: f"{self._system}:{place.seq}"}
        self._send("unreadable", delivery.data, headers, f"stream sequence {place.seq}: {reason}")

    def _send(self, object: str, content: bytes, headers: dict[str, str], reason: str) -> None:
        subject = f"dead.{token(self._site)}.{token(self._system)}.{object}"
        one_line = " ".join(reason.split())[:1000].encode("ascii", "backslashreplace").decode("ascii")
        task = asyncio.create_task(self._publish(subject, content, {**headers, "mombus-reason": one_line}))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _publish(self, subject: str, content: bytes, headers: dict[str, str]) -> None:
        with suppress(Exception):
            await self._js.publish(subject, content, headers=headers)
