"""One connection to a broker: an aiomqtt client that acknowledges when told to, and whose end can be awaited."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import aiomqtt
from aiomqtt.exceptions import MqttConnectError

from connectors.connector import ConfigError, ConnectorError, Halted, NotConnected, OutcomeUnknown, RetryableError
from connectors.protocols.mqtt.settings import MqttConfig

T = TypeVar("T")

_REFUSED_FOR_GOOD = 0x80
"""SUBACK's return code for a subscription that isn't granted."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One message as the broker delivered it. `ack` tells the broker that it needn't keep it any longer."""

    topic: str
    payload: bytes
    qos: int
    ack: Callable[[], None]


class Link(aiomqtt.Client):
    """One connection, made once and thrown away when it ends.

    aiomqtt acknowledges on arrival; here the broker keeps a message until `Letter.ack`. `take` gets every message as
    it arrives, in the event loop, and must not block.
    """

    def __init__(
        self, config: MqttConfig, tls: ssl.SSLContext | None, identifier: str, take: Callable[[Letter], None],
        *, keep_session: bool,
    ) -> None:  # fmt: skip
        super().__init__(
            config.host, config.port, username=config.username,
            password=config.password.get_secret_value() if config.password else None,
            identifier=identifier, clean_session=not keep_session, timeout=config.timeout_s,
            keepalive=config.keepalive_s, tls_context=tls,
        )  # fmt: skip
        self._client.manual_ack_set(True)
        self._client.connect_timeout = config.timeout_s
        self._deliver = take
        self.session_present = False

    @property
    def lost(self) -> bool:
        """True once the connection has ended."""
        return self._disconnected.done()

    async def open(self) -> None:
        """Connect. Raises the errors of `translate`."""
        try:
            await self.__aenter__()
        except aiomqtt.MqttError as error:
            self._client.disconnect()
            raise translate(error) from error

    async def listen(self, topics: Sequence[str]) -> None:
        """Subscribe with QoS 1. Raises Halted when the broker refuses, NotConnected when it is gone."""
        try:
            granted = await self.during(self.subscribe([(topic, 1) for topic in topics]))
        except aiomqtt.MqttError as error:
            raise translate(error) from error
        codes: Sequence[Any] = granted
        for topic, code in zip(topics, codes, strict=True):
            if getattr(code, "value", code) >= _REFUSED_FOR_GOOD:
                raise Halted(f"the broker doesn't let us subscribe to {topic}: ask for the permission")

    async def send(self, topic: str, payload: bytes) -> None:
        """Publish with QoS 1 and wait until the broker has it.

        Raises NotConnected if nothing was sent, OutcomeUnknown if the acknowledgement didn't come.
        """
        if self.lost:
            raise NotConnected("the broker is gone; nothing was sent")
        try:
            await self.during(self.publish(topic, payload, qos=1))
        except aiomqtt.MqttCodeError as error:
            raise NotConnected(f"the broker is gone; nothing was sent ({error})") from error
        except (aiomqtt.MqttError, NotConnected) as error:
            raise OutcomeUnknown(f"the broker didn't acknowledge {topic}: {error}") from error

    async def during(self, work: Awaitable[T]) -> T:
        """Await `work` as long as the connection lasts. Raises NotConnected when it ends first."""
        task = asyncio.ensure_future(work)
        try:
            await asyncio.wait((task, self._disconnected), return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            raise NotConnected("the connection to the broker ended")
        finally:
            task.cancel()

    async def shut(self) -> None:
        """Say goodbye if anybody is there. Never raises."""
        with suppress(aiomqtt.MqttError):
            await self.__aexit__(None, None, None)
        if self._disconnected.done() and not self._disconnected.cancelled():
            self._disconnected.exception()

    def _on_connect(self, client: Any, userdata: Any, flags: Any, reason_code: Any, properties: Any = None) -> None:
        self.session_present = bool(flags.session_present)
        super()._on_connect(client, userdata, flags, reason_code, properties)

    def _on_message(self, client: Any, userdata: Any, message: Any) -> None:
        mid, qos = message.mid, message.qos

        def ack() -> None:
            if qos and not self.lost:
                self._client.ack(mid, qos)

        self._deliver(Letter(message.topic, bytes(message.payload), qos, ack))


_REFUSALS: dict[str, Callable[[], ConnectorError]] = {
    "Bad user name or password": lambda: Halted("the broker refuses the credentials: check username and password"),
    "Not authorized": lambda: Halted("the broker doesn't let this user in: check username and password"),
    "Unsupported protocol version": lambda: ConfigError("the broker doesn't speak MQTT 3.1.1", field="url"),
    "Client identifier not valid": lambda: ConfigError("the broker refuses the client id", field="client_id"),
    "Server unavailable": lambda: RetryableError("the broker says that it is unavailable"),
}
"""MQTT 3.1.1, table 3.1: why a broker refuses a connection, in the client's words."""


def translate(error: aiomqtt.MqttError) -> ConnectorError:
    """What an error of the client means for the hub."""
    if isinstance(error.__context__, ssl.SSLCertVerificationError):
        return Halted(f"the broker's certificate isn't trusted: {error}; set ca_file to the authority that signed it")
    if not isinstance(error, MqttConnectError):
        return NotConnected(f"the broker doesn't answer: {error}")
    known = _REFUSALS.get(str(error.rc))
    return known() if known is not None else NotConnected(f"the broker refused the connection: {error.rc}")
