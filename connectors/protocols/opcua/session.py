"""One session with an OPC UA server: opened with checks, closed without a fuss, never revived.

A client whose connection was lost keeps old state, so each connection gets a new one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asyncua import Client, ua
from asyncua.common.utils import ServiceError
from asyncua.crypto import security_policies, uacrypto

from connectors.connector import ConfigError, ConnectorError, Halted, NotConnected
from connectors.protocols.opcua.addresses import STANDARD, Address, BrowsePath, NodeAddress
from connectors.protocols.opcua.errors import TRANSLATED, of_status, translate
from connectors.protocols.opcua.trust import Trust, application_uri

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from connectors.protocols.opcua.endpoint import EndpointConfig

WATCHDOG_S = 2.0
"""How often the client asks whether the server is alive, and how long that answer may take."""
SESSION_MS = 60_000
"""How long the server keeps a session whose client was killed; machines allow few of them."""
BATCH = 100
"""How many paths or items go into one request; servers limit it, few below this."""


class Session:
    """An open session. `open` makes one; `lost` is set when the connection is gone."""

    def __init__(self, client: Client, config: EndpointConfig) -> None:
        """Use `open`."""
        self._client, self._config = client, config
        self._namespaces: dict[str, int] = {}
        self.lost = asyncio.Event()
        self.answered = time.monotonic()
        """When the server last answered something, by the monotonic clock."""
        client.connection_lost_callback = self._on_lost

    @classmethod
    async def open(cls, config: EndpointConfig, folder: Path) -> Session:
        """Connect. Raises NotConnected, Halted (certificate, login) and ConfigError (files)."""
        # asyncua logs a traceback per second for what this connector reports itself.
        logging.getLogger("asyncua").setLevel(logging.CRITICAL)
        client = Client(config.url, timeout=config.request_timeout_s, watchdog_intervall=WATCHDOG_S)
        client.name = client.description = "mombus"
        client.session_timeout = SESSION_MS
        trust = None if config.trust_store is None else Trust(folder / config.trust_store)
        client.certificate_validator = trust
        if trust is not None:
            await trust.load()
        try:
            await _login(client, config, folder)
            await _secure(client, config, folder)
            await client.connect()
            session = cls(client, config)
            session._namespaces = {uri: index for index, uri in enumerate(await client.get_namespace_array())}
        except TRANSLATED as error:
            await _drop(client)
            if trust is not None and trust.refusal is not None:
                raise trust.refusal from None
            raise _connecting(error, config) from error
        except ValueError as error:
            await _drop(client)
            raise ConfigError(f"a certificate or private key can't be read: {error}", "private_key") from None
        return session

    @property
    def alive(self) -> bool:
        """False once the connection was lost."""
        return not self.lost.is_set()

    @property
    def services(self) -> Any:
        """The raw services of asyncua's session."""
        return self._client.uaclient.session

    async def close(self) -> None:
        """Close it, also when the server is gone. Never raises."""
        self.lost.set()
        await _drop(self._client)

    async def nodes(self, addresses: Sequence[Address]) -> list[ua.NodeId | str]:
        """The node ids of addresses, in order; where there is none, a text that says why. Raises NotConnected."""
        found: list[ua.NodeId | str] = []
        for start in range(0, len(addresses), BATCH):
            found += await self._batch(addresses[start : start + BATCH])
        return found

    async def _batch(self, addresses: Sequence[Address]) -> list[ua.NodeId | str]:
        known = [self._known(address) for address in addresses]
        paths = [found for found in known if isinstance(found, ua.BrowsePath)]
        results = iter(await self.request(self.services.translate_browsepaths_to_nodeids(paths)) if paths else ())
        return [_target(next(results)) if isinstance(found, ua.BrowsePath) else found for found in known]

    def _known(self, address: Address) -> ua.NodeId | ua.BrowsePath | str:
        if isinstance(address, NodeAddress):
            index = self._index(address.namespace)
            return index if isinstance(index, str) else ua.NodeId.from_string(f"ns={index};{address.identifier}")
        return self._path(address)

    def _path(self, address: BrowsePath) -> ua.BrowsePath | str:
        elements = []
        for namespace, name in address.steps:
            index = self._index(namespace)
            if isinstance(index, str):
                return index
            elements.append(ua.RelativePathElement(
                ReferenceTypeId=ua.NodeId(ua.ObjectIds.HierarchicalReferences), IsInverse=False, IncludeSubtypes=True,
                TargetName=ua.QualifiedName(name, index),
            ))  # fmt: skip
        path = ua.BrowsePath(StartingNode=ua.NodeId(ua.ObjectIds.RootFolder))
        path.RelativePath.Elements = elements
        return path

    def _index(self, namespace: str) -> int | str:
        index = 0 if namespace == STANDARD else self._namespaces.get(namespace)
        return f"the server has no namespace {namespace}" if index is None else index

    async def request(self, asked: Awaitable[Any], what: str = "asking the server") -> Any:
        """Await one of asyncua's requests that changes nothing. Raises a ConnectorError."""
        return await self._answer(asked, what, self._config.request_timeout_s, sent=False)

    async def command(self, asked: Awaitable[Any], what: str) -> Any:
        """Await one of asyncua's requests that changes something, within write_timeout_s. Raises a ConnectorError."""
        return await self._answer(asked, what, self._config.write_timeout_s, sent=True)

    async def _answer(self, asked: Awaitable[Any], what: str, within_s: float, *, sent: bool) -> Any:
        """The answer. A server that said nothing at all meanwhile is taken for lost: such a client doesn't recover."""
        asked_at = time.monotonic()
        try:
            async with asyncio.timeout(within_s):
                answer = await asked
        except TRANSLATED as error:
            if isinstance(error, TimeoutError | OSError) and self.answered < asked_at:
                self.lost.set()
            raise translate(error, what, sent=sent) from error
        self.answered = time.monotonic()
        return answer

    async def call(self, parent: ua.NodeId, method: ua.NodeId, arguments: list[ua.Variant], what: str) -> list[Any]:
        """Call a method; its outputs as plain values. Raises a ConnectorError."""
        request = ua.CallMethodRequest(ObjectId=parent, MethodId=method)
        request.InputArguments = arguments
        result = (await self.command(self.services.call([request]), what))[0]
        _good(result.StatusCode, what)
        return [output.Value for output in result.OutputArguments or ()]

    async def write(self, node: ua.NodeId, value: ua.Variant, what: str) -> None:
        """Write a value without timestamps: servers refuse those that carry one. Raises a ConnectorError."""
        item = ua.WriteValue(NodeId=node, AttributeId=ua.AttributeIds.Value)
        item.Value = ua.DataValue(value)
        statuses = await self.command(self.services.write(ua.WriteParameters(NodesToWrite=[item])), what)
        _good(statuses[0], what)

    async def read(self, nodes: Sequence[ua.NodeId], what: str) -> list[Any]:
        """Read values. Raises a ConnectorError, also for a value that isn't good."""
        values = await self.request(self.services.read_attributes(list(nodes), ua.AttributeIds.Value), what)
        for value in values:
            _good(value.StatusCode, what)
        return [None if value.Value is None else value.Value.Value for value in values]

    async def _on_lost(self, _error: Exception) -> None:
        self.lost.set()


