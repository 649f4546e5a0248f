"""The MES's link to its host systems over MQTT: an outbox that is sent until the broker has it, an inbox that hears
each message once.

Out: `mes/out/<object>/<verb>`, in the order posted. In: `mes/in/<object>/<verb>`; every message carries `msgId` and
`replyTo`, and is answered there with `{"msgId", "status": ACCEPTED | REJECTED, "docNo"?, "reason"?}`. A msgId that was
answered before is answered the same and does nothing. `mes/in/receipt/get` asks what became of a msgId. The retained
topic `mes/status` says `online` or `offline`.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import aiomqtt

from plant.ending import end

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

RECONNECT_S, GOODBYE_S = 0.2, 2.0


class Refusal(Exception):  # noqa: N818 - what the MES says, not what went wrong in it
    """The MES won't do what it was sent; the text is its reason."""


class HostLink:
    """Talks to the broker for ever once started. `take(object, verb, document)` applies what arrives.

    `take` returns the MES's own number for it, if it has one, and raises Refusal.
    """

    def __init__(
        self, broker_url: str, take: Callable[[str, str, dict[str, Any]], str | None], *, prefix: str = "mes",
        user: str | None = None, password: str | None = None,
    ) -> None:  # fmt: skip
        parts = urlsplit(broker_url)
        self._address = parts.hostname or "127.0.0.1", parts.port or 1883
        self._take, self._prefix = take, prefix
        self._user, self._password = user, password
        self._outbox: deque[tuple[str, str, bool]] = deque()
        self._answers: dict[str, dict[str, Any]] = {}
        self._news = asyncio.Event()
        self._sent = asyncio.Event()
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.swallow_replies = 0
        """How many of the next answers get lost on their way."""
        self.repeated = 0
        """How many messages came that had been answered before."""

    def post(self, object: str, verb: str, document: Mapping[str, Any]) -> None:
        """Put a message into the outbox."""
        text = json.dumps(document, default=_text, ensure_ascii=False)
        self._queue(f"{self._prefix}/out/{object}/{verb}", text, retain=object == "equipment")

    def show(self, name: str, document: Mapping[str, Any]) -> None:
        """Publish what the MES knows of something as the retained topic `<prefix>/state/<name>`."""
        self._queue(f"{self._prefix}/state/{name}", json.dumps(document, default=_text), retain=True)

    def post_raw(self, topic: str, payload: str) -> None:
        """Put any text into the outbox, also what no host can read."""
        self._queue(topic, payload, retain=False)

    def _queue(self, topic: str, text: str, *, retain: bool) -> None:
        self._outbox.append((topic, text, retain))
        self._sent.clear()
        self._news.set()

    async def all_sent(self) -> None:
        """Wait until the broker has everything."""
        await self._sent.wait()

    async def start(self) -> None:
        """Begin to talk."""
        self._closing.clear()
        self._task = asyncio.create_task(self._talk())

    async def stop(self) -> None:
        """Hang up; the broker keeps what comes meanwhile."""
        if self._task is not None:
            self._closing.set()
            await asyncio.wait([self._task], timeout=GOODBYE_S)
            await end([self._task])
            self._task = None

    async def _talk(self) -> None:
        while not self._closing.is_set():
            with suppress(aiomqtt.MqttError):
                async with self._client() as client:
                    await self._session(client)
            await asyncio.sleep(0 if self._closing.is_set() else RECONNECT_S)

    def _client(self) -> aiomqtt.Client:
        status = f"{self._prefix}/status"
        host, port = self._address
        return aiomqtt.Client(
            host, port, identifier=f"{self._prefix}-host-link", clean_session=False, username=self._user,
            password=self._password, timeout=5, keepalive=30, will=aiomqtt.Will(status, b"offline", 1, retain=True),
        )  # fmt: skip

    async def _session(self, client: aiomqtt.Client) -> None:
        await client.subscribe(f"{self._prefix}/in/+/+", qos=1)
        await client.publish(f"{self._prefix}/status", b"online", qos=1, retain=True)
        work = [asyncio.create_task(part) for part in (self._send(client), self._hear(client), self._closed())]
        try:
            await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await end(work)
        if self._closing.is_set():
            await client.publish(f"{self._prefix}/status", b"offline", qos=1, retain=True)

    async def _closed(self) -> None:
        await self._closing.wait()

    async def _send(self, client: aiomqtt.Client) -> None:
        while True:
            self._news.clear()
            while self._outbox:
                topic, text, retain = self._outbox[0]
                await client.publish(topic, text.encode(), qos=1, retain=retain)
                self._outbox.popleft()
            self._sent.set()
            await self._news.wait()

    async def _hear(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            _, _, object_, verb = message.topic.value.rsplit("/", 3)
            document = json.loads(bytes(message.payload), parse_float=Decimal)
            answer = self._known(document) if object_ == "receipt" else self._answer(object_, verb, document)
            if self.swallow_replies and object_ != "receipt":
                self.swallow_replies -= 1
            else:
                await client.publish(document["replyTo"], json.dumps(answer).encode(), qos=1)

    def _known(self, document: dict[str, Any]) -> dict[str, Any]:
        return self._answers.get(document["msgId"], {"msgId": document["msgId"], "status": "UNKNOWN"})

    def _answer(self, object: str, verb: str, document: dict[str, Any]) -> dict[str, Any]:
        message = document["msgId"]
        if message in self._answers:
            self.repeated += 1
            return self._answers[message]
        try:
            number = self._take(object, verb, document)
        except Refusal as refusal:
            return {"msgId": message, "status": "REJECTED", "reason": str(refusal)}
        except (KeyError, ValueError, ArithmeticError, TypeError) as mistake:
            return {"msgId": message, "status": "REJECTED", "reason": f"{type(mistake).__name__}: {mistake}"}
        self._answers[message] = {"msgId": message, "status": "ACCEPTED", "docNo": number}
        return self._answers[message]


def _text(value: object) -> str:
    """Decimals and times as text: this MES's interface knows no floats."""
    return (
        f"{value:f}" if isinstance(value, Decimal) else value.isoformat() if isinstance(value, datetime) else str(value)
    )
