"""One connection to a broker, made once and thrown away when it ends: what is asked there, and what asks us."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connectors.connector import ConnectorError, Halted, NotConnected, OutcomeUnknown, PermanentError
from connectors.exchange import calling
from connectors.protocols.nats.arrival import arrived

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nats.aio.client import Client
    from nats.aio.msg import Msg

    from connectors.protocols.nats.settings import NatsConfig

INBOXES = ("_INBOX.", "_R_.")
"""Where answers go: inboxes, and what a broker makes of them between accounts. Nothing else is ever answered to."""
CONNECT_S = 5.0
LOOK_S = 0.9
MOST_WAITING_BYTES = 64 * 1024 * 1024
AT_ONCE, AT_ONCE_BYTES = 100, 4 * 1024 * 1024
"""How many messages are handed over in one piece."""


class Link:
    """Joined by `open`, which says on what subject we are spoken to. After its end methods raise NotConnected."""

    def __init__(self, config: NatsConfig, folder: str, name: str) -> None:
        self._config, self._folder, self._name = config, Path(folder), name
        self._client: Client | None = None
        self._ended = asyncio.Event()
        self._news = asyncio.Event()
        self._waiting: deque[Msg] = deque()
        self._room_bytes = MOST_WAITING_BYTES
        self._denied = ""

    @property
    def alive(self) -> bool:
        """True while the broker is connected."""
        return self._client is not None and self._client.is_connected and not self._ended.is_set()

    async def open(self, hears: str | None) -> None:
        """Connect, and hear what is said on `hears`. Raises NotConnected, Halted, ConfigError."""
        import nats  # noqa: PLC0415 - heavy, only where such a system is met

        config = self._config
        shown = config.login(self._folder)
        try:
            async with asyncio.timeout(2 * CONNECT_S):
                self._client = await nats.connect(
                    config.url.split(","), name=self._name, allow_reconnect=False, connect_timeout=int(CONNECT_S),
                    max_reconnect_attempts=1, reconnect_time_wait=0,
                    ping_interval=2, max_outstanding_pings=2, error_cb=self._told, closed_cb=self._closed, **shown,
                )  # fmt: skip
                if hears is not None:
                    await self._client.subscribe(hears, cb=self._heard)
                    await arrived(self._client)
        except Exception as error:
            await self.close()
            raise meaning(error, config.url) from error
        if self._denied:
            await self.close()
            raise Halted(f"the broker doesn't let us hear {hears}: {self._denied}")

    async def close(self) -> None:
        """Hang up. Who said what still waits is told to say it again."""
        self._ended.set()
        while self._waiting:
            await self.answer(self._waiting.popleft(), {"status": "later", "reason": "the hub hangs up: say it again"})
        client, self._client = self._client, None
        if client is not None:
            with suppress(Exception):
                async with asyncio.timeout(CONNECT_S):
                    await client.close()

    async def look(self) -> None:
        """Ask the broker for a sign of life."""
        client = self._open()
        try:
            async with asyncio.timeout(LOOK_S):
                await client.flush()
        except Exception as error:
            raise meaning(error, self._config.url) from error

    async def ask(self, subject: str, content: bytes, headers: Mapping[str, str]) -> bytes:
        """The answer to one question.

        Raises NotConnected when nobody is there to hear it, PermanentError when it is too long, Halted when the broker
        lets it pass to nobody, OutcomeUnknown when it went out and no answer came.
        """
        with calling(f"request {subject}", content) as noted:
            answer = await self._asked(subject, content, headers)
            noted.answered(answer, media_type="application/json")
        return answer

    async def _asked(self, subject: str, content: bytes, headers: Mapping[str, str]) -> bytes:
        from nats.errors import Error, MaxPayloadError, NoRespondersError  # noqa: PLC0415

        client = self._open()
        asked = asyncio.ensure_future(
            client.request(subject, content, timeout=self._config.timeout_s, headers=dict(headers))
        )
        ended = asyncio.ensure_future(self._ended.wait())
        try:
            await asyncio.wait({asked, ended}, return_when=asyncio.FIRST_COMPLETED)
            if not asked.done():
                raise OutcomeUnknown(f"the connection ended before an answer on {subject} came")
            data: bytes = asked.result().data
            return data
        except NoRespondersError:
            raise NotConnected(f"nobody answers on {subject}: does the system run?") from None
        except MaxPayloadError:
            limit = client.max_payload
            raise PermanentError(f"{len(content)} bytes: the broker's limit for one message is {limit}") from None
        except (Error, TimeoutError) as error:
            raise self._unanswered(subject, error) from error
        finally:
            asked.cancel()
            ended.cancel()

    async def said(self) -> Sequence[Msg]:
        """What is said next, as much as waits of it, in order. Waits for it as long as it takes."""
        while not self._waiting:
            self._news.clear()
            await self._during(self._news.wait())
        taken, size = list[Any](), 0
        while self._waiting and len(taken) < AT_ONCE and size < AT_ONCE_BYTES:
            taken.append(self._waiting.popleft())
            size += len(taken[-1].data)
        self._room_bytes += size
        return taken

    async def end(self) -> None:
        """Wait for the end of the connection. Raises NotConnected then."""
        await self._ended.wait()
        self._open()

    async def answer(self, message: Msg, said: Mapping[str, Any]) -> None:
        """Tell who said it what became of it; who isn't there any more says it again."""
        from nats.errors import Error  # noqa: PLC0415

        client = self._client
        if client is not None and answerable(message):
            with suppress(Error, OSError):
                await client.publish(message.reply, json.dumps(said, ensure_ascii=False).encode())

    async def _heard(self, message: Msg) -> None:
        if len(self._waiting) >= self._config.max_waiting or len(message.data) > self._room_bytes:
            reason = f"{len(self._waiting)} messages wait to be stored already: say it again later"
            await self.answer(message, {"status": "later", "reason": reason})
            return
        self._room_bytes -= len(message.data)
        self._waiting.append(message)
        self._news.set()

    async def _during(self, waiting: Any) -> None:
        self._open()
        news, ended = asyncio.ensure_future(waiting), asyncio.ensure_future(self._ended.wait())
        try:
            await asyncio.wait({news, ended}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            news.cancel()
            ended.cancel()
        self._open()

    def _open(self) -> Client:
        if self._client is None or not self.alive:
            raise NotConnected(f"the connection to {self._config.url} is closed")
        return self._client

    def _unanswered(self, subject: str, error: Exception) -> ConnectorError:
        if subject.lower() in self._denied.lower():
            return Halted(f"the broker doesn't let us ask on {subject}: {self._denied}")
        words = f"no answer on {subject} within {self._config.timeout_s:g} s"
        return OutcomeUnknown(words if isinstance(error, TimeoutError) else f"no answer on {subject}: {error}")

    async def _told(self, error: Exception) -> None:
        if "permissions violation" in str(error).lower():
            self._denied = str(error).removeprefix("nats: ")

    async def _closed(self) -> None:
        self._ended.set()


def answerable(message: Msg) -> bool:
    """True if the answer would go to who asked, and to nobody else's subject."""
    return message.reply.startswith(INBOXES)


def meaning(error: Exception, where: str) -> ConnectorError:
    """What an error of the client means: the one place where a connection's errors get their meaning."""
    from nats.errors import AuthorizationError  # noqa: PLC0415

    if isinstance(error, ConnectorError):
        return error
    text = str(error) or type(error).__name__
    if isinstance(error, AuthorizationError) or "authorization violation" in text.lower():
        return Halted(f"the broker refuses the credentials: {text}")
    return NotConnected(f"{where} can't be reached: {text}")
