"""Another system's WSDL: which operation takes which document, and where. Import this only where it is used: zeep.

A WSDL is input from outside. What it imports must come from its own origin (or lie beside it, for a local copy), its
size and number of parts are limited, DTDs and entities are refused, redirects not followed.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx
from zeep.settings import Settings
from zeep.transports import Transport
from zeep.wsdl.bindings.soap import Soap11Binding, Soap12Binding
from zeep.wsdl.wsdl import Document

from connectors.answer_body import AnswerBroken, AnswerTooLarge, read_answer_now
from connectors.protocols.soap.envelope import Version
from connectors.protocols.soap.errors import ForbiddenReference, HttpStatus, UnreadableReply

MAX_PARTS = 60
"""Documents one WSDL may consist of: B2MML's own schemas are about forty."""


@dataclass(frozen=True, slots=True)
class Call:
    """How one operation is called. `element` is what its body holds, in Clark notation."""

    name: str
    element: str
    address: str
    version: Version
    action: str


def read_wsdl(content: bytes, location: str, client: httpx.Client, max_bytes: int) -> tuple[Call, ...]:
    """The document/literal operations of a WSDL, ports in the order of the WSDL.

    `location` is the WSDL's URL or path. Blocks while imports are fetched: call it in a thread. Raises
    ForbiddenReference, HttpStatus, UnreadableReply, httpx.HTTPError, zeep.exceptions.Error.
    """
    transport: Any = _NearbyTransport(location, client, max_bytes)
    settings = Settings(strict=True, forbid_dtd=True, forbid_entities=True, force_https=False)
    document = Document(io.BytesIO(content), transport, base=location, settings=settings)
    ports = [port for service in document.services.values() for port in service.ports.values()]
    return tuple(call for port in ports for call in _calls(port))


def fetch(client: httpx.Client, url: str, max_bytes: int) -> bytes:
    """Read a URL, up to a size. Raises HttpStatus, UnreadableReply, httpx.HTTPError."""
    with client.stream("GET", url) as response:
        if response.status_code != 200:
            raise HttpStatus(response.status_code)
        try:
            return read_answer_now(response, max_bytes)
        except (AnswerTooLarge, AnswerBroken) as error:
            raise UnreadableReply(f"{url}: {error}") from None


class _NearbyTransport(Transport):
    """Loads what a WSDL imports, but only from where the WSDL itself came from."""

    def __init__(self, location: str, client: httpx.Client, max_bytes: int) -> None:  # zeep's would open a session
        self._location, self._client, self._max_bytes = location, client, max_bytes
        self._loaded: dict[str, bytes] = {}
        self._close_session = False

    def load(self, url: str) -> bytes:
        """The document at `url`, once. Raises ForbiddenReference, HttpStatus, UnreadableReply, httpx.HTTPError."""
        if url not in self._loaded:
            if len(self._loaded) >= MAX_PARTS:
                raise ForbiddenReference(f"the WSDL consists of over {MAX_PARTS} documents")
            self._loaded[url] = self._load(url)
        return self._loaded[url]

    def _load(self, url: str) -> bytes:
        if origin(self._location) is not None:
            if origin(url) != origin(self._location):
                raise ForbiddenReference(f"the WSDL imports {url}, which isn't at {self._location}'s origin")
            return fetch(self._client, url, self._max_bytes)
        path, folder = _path(url).resolve(), _path(self._location).resolve().parent
        if origin(url) is not None or not path.is_relative_to(folder):
            raise ForbiddenReference(f"the WSDL imports {url}, which isn't in its folder {folder}")
        return path.read_bytes()


def origin(url: str) -> tuple[str, str, int] | None:
    """Scheme, host and port of an HTTP URL; None for anything else."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return None
    return parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)


def _path(location: str) -> Path:
    return Path(unquote(urlsplit(location).path)) if location.startswith("file:") else Path(location)


def _calls(port: Any) -> list[Call]:
    binding = port.binding
    if not isinstance(binding, Soap11Binding | Soap12Binding) or not port.binding_options:
        return []
    version = Version.V12 if isinstance(binding, Soap12Binding) else Version.V11
    address = port.binding_options["address"]
    return [
        Call(operation.name, element, address, version, operation.soapaction or "")
        for operation in binding._operations.values()
        if operation.style == "document" and (element := _input_element(operation))
    ]


def _input_element(operation: Any) -> str | None:
    """The name of the one element that the operation's body holds."""
    parts = list(operation.abstract.input_message.parts.values())
    if len(parts) != 1 or parts[0].element is None:
        return None
    return str(parts[0].element.qname.text)
