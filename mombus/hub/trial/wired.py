"""A system that is played over its wire: its real connector, connected to a mock on this machine."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from connectors.connector import Answers, ConnectorError, Halted, Rendered, Renders, Sink
from connectors.exchange import listening
from mombus.hub.trial.http_mock import HttpMock
from mombus.hub.trial.mqtt_mock import MqttBroker, MqttMock
from mombus.hub.trial.nats_mock import NatsMock
from mombus.hub.trial.script import Script
from mombus.hub.trial.stand_in import Got
from mombus.trial.mocks import NO_ANSWER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
    from pathlib import Path

    from canonical.message import Message
    from connectors.connector import Absent, Connector, ConnectorConfig, Receipt
    from connectors.exchange import Exchange, Noted
    from connectors.plc.signals import Signals
    from mombus.hub.trial.machine import Machine
    from mombus.trial.mocks import Line

ANSWER_S = 2.0
"""How long an answer is waited for in a case in which one doesn't come."""
_WORDS = frozenset({"publish", "call", "write", "read", "request"})
"""What begins how a call was made over a wire without URLs."""


class Mock(Protocol):
    """A system on this machine that answers what its script says."""

    script: Script

    @property
    def url(self) -> str:
        """Where it is."""

    async def play(self, lines: Sequence[Line]) -> None:
        """From here on it answers so."""


