"""Pull requests on one durable consumer, as many messages at once as there are.

nats-py's own fetch makes a task and two futures for every message, which costs as much again as reading the message
does; this takes them from one callback. One request is open at a time, so that a message that comes belongs to it.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nats.aio.msg import Msg
    from nats.aio.subscription import Subscription
    from nats.js import JetStreamContext

LATE_S = 1.0
"""How much later than it was asked to the broker may say that there is nothing."""
PENDING_BYTES = 512 * 1024 * 1024
"""What one request may bring must fit: what doesn't is dropped by the client, and read again from the journal."""
_NOTHING = ("404", "408")


class RequestEnded(Exception):  # noqa: N818 - a fact to act on
    """The broker ended the request for another reason than that there is nothing: the consumer is gone, say."""


class Pull:
    """Reads what a durable delivers. `open` before the first `fetch`; a closed one is opened anew by another Pull."""

    def __init__(self, js: JetStreamContext, stream: str, durable: str) -> None:
        self._client = js._nc
        self._subject = f"{js._prefix}.CONSUMER.MSG.NEXT.{stream}.{durable}"
        self._subscription: Subscription | None = None
        self._arrived: list[Msg] = []
        self._news = asyncio.Event()
        self._outstanding = 0
        self._ended: str | None = None

    async def open(self) -> None:
        """Listen for deliveries."""
        self._inbox = self._client.new_inbox()
        self._subscription = await self._client.subscribe(
            self._inbox, cb=self._take, pending_bytes_limit=PENDING_BYTES
        )  # fmt: skip

    async def fetch(self, most: int, idle_s: float) -> list[Msg]:
        """What has come, up to about `most` messages; none after `idle_s` without any.

        Raises RequestEnded, and TimeoutError when the broker doesn't answer at all: the request is given up then.
        """
        if not self._arrived:
            if self._outstanding == 0:
                await self._ask(most, idle_s)
            await self._wait(idle_s + LATE_S)
        arrived, self._arrived = self._arrived, []
        self._news.clear()
        if not arrived and self._ended is not None:
            reason, self._ended = self._ended, None
            if not reason.startswith(_NOTHING):
                raise RequestEnded(reason)
        return arrived

    def leave(self) -> None:
        """End a fetch that waits for something to come: it returns none."""
        self._news.set()

    async def close(self) -> None:
        """Stop listening. Raises nats.errors.Error when there is no connection."""
        if self._subscription is not None:
            await self._subscription.unsubscribe()

    async def _ask(self, most: int, idle_s: float) -> None:
        self._outstanding = most
        self._ended = None
        self._news.clear()
        request = {"batch": most, "expires": int(idle_s * 1e9)}
        await self._client.publish(self._subject, json.dumps(request).encode(), reply=self._inbox)

    async def _wait(self, timeout_s: float) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                await self._news.wait()
        except TimeoutError:
            self._outstanding = 0
            raise

    async def _take(self, message: Msg) -> None:
        if message.reply:
            self._arrived.append(message)
            self._outstanding = max(0, self._outstanding - 1)
        else:
            headers = message.headers or {}
            self._ended = f"{headers.get('Status', '')} {headers.get('Description', '')}".strip()
            self._outstanding = 0
        self._news.set()
