"""The line to another site's streams: reading in order, and noticing when it is cut."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connectors.connector import ConnectorError, Halted, NotConnected

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.js import JetStreamContext
    from nats.js.api import RawStreamMsg

    from connectors.site.connector import SiteConfig

ANSWER_S = 3.0
"""How long the other site may take for an answer before the line counts as cut."""


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
                    error_cb=_quietly, **self._login(),
                )  # fmt: skip
        except Exception as error:
            raise meaning(error, self._config.site) from error

    async def close(self) -> None:
        """Disconnect."""
        client, self._client = self._client, None
        if client is not None:
            with suppress(Exception):
                await client.close()

    async def facts(self, stream: str) -> tuple[int, str]:
        """The stream's last sequence, and when it was made."""
        info = await self._asked(self._js().stream_info(stream))
        return info.state.last_seq, info.created.isoformat() if info.created else ""

    async def last(self, stream: str, subject: str) -> RawStreamMsg | None:
        """The last message on a subject, None if there is none."""
        from nats.js.errors import NotFoundError  # noqa: PLC0415

        try:
            async with asyncio.timeout(ANSWER_S):
                return await self._js().get_msg(stream, subject=subject)
        except NotFoundError:
            return None
        except Exception as error:
            raise meaning(error, self._config.site) from error

    async def messages(
        self, stream: str, filters: Sequence[str], *, after: int | None, batch: int, idle_s: float
    ) -> AsyncIterator[list[Msg]]:
        """The messages after a sequence, in order and without a hole, for ever; without one the last of each subject,
        to the end."""
        from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy  # noqa: PLC0415

        config = ConsumerConfig(ack_policy=AckPolicy.NONE, filter_subjects=list(filters), inactive_threshold=60.0)
        if after is None:
            config = config.evolve(deliver_policy=DeliverPolicy.LAST_PER_SUBJECT)
        else:
            config = config.evolve(deliver_policy=DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=after + 1)
        consumer = await self._asked(self._js().pull_subscribe("", stream=stream, config=config))
        number = 0
        try:
            while True:
                got = await self._fetched(consumer, batch, idle_s)
                for one in got:
                    number = self._next(number, one.metadata.sequence.consumer)
                if got:
                    yield got
                    continue
                info = await self._asked(consumer.consumer_info())
                self._next(number, (info.delivered.consumer_seq if info.delivered else 0) + 1)
                if after is None and not info.num_pending:
                    return
        finally:
            with suppress(Exception):
                async with asyncio.timeout(ANSWER_S):
                    await asyncio.shield(consumer.unsubscribe())

    async def _fetched(self, consumer: JetStreamContext.PullSubscription, batch: int, idle_s: float) -> list[Msg]:
        """What came; nothing after `idle_s`."""
        try:
            return await consumer.fetch(batch, timeout=idle_s)
        except TimeoutError:  # the client's own is one as well
            return []
        except Exception as error:
            raise meaning(error, self._config.site) from error

    def _next(self, number: int, found: int) -> int:
        """The number of the next delivery, if it is that: one that was lost on the way is read again."""
        if found != number + 1:
            raise NotConnected(f"messages of site {self._config.site} were lost on the line")
        return found

    async def _asked(self, request: Any) -> Any:
        try:
            async with asyncio.timeout(ANSWER_S):
                return await request
        except Exception as error:
            raise meaning(error, self._config.site) from error

    def _js(self) -> JetStreamContext:
        if self._client is None or not self._client.is_connected:
            raise NotConnected(f"the line to site {self._config.site} is down")
        return self._client.jetstream(domain=self._config.domain, timeout=ANSWER_S)

    def _login(self) -> dict[str, Any]:
        config, options = self._config, dict[str, Any]()
        if config.token is not None:
            options["token"] = config.token.get_secret_value()
        if config.credentials is not None:
            options["user_credentials"] = str(self._folder / config.credentials)
        if config.ca is not None:
            options["tls"] = ssl.create_default_context(cafile=str(self._folder / config.ca))
        return options


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
