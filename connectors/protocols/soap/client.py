"""A client of a document/literal SOAP service: documents go out as they are, answers come back as they are."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connectors.answer_body import ACCEPTED, AnswerBroken, AnswerTooLarge, read_answer
from connectors.connector import ConfigError, MappingError, NotConnected
from connectors.exchange import address, calling
from connectors.protocols.soap.envelope import EnvelopeError, Version, is_envelope, open_envelope, own, wrap
from connectors.protocols.soap.errors import (
    Asked,
    ForbiddenReference,
    HttpStatus,
    SoapFault,
    UnreadableReply,
    retry_after_s,
    translate,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx
    from lxml.etree import _Element

    from connectors.protocols.soap.credentials import Credentials
    from connectors.protocols.soap.wsdl import Call

_ANSWERED_BADLY = (AnswerTooLarge, AnswerBroken, SoapFault, HttpStatus, UnreadableReply)
MAX_SAID = 300
"""Characters of an error page that are worth repeating."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a SOAP service is and how to call it.

    `wsdl` is the URL or path of its description. `endpoint` overrides the address that the description names; without
    it that address must have the WSDL's own origin. `operation` names the one operation that takes every document, for
    services that aren't described document by document.
    """

    wsdl: str
    endpoint: str | None = None
    operation: str | None = None
    credentials: Credentials | None = None
    connect_timeout_s: float = 5.0
    timeout_s: float = 30.0
    max_bytes: int = 16_000_000
    ca_file: Path | None = None
    """The certificates to trust instead of the usual authorities, for a service with a private one."""


class SoapClient:
    """Sends documents to one service. `parse` reads bytes as XML, refusing what is dangerous, and raises ValueError."""

    def __init__(self, target: Target, parse: Callable[[bytes], _Element]) -> None:
        self._target, self._parse = target, parse
        self._calls: tuple[Call, ...] = ()
        self._described: bytes | None = None
        self._http: httpx.AsyncClient | None = None

    async def open(self) -> None:
        """Read the WSDL, in a thread; one that didn't change isn't parsed again.

        Raises NotConnected, Halted, ConfigError and their like; see errors.py.
        """
        if self._http is None:
            self._http = self._client()
        try:
            await asyncio.to_thread(self._describe)
        except Exception as error:
            raise translate(error, Asked(f"reading the WSDL {self._target.wsdl}", effect=False)) from error

    async def close(self) -> None:
        """Close all connections. Never raises."""
        http, self._http = self._http, None
        if http is not None:
            await http.aclose()

    async def ask(self, document: bytes, *, effect: bool = True) -> bytes | None:
        """Send a document and return the document that answers it, None if the service only took it.

        `effect` is false for a question. Raises ConnectorError: NotConnected when nothing was sent, OutcomeUnknown
        when the document may have been worked on, Rejected for a fault that blames it; see errors.py.
        """
        if self._http is None or not self._calls:
            raise NotConnected(f"{self._target.wsdl} wasn't read yet")
        import httpx  # noqa: PLC0415 - heavy

        if len(document) > self._target.max_bytes:
            raise MappingError(f"a document of {len(document)} bytes: at most {self._target.max_bytes} are sent")
        root = own(document)
        call = self._call_for(str(root.tag))
        try:
            return await self._post(self._http, call, self._wrapped(root, call))
        except (*_ANSWERED_BADLY, httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise translate(error, Asked(f"{call.name} at {call.address}", effect)) from error

    async def reachable(self, within_s: float) -> None:
        """Return when the service's host answers anything at all. Raises ConnectorError when it doesn't in time."""
        if self._http is None:
            raise NotConnected(f"{self._target.wsdl} wasn't read yet")
        import httpx  # noqa: PLC0415 - heavy

        address = self._calls[0].address if self._calls else self._target.wsdl
        try:
            async with asyncio.timeout(within_s), self._http.stream("GET", address):
                return
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise translate(error, Asked(address, effect=False)) from error

    def _client(self) -> httpx.AsyncClient:
        import httpx  # noqa: PLC0415 - heavy

        return httpx.AsyncClient(**self._options())

    def _options(self) -> dict[str, Any]:
        import httpx  # noqa: PLC0415 - heavy

        target = self._target
        headers = {"User-Agent": "mombus", "Accept-Encoding": ACCEPTED}
        if target.credentials:
            headers["Authorization"] = target.credentials.header
        return {
            "headers": headers,
            "timeout": httpx.Timeout(target.timeout_s, connect=target.connect_timeout_s),
            "trust_env": False,
            "verify": ssl.create_default_context(cafile=target.ca_file) if target.ca_file else True,
        }

    def _describe(self) -> None:
        """Read the WSDL and everything it imports; blocks."""
        import httpx  # noqa: PLC0415 - heavy

        from connectors.protocols.soap.wsdl import fetch, origin, read_wsdl  # noqa: PLC0415 - heavy

        target = self._target
        with httpx.Client(**self._options()) as client:
            remote = origin(target.wsdl) is not None
            content = fetch(client, target.wsdl, target.max_bytes) if remote else Path(target.wsdl).read_bytes()
            if content != self._described:
                calls = tuple(self._placed(call) for call in read_wsdl(content, target.wsdl, client, target.max_bytes))
                if not calls:
                    raise ConfigError(f"{target.wsdl} describes no document/literal SOAP operation", "url")
                self._calls, self._described = calls, content

    def _placed(self, call: Call) -> Call:
        """The call at the configured endpoint, or at its own address if that may be trusted."""
        from connectors.protocols.soap.wsdl import origin  # noqa: PLC0415 - heavy

        target = self._target
        if target.endpoint is not None:
            return replace(call, address=target.endpoint)
        if origin(call.address) != origin(target.wsdl):
            raise ForbiddenReference(
                f"the WSDL {target.wsdl} sends documents to {call.address}: if that is right, say so as `endpoint:`"
            )
        return call

    def _call_for(self, element: str) -> Call:
        wanted = self._target.operation
        for call in self._calls:
            if call.name == wanted if wanted else call.element == element:
                return call
        known = ", ".join(sorted({call.name for call in self._calls}))
        raise MappingError(f"{self._target.wsdl} has no operation for {wanted or element}; it has {known}")

    def _wrapped(self, root: _Element, call: Call) -> bytes:
        if call.element == root.tag:
            return wrap(root, call.version)
        wrapper = root.makeelement(call.element)
        wrapper.append(root)
        return wrap(wrapper, call.version)

    async def _post(self, http: httpx.AsyncClient, call: Call, envelope: bytes) -> bytes | None:
        headers = _soap_headers(call)
        with calling(f"POST {address(call.address)} ({call.name})", envelope, headers["Content-Type"]) as noted:
            async with http.stream("POST", call.address, content=envelope, headers=headers) as response:
                status, kind = str(response.status_code), response.headers.get("content-type")
                noted.answered(None, status=status, media_type=kind)
                content = await read_answer(response, self._target.max_bytes)
                noted.answered(content, status=status, media_type=kind)
            return self._opened(response, content, call)

    def _opened(self, response: httpx.Response, content: bytes, call: Call) -> bytes | None:
        status, after_s = response.status_code, retry_after_s(response.headers.get("retry-after"))
        if not content.strip():
            if status in (200, 202, 204):
                return None
            raise HttpStatus(status, retry_after_s=after_s)
        try:
            root = self._parse(content)
            if not is_envelope(root):
                raise EnvelopeError(f"{root.tag} is no SOAP envelope")
            envelope = open_envelope(root)
        except ValueError as error:
            raise _no_soap(status, content, error, after_s) from error
        if envelope.fault is not None:
            raise SoapFault(envelope.fault, status, after_s)
        if status not in (200, 202):
            raise HttpStatus(status, _said(content), after_s)
        return self._unwrapped(envelope.document, call)

    def _unwrapped(self, document: bytes | None, call: Call) -> bytes | None:
        """What a generic operation answers stands in a wrapper too."""
        if document is None or self._target.operation is None:
            return document
        root = self._parse(document)
        inner = list(root.iterchildren("*"))
        wrapped = _namespace(root.tag) == _namespace(call.element)
        return _bytes(inner[0]) if wrapped and len(inner) == 1 else document


def _soap_headers(call: Call) -> dict[str, str]:
    """SOAP 1.1 names the action in a header of its own, SOAP 1.2 in the media type."""
    action = call.action.replace('"', "%22").replace("\r", "").replace("\n", "")
    if call.version is Version.V12:
        return {"Content-Type": f'application/soap+xml; charset=utf-8; action="{action}"'}
    return {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{action}"'}


def _no_soap(status: int, content: bytes, error: ValueError, after_s: float | None) -> Exception:
    """An HTML error page, a login page with HTTP 200, or half an answer."""
    if status in (200, 202):
        return UnreadableReply(f"HTTP {status} with an answer that is no SOAP ({error}): {_said(content)}")
    return HttpStatus(status, _said(content), after_s)


def _namespace(name: str) -> str:
    return name.rpartition("}")[0]


def _said(content: bytes) -> str:
    return " ".join(content[:MAX_SAID].decode("utf-8", "replace").split())


def _bytes(element: _Element) -> bytes:
    from lxml import etree  # noqa: PLC0415 - heavy

    return etree.tostring(element, encoding="UTF-8", xml_declaration=True, with_tail=False)