class Wired:
    """One system's connector with what its mock got from it. `exchanges` are the calls for each message, by its id."""

    def __init__(self, connector: Connector, mock: Mock) -> None:
        self.connector = connector
        self.got: list[Got] = []
        self.exchanges: dict[str, list[Exchange]] = {}
        self._mock = mock
        told: Any = connector
        told.connect = self._connecting(connector.connect)
        if isinstance(connector, Sink):
            told.write, told.find = self._writing(connector.write), self._finding(connector.find)
        if isinstance(connector, Answers):
            told.answer = self._answering(connector.answer)

    async def play(self, lines: Sequence[Line]) -> None:
        """From here on its system answers so."""
        await self._mock.play(lines)

    def unanswered(self) -> list[str]:
        """The requests that the case says nothing about, since they were asked for last."""
        asked, self._mock.script.unanswered = self._mock.script.unanswered, []
        return asked

    def exchanged(self, message_id: str) -> Sequence[str]:
        """As Played.exchanged."""
        return [_told(exchange) for exchange in self.exchanges.get(message_id, ())]

    def _connecting(self, connect: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        """What a connector looks at to see whether its system is there and lets it in, a case needn't answer."""

        async def connected() -> None:
            script = self._mock.script
            script.begun = script.looked = False
            try:
                await connect()
            except Halted:
                if not script.looked:
                    raise
            finally:
                script.begun = True

        return connected

    def _writing(self, write: Callable[..., Any]) -> Callable[..., Any]:
        async def written(messages: Sequence[Message]) -> Sequence[Receipt | ConnectorError]:
            before = {message.id: len(self.exchanges.get(message.id, ())) for message in messages}
            try:
                with listening(self._note, tuple(before)):
                    results: Sequence[Receipt | ConnectorError] = await write(messages)
            finally:
                for message in messages:
                    if len(self.exchanges.get(message.id, ())) > before[message.id]:
                        self.got.append(Got(message, self._rendered(message)))
            return results

        return written

    def _finding(self, find: Callable[..., Any]) -> Callable[..., Any]:
        async def found(message: Message) -> Receipt | Absent:
            with listening(self._note, (message.id,)):
                result: Receipt | Absent = await find(message)
            return result

        return found

    def _answering(self, answer: Callable[..., AsyncIterator[Message]]) -> Callable[..., AsyncIterator[Message]]:
        async def answered(get: Message) -> AsyncIterator[Message]:
            try:
                with listening(self._note, (get.id,)):
                    shows = [show async for show in answer(get)]
            finally:
                asked = tuple(_asked(exchange) for exchange in self.exchanges.get(get.id, ()))
                self.got.append(Got(get, asked))
            for show in shows:
                yield show

        return answered

    def _note(self, noted: Noted) -> None:
        exchange = noted.hide(noted.exchange)
        for id in noted.messages:
            self.exchanges.setdefault(id, []).append(exchange)

    def _rendered(self, message: Message) -> Sequence[Rendered]:
        """What the connector shows of what it sends; else what went out."""
        if isinstance(self.connector, Renders):
            return self.connector.rendered(message)
        return tuple(_asked(exchange) for exchange in self.exchanges[message.id])


def _asked(exchange: Exchange) -> Rendered:
    """A call as it went out, in the words of `Rendered`: `GET http://…/orders/PO-1`, `POST http://… (GetThing)`."""
    from connectors.protocols.soap.envelope import open_envelope, own  # noqa: PLC0415 - for who speaks it

    method, _, where = exchange.how.partition(" ")
    if method in _WORDS:
        return Rendered(method=method.upper(), place=where, content=exchange.request)
    url, _, operation = where.partition(" ")
    if operation:
        document = open_envelope(own(exchange.request)).document or b""
        return Rendered(method="SOAP", place=operation.strip("()"), content=document, content_type="application/xml")
    parts = urlsplit(url)
    place = f"{parts.path}?{parts.query}" if parts.query else parts.path
    return Rendered(method=method, place=place, content=exchange.request)


def _told(exchange: Exchange) -> str:
    """A call and its answer, on one line."""
    asked = _asked(exchange)
    said = (exchange.response or b"").decode("utf-8", "replace")
    answer = " ".join(part for part in (exchange.status, " ".join(said.split()), exchange.trouble) if part)
    return f"{asked.method} {asked.place} -> {answer}"


class Mocks:
    """Makes mocks; what takes long to start is started when the first of them wants it, and lent to the next."""

    def __init__(self, folder: Path, stack: AsyncExitStack, broker: str) -> None:
        self._folder = folder
        self._nats_url = broker
        self._stack = stack
        self._broker: MqttBroker | None = None
        self._machines: list[Machine] = []

    @asynccontextmanager
    async def open(self, system: str, config: ConnectorConfig, folder: Path) -> AsyncIterator[Mock]:
        """A mock of a system that speaks as its configuration, in `folder`, says. Raises BusError."""
        script = Script()
        if config.speaks == "nats":
            nats = NatsMock(script, self._nats_url, config.spoken_on(system))
            async with nats.open():
                yield nats
            return
        if config.speaks == "opcua":
            async with self._machine(script, config.nodes(folder)) as machine:
                yield machine
            return
        if config.speaks == "mqtt":
            mqtt = MqttMock(script, await self._mqtt_url())
            async with mqtt.open():
                yield mqtt
            return
        http = HttpMock(script, config.described if config.speaks == "soap" else None)
        try:
            yield http
        finally:
            await http.close()

    @asynccontextmanager
    async def _machine(self, script: Script, signals: Signals) -> AsyncIterator[Mock]:
        from mombus.hub.trial.machine import machine  # noqa: PLC0415 - asyncua is heavy
        from mombus.hub.trial.opcua_mock import OpcuaMock  # noqa: PLC0415 - the same

        lent = self._machines.pop() if self._machines else await self._stack.enter_async_context(machine())
        mock = OpcuaMock(script, lent, signals)
        async with mock.open():
            yield mock
        self._machines.append(lent)

    async def _mqtt_url(self) -> str:
        if self._broker is None:
            self._broker = await self._stack.enter_async_context(MqttBroker(self._folder / "mqtt"))
        return self._broker.mqtt_url


def answer_s(played: Sequence[Mapping[str, Sequence[Line]]], system: str) -> float | None:
    """How long a system's connector waits in a case in which an answer never comes; None: as it is configured."""
    silent = any(line.mock.trouble == NO_ANSWER for lines in played for line in lines.get(system, ()))
    return ANSWER_S if silent else None
