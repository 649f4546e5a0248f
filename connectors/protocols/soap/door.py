"""The door of a hosted service: XML documents come in by SOAP 1.1, SOAP 1.2 or plain POST, and are answered in kind.

GET  ?wsdl                                         the WSDL, with the address it was asked at
POST text/xml, application/soap+xml                the document in an envelope; refusals are faults
POST application/xml, text/xml without envelope    the bare document; refusals are a status and a text

200 an answer   202 taken, no answer was asked for   400 no document (SOAP 1.1: 500 with a Client fault)
413 too big   415 not XML   503 not now, with Retry-After

Who may post at all, how often and how slowly, is the hub's to say (connectors/door.py).
"""

from __future__ import annotations

import math
from tempfile import SpooledTemporaryFile
from typing import IO, TYPE_CHECKING, Protocol

from connectors.connector import RetryableError
from connectors.protocols.soap.envelope import (
    Envelope,
    EnvelopeError,
    Fault,
    Version,
    is_envelope,
    open_envelope,
    own,
    wrap,
    wrap_fault,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from lxml.etree import _Element
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import Receive, Scope, Send

    from connectors.protocols.soap.service import Service

RETRY_AFTER_S = 5.0
LARGE = 4_000_000
"""Bytes of a document that are held in memory; what is larger goes through a file."""
MEDIA_TYPES = frozenset({"text/xml", "application/xml", "application/soap+xml"})


class Refused(Exception):  # noqa: N818
    """The document can't be taken, however often it is sent. `place` is where in it the reason stands.

    `code` is the fault code its sender gets, `version` the SOAP version to say it in where only that is known.
    """

    def __init__(
        self, reason: str, place: str | None = None, *, code: str = "Client", version: Version | None = None
    ) -> None:
        super().__init__(reason)
        self.reason, self.place = reason, place
        self.code, self.version = code, version


class TakesLarge(Protocol):
    """Takes documents over LARGE from a file, so that they are never in memory whole."""

    async def look_through(self, file: IO[bytes]) -> bytes:
        """It with its last items only. Raises Refused when it can't be taken; it is kept then."""

    async def take_large(self, file: IO[bytes]) -> bytes | None:
        """As `take`."""


class Door:
    """An ASGI application that hands each document to `take` and sends back what that returns.

    `take` gets the document's bytes; it returns the answer's bytes, or None when the caller asked for none. The caller
    is answered only after it has returned. It raises Refused for a document that can never be taken, and
    RetryableError when the hub can't take one now. `parse` reads bytes as XML and raises Refused. What can't be parsed
    or opened, is no XML or too big is given to `keep` before the caller hears of it, as far as it was read. Documents
    over LARGE go through a file to `large`, where that is given.
    """

    def __init__(
        self,
        service: Service,
        take: Callable[[bytes], Awaitable[bytes | None]],
        keep: Callable[[bytes, Refused], Awaitable[None]],
        parse: Callable[[bytes], _Element],
        *,
        max_bytes: int,
        large: TakesLarge | None = None,
    ) -> None:
        self._service, self._take, self._keep, self._parse = service, take, keep, parse
        self._max_bytes, self._large = max_bytes, large

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        from starlette.requests import ClientDisconnect, Request  # noqa: PLC0415 - heavy

        try:
            response = await self._answer(Request(scope, receive))
        except ClientDisconnect:
            return
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        if request.method in ("GET", "HEAD"):
            return self._describe(request)
        if request.method != "POST":
            return _text("GET ?wsdl or POST a document\n", 405, {"Allow": "GET, HEAD, POST"})
        return await self._read(request)

    async def _read(self, request: Request) -> Response:
        with SpooledTemporaryFile(max_size=LARGE) as file:
            size = await _body(request, self._max_bytes, file)
            if size > self._max_bytes:
                advice = "split it, or let this door take more (door.max_bytes)"
                return await self._turned_away(file, f"the document is over {self._max_bytes} bytes: {advice}", 413)
            if problem := _unreadable(request):
                return await self._turned_away(file, problem, 415)
            if self._large is not None and size > LARGE:
                return await self._receive_large(file, self._large, _announced(request))
            return await self._receive(file.read(), _announced(request))

    async def _receive_large(self, file: IO[bytes], large: TakesLarge, version: Version | None) -> Response:
        """As `_receive`, with the document on disk."""
        try:
            opened = self._open(await large.look_through(file))
            if isinstance(opened, Refused):
                raise opened
            version, _ = opened
            return self._answered(await large.take_large(file), version)
        except Refused as refusal:
            return _refusal(refusal, version)
        except RetryableError as error:
            return _not_now(error, version)

    async def _turned_away(self, file: IO[bytes], problem: str, status: int) -> Response:
        """Keep what isn't even looked at, so that people here see why nothing comes; then say why."""
        try:
            await self._keep(file.read(min(LARGE, self._max_bytes)), Refused(problem))
        except RetryableError as error:
            return _not_now(error, None)
        return _text(f"{problem}\n", status)

    def _describe(self, request: Request) -> Response:
        if "wsdl" not in request.url.query.lower():
            return _text(f"{self._service.name}: a SOAP service. Its WSDL is at {request.url.path}?wsdl\n", 200)
        address = str(request.url.replace(query="", fragment=""))
        return _response(self._service.wsdl(address), 200, "text/xml")

    async def _receive(self, body: bytes, version: Version | None) -> Response:
        """Hand the document over, answer in the same way it came; `version` is what the headers announced."""
        try:
            opened = self._open(body)
            if isinstance(opened, Refused):
                await self._keep(body, opened)
                raise opened
            version, document = opened
            return self._answered(await self._take(document), version)
        except Refused as refusal:
            return _refusal(refusal, version)
        except RetryableError as error:
            return _not_now(error, version)

    def _open(self, body: bytes) -> tuple[Version | None, bytes] | Refused:
        """The document, and the version of the envelope it came in, if it came in one; or why it can't be opened."""
        try:
            root = self._parse(body)
            if not is_envelope(root):
                return None, body
            envelope = open_envelope(root)
            return envelope.version, _document(envelope)
        except EnvelopeError as error:
            return Refused(str(error), code=error.code, version=error.version)
        except Refused as refusal:
            return refusal

    def _answered(self, answer: bytes | None, version: Version | None) -> Response:
        if answer is None:
            return _response(b"", 202, "text/xml" if version is None else version.media_type)
        if version is None:
            return _response(answer, 200, "application/xml")
        return _response(wrap(own(answer), version), 200, version.media_type)


def _document(envelope: Envelope) -> bytes:
    if envelope.fault is not None:
        raise EnvelopeError("the body holds a fault: faults are answers, not requests", version=envelope.version)
    if envelope.document is None:
        raise EnvelopeError("the body is empty, one document is expected", version=envelope.version)
    return envelope.document


def _unreadable(request: Request) -> str | None:
    """Why the request's media type or encoding can't be read, or None."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in MEDIA_TYPES:
        return f"'{media_type}' is none of {', '.join(sorted(MEDIA_TYPES))}"
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    return None if encoding == "identity" else f"content encoding '{encoding}': send the document uncompressed"


def _announced(request: Request) -> Version | None:
    """The SOAP version the headers speak of: who sends them waits for a fault, not for a text."""
    if request.headers.get("content-type", "").lower().startswith(Version.V12.media_type):
        return Version.V12
    return Version.V11 if "soapaction" in request.headers else None


async def _body(request: Request, max_bytes: int, file: IO[bytes]) -> int:
    """Put the request's body into a file and return its size; it isn't read on once it is over the limit."""
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        file.write(chunk)
        if size > max_bytes:
            break
    file.seek(0)
    return size


def _refusal(refusal: Refused, version: Version | None) -> Response:
    version = refusal.version or version
    if version is not None:
        return _fault(Fault(refusal.code, refusal.reason, place=refusal.place), version)
    place = f"{refusal.place}: " if refusal.place else ""
    return _text(f"{place}{refusal.reason}\n", 400)


def _not_now(error: RetryableError, version: Version | None) -> Response:
    after_s = math.ceil(RETRY_AFTER_S if error.retry_after_s is None else error.retry_after_s)
    headers = {"Retry-After": str(max(after_s, 1))}
    if version is None:
        return _text(f"not now, send it again later: {error}\n", 503, headers)
    return _fault(Fault("Server", f"not now, send it again later: {error}"), version, 503, headers)


def _fault(
    fault: Fault, version: Version, status: int | None = None, headers: dict[str, str] | None = None
) -> Response:
    """SOAP 1.1 sends every fault as 500 (section 6.2), SOAP 1.2 those of the sender as 400 (part 2, 7.5.2.2)."""
    if status is None:
        status = 400 if version is Version.V12 and fault.code != "Server" else 500
    return _response(wrap_fault(fault, version), status, version.media_type, headers)


def _text(text: str, status: int, headers: dict[str, str] | None = None) -> Response:
    return _response(text.encode(errors="replace"), status, "text/plain", headers)


def _response(content: bytes, status: int, media_type: str, headers: dict[str, str] | None = None) -> Response:
    from starlette.responses import Response  # noqa: PLC0415 - heavy

    headers = {"X-Content-Type-Options": "nosniff", **(headers or {})}
    return Response(content, status, headers, f"{media_type}; charset=utf-8")