def _good(status: ua.StatusCode, what: str) -> None:
    if status.is_bad():
        raise of_status(status.name, f"{what}: {status.name} ({status.doc})", sent=True)


def _target(result: ua.BrowsePathResult) -> ua.NodeId | str:
    if result.StatusCode.is_good() and result.Targets:
        node: ua.NodeId = result.Targets[0].TargetId
        return ua.NodeId(node.Identifier, node.NamespaceIndex)
    return f"the server has no such node ({result.StatusCode.name})"


async def _login(client: Client, config: EndpointConfig, folder: Path) -> None:
    if config.user is not None:
        client.set_user(config.user)
    if config.password is not None:
        client.set_password(config.password.get_secret_value())
    if config.user_certificate is not None and config.user_private_key is not None:
        certificate, key = folder / config.user_certificate, folder / config.user_private_key
        _exists(certificate, "user_certificate")
        _exists(key, "user_private_key")
        await client.load_client_certificate(str(certificate))
        await client.load_private_key(key)


async def _secure(client: Client, config: EndpointConfig, folder: Path) -> None:
    if config.security_policy == "None" or config.certificate is None or config.private_key is None:
        return
    certificate, key = folder / config.certificate, folder / config.private_key
    _exists(certificate, "certificate")
    _exists(key, "private_key")
    uri = application_uri(await uacrypto.load_certificate(certificate))
    if uri is None:
        raise ConfigError(f"{certificate} names no application URI: OPC UA needs one in its SAN", "certificate")
    client.application_uri = uri
    password = config.private_key_password
    await client.set_security(
        getattr(security_policies, f"SecurityPolicy{config.security_policy}"), certificate, key,
        private_key_password=None if password is None else password.get_secret_value(),
        mode=ua.MessageSecurityMode[config.security_mode],
    )  # fmt: skip


def _exists(path: Path, field: str) -> None:
    if not path.is_file():
        raise ConfigError(f"{path} doesn't exist", field)


def _connecting(error: BaseException, config: EndpointConfig) -> ConnectorError:
    """While connecting, a plain UaError is the endpoint that isn't offered or a certificate that changed."""
    if type(error) is ua.UaError and "matching endpoints" in str(error).lower():
        return Halted(
            f"{config.url} doesn't offer security_policy {config.security_policy} with {config.security_mode}: "
            "choose one that it does"
        )
    translated = translate(error, f"connecting to {config.url}")
    if isinstance(error, ServiceError | ua.UaStatusCodeError) or isinstance(translated, NotConnected):
        return translated
    return NotConnected(str(translated))


async def _drop(client: Client) -> None:
    """Tear a client down within a second, whatever state it is in."""
    with contextlib.suppress(Exception):
        async with asyncio.timeout(1):
            await client.disconnect()
    client.disconnect_socket()
