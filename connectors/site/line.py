"""The line to another site's streams: reading in order, and noticing when it is cut."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from canonical.subjects import token
from connectors.connector import ConnectorError, Halted, NotConnected

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from nats.aio.client import Client
    from nats.aio.subscription import Subscription

    from connectors.site.connector import SiteConfig

ANSWER_S = 3.0
"""How long the other site may take for an answer before the line counts as cut."""
BATCH = 100
NONE, END = "404", "204"
"""What a direct get says when there is nothing, and when that was all."""


class Facts(NamedTuple):
    """A stream's last sequence, when it was made, and how many messages of its source it doesn't have yet."""

    last: int
    created: str
    lag: int


class Stored(NamedTuple):
    """A message as a stream has it."""

    stream: str
    sequence: int
    headers: Mapping[str, str]
    data: bytes

    @property
    def object(self) -> str:
        """What it is about, by the subject that it is stored on."""
        return f"{self.headers.get('Nats-Subject', '')}..".split(".")[2]


class Line:
    """One connection. Every method raises NotConnected when the other site can't be reached now."""

    def __init__(self, config: SiteConfig, folder: str) -> None:
        self._config = config
        self._folder = Path(folder)
        self._client: Client | None = None

    async def open(self) -> None:
        """Connect to the broker. Raises NotConnected, and Halted for refused credentials."""
        import nats  # noqa: PLC0415 - heavy, only where a site is read

        try:
            async with asyncio.timeout(2 * ANSWER_S):
                self._client = await nats.connect(
                    self._config.url.split(","), allow_reconnect=False, connect_timeout=ANSWER_S, ping_interval=2,
                    max_reconnect_attempts=1, reconnect_time_wait=0,
                    error_cb=_quietly, **self._config.login(self._folder),
                )  # fmt: skip
        except Exception as error:
            raise meaning(error, self._config.site) from error

    async def close(self) -> None:
        """Disconnect."""
        client, self._client = self._client, None
        if client is not None:
            with suppress(Exception):
                await client.close()

    async def facts(self, stream: str) -> Facts:
        """How a stream is."""
        said = await self._told(f"STREAM.INFO.{stream}")
        try:
            if "error" in said:
                raise NotConnected(f"site {self._config.site}: {said['error'].get('description')}")
            lag = max((source.get("lag", 0) for source in said.get("sources", ())), default=0)
            return Facts(int(said["state"]["last_seq"]), str(said["created"]), int(lag))
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise NotConnected(f"site {self._config.site} answers what makes no sense: {error}") from error

    async def last(self, stream: str, subject: str) -> Stored | None:
        """The last message on a subject, None if there is none."""
        question = json.dumps({"last_by_subj": subject}).encode()
        try:
            answer = await self._open().request(f"{self._api}.DIRECT.GET.{stream}", question, timeout=ANSWER_S)
            headers = {str(name): value for name, value in (answer.headers or {}).items()}
            return None if headers.get("Status") == NONE else self._next(stream, answer.data, headers, [])
        except Exception as error:
            raise meaning(error, self._config.site) from error

    async def messages(self, stream: str, subject: str, after: int) -> AsyncIterator[list[Stored]]:
        """The messages after a sequence that match a subject, in order and without a hole, to the end."""
        while got := await self._batch(stream, {"seq": after + 1, "next_by_subj": subject, "batch": BATCH}):
            after = got[-1].sequence
            yield got

    async def _batch(self, stream: str, question: Mapping[str, Any]) -> list[Stored]:
        """What a direct get answers: messages and the end of them. It makes and changes nothing there."""
        client = self._open()
        inbox = client.new_inbox()
        try:
            answers = await client.subscribe(inbox)
            try:
                await client.publish(f"{self._api}.DIRECT.GET.{stream}", json.dumps(question).encode(), reply=inbox)
                return await self._answered(stream, answers)
            finally:
                await answers.unsubscribe()
        except Exception as error:
            raise meaning(error, self._config.site) from error

    async def _answered(self, stream: str, answers: Subscription) -> list[Stored]:
        found: list[Stored] = []
        while True:
            answer = await answers.next_msg(ANSWER_S)
            headers = {str(name): value for name, value in (answer.headers or {}).items()}
            status = headers.get("Status")
            if status is None:
                found.append(self._next(stream, answer.data, headers, found))
            elif status == NONE and not found:
                return []
            elif status == END and headers.get("Nats-Last-Sequence") == str(found[-1].sequence if found else 0):
                return found
            else:
                raise NotConnected(f"site {self._config.site} answers {status}: messages were lost on the line")

    def _next(self, stream: str, data: bytes, headers: dict[str, str], before: list[Stored]) -> Stored:
        """The next message, if it is that: one that was lost on the way is read again."""
        said, last = headers.get("Nats-Sequence", ""), headers.get("Nats-Last-Sequence", "0")
        if not said.isdecimal() or last != str(before[-1].sequence if before else 0):
            raise NotConnected(f"messages of site {self._config.site} were lost on the line")
        return Stored(stream, int(said), headers, data)

    async def _told(self, call: str) -> dict[str, Any]:
        try:
            answer = await self._open().request(f"{self._api}.{call}", b"", timeout=ANSWER_S)
            said = json.loads(answer.data)
        except Exception as error:
            raise meaning(error, self._config.site) from error
        return said if isinstance(said, dict) else {}

    @property
    def _api(self) -> str:
        """What all questions to the other site's JetStream begin with."""
        config = self._config
        if config.joined:
            return f"site.{token(config.site)}"
        return f"$JS.{config.domain}.API" if config.domain else "$JS.API"

    def _open(self) -> Client:
        if self._client is None or not self._client.is_connected:
            raise NotConnected(f"the line to site {self._config.site} is down")
        return self._client


def meaning(error: Exception, site: str) -> ConnectorError:
    """What an error of the client means: the one place where this connector's errors get their meaning."""
    from nats.errors import AuthorizationError  # noqa: PLC0415

    if isinstance(error, ConnectorError):
        return error
    text = str(error) or type(error).__name__
    if isinstance(error, AuthorizationError) or "authorization violation" in text.lower():
        return Halted(f"the broker refuses the credentials for site {site}: {text}")
    return NotConnected(f"site {site} can't be reached: {text}")


async def _quietly(_error: Exception) -> None:
    """Errors are told by the call that met them."""
