"""A system that is played over NATS: a client of the case's broker that says things and answers as its script says."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from connectors.connector import ConnectorError
from connectors.protocols.nats.arrival import arrived
from mombus.delivery.breaking import break_off
from mombus.hub.trial.saying import PATIENCE_S, NotHeardError, heard, while_heard
from mombus.trial.mocks import NO_ANSWER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.aio.subscription import Subscription

    from mombus.hub.trial.saying import Connects, Take
    from mombus.hub.trial.script import Script
    from mombus.trial.mocks import Line
    from mombus.trial.reading import Spoken

_ASKED = ("take.>", "find", "get.>")


class NatsMock:
    """A system whose subjects begin with `subject`; `open` while it is there."""

    def __init__(self, script: Script, url: str, subject: str) -> None:
        self.script = script
        self.url = url
        self._subject = subject
        self._subscriptions: list[Subscription] = []

    async def play(self, lines: Sequence[Line]) -> None:
        """From here on it answers so, or is away: nobody answers on its subjects."""
        self.script.play(lines)
        if self.script.is_away:
            await self._leave()
        elif not self._subscriptions:
            subjects = [f"{self._subject}.{asked}" for asked in _ASKED]
            self._subscriptions = [await self._client.subscribe(one, cb=self._answer) for one in subjects]
        await arrived(self._client)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """It is connected to the broker."""
        import nats  # noqa: PLC0415 - heavy

        self._client: Client = await nats.connect(self.url, name=f"route test: {self._subject}")
        try:
            yield
        finally:
            await self._client.close()

    async def say(self, spoken: Spoken, connects: Connects, take: Take) -> None:
        """As Says.say: a request on its `channel`, which is answered once it was taken in."""
        connector = connects(self.url)
        hearing = None
        try:
            await connector.connect()
            hearing = asyncio.create_task(heard(connector, take))
            await while_heard(hearing, self._asks(spoken))
        except ConnectorError as error:
            raise NotHeardError(str(error)) from error
        finally:
            if hearing is not None:
                await break_off(hearing)
            await connector.close()

    async def _asks(self, spoken: Spoken) -> None:
        from nats.errors import NoRespondersError  # noqa: PLC0415

        subject = spoken.given.channel or ""
        try:
            await self._client.request(subject, spoken.content, PATIENCE_S, headers=dict(spoken.given.headers) or None)
        except NoRespondersError:
            known = f"{self._subject}.say.<object>.<verb>"
            raise NotHeardError(f"nobody hears what is said on {subject}: its connector listens on {known}") from None

    async def _leave(self) -> None:
        left, self._subscriptions = self._subscriptions, []
        for one in left:
            await one.unsubscribe()

    async def _answer(self, asked: Msg) -> None:
        line = self.script.due("REQUEST", asked.subject)
        if line is None:
            await asked.respond(f"no mock answers REQUEST {asked.subject}".encode())
        elif line.mock.trouble != NO_ANSWER:
            await asked.respond(line.content)
