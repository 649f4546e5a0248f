"""A system that is played over HTTP, SOAP included: a server on loopback that answers what its script says.

It is asked by one client, ours, that says how long its bodies are.
"""

from __future__ import annotations

import asyncio
from email.parser import BytesHeaderParser
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

from connectors.protocols.soap.envelope import Fault, is_envelope, open_envelope, own, wrap, wrap_fault
from mombus.hub.trial.port import HOST, Port
from mombus.trial.mocks import BREAKS_OFF, NO_ANSWER

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mombus.hub.trial.script import Script
    from mombus.trial.mocks import Line


class _Request(NamedTuple):
    method: str
    path: str
    content: bytes


class _Reply(NamedTuple):
    status: int
    content: bytes
    headers: dict[str, str]


class HttpMock:
    """Answers over HTTP; with `described`, the WSDL for an address, it speaks SOAP."""

    def __init__(self, script: Script, described: Callable[[str], bytes] | None = None) -> None:
        self.script = script
        self._described = described
        self._port = Port(self._answer_all)

    @property
    def url(self) -> str:
        """Where it is, also while it refuses connections."""
        return f"http://{HOST}:{self._port.number}"

    async def play(self, lines: Sequence[Line]) -> None:
        """From here on it answers so, or is away."""
        self.script.play(lines)
        await (self._port.leave() if self.script.is_away else self._port.open())

    async def close(self) -> None:
        """Away for good."""
        await self._port.close()

    async def _answer_all(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            reply = await self._reply(await _read(reader))
            if reply is None:
                return
            writer.write(_written(reply))
            await writer.drain()

    async def _reply(self, request: _Request) -> _Reply | None:
        """What it answers; None hangs up."""
        if self._described is not None and request.method == "GET":
            return _Reply(HTTPStatus.OK, self._described(self.url), {"Content-Type": "text/xml"})
        soap = self._described is not None
        method, path = ("SOAP", _document(request.content)) if soap else (request.method, request.path)
        line = self.script.due(method, path)
        if line is None:
            return _unanswered(method, path, expected=self.script.begun)
        if line.mock.trouble == NO_ANSWER:
            await asyncio.Event().wait()
        if line.mock.trouble == BREAKS_OFF:
            return None
        return _in_soap(line, request.content) if soap else _plain(line)


async def _read(reader: asyncio.StreamReader) -> _Request:
    """Raises IncompleteReadError when there is no other one."""
    head = await reader.readuntil(b"\r\n\r\n")
    first, _, rest = head.partition(b"\r\n")
    method, path, _ = first.decode("latin-1").split(" ")
    length = int(BytesHeaderParser().parsebytes(rest).get("content-length", 0))
    return _Request(method, path, await reader.readexactly(length))


def _written(reply: _Reply) -> bytes:
    headers = {**reply.headers, "Content-Length": str(len(reply.content))}
    told = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {reply.status} {_phrase(reply.status)}\r\n{told}\r\n".encode("latin-1", "replace") + reply.content


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in {known.value for known in HTTPStatus} else ""


def _unanswered(method: str, path: str, *, expected: bool) -> _Reply:
    """Nobody is to take it for an answer of the system, but for who only looks whether that is there."""
    if not expected:
        return _Reply(HTTPStatus.OK, b"{}", {"Content-Type": "application/json"})
    return _Reply(
        HTTPStatus.NOT_IMPLEMENTED, f"no mock answers {method} {path}".encode(), {"Content-Type": "text/plain"}
    )


def _plain(line: Line) -> _Reply:
    headers = {"Content-Type": line.content_type, **_headers(line)}
    return _Reply(int(line.mock.status or HTTPStatus.OK), line.content, headers)


def _in_soap(line: Line, asked: bytes) -> _Reply:
    """The document or fault in an envelope of the version that was asked in; anything else as it is."""
    version = open_envelope(own(asked)).version
    if line.mock.fault is not None:
        fault = Fault(line.mock.fault.code, line.mock.fault.text)
        status = int(line.mock.status or HTTPStatus.INTERNAL_SERVER_ERROR)
        return _Reply(status, wrap_fault(fault, version), {"Content-Type": version.media_type, **_headers(line)})
    kind = line.content_type
    if not line.content or kind != "application/xml":
        return _plain(line)
    root = own(line.content)
    content = line.content if is_envelope(root) else wrap(root, version)
    headers = {"Content-Type": version.media_type, **_headers(line)}
    return _Reply(int(line.mock.status or HTTPStatus.OK), content, headers)


def _headers(line: Line) -> dict[str, str]:
    return {name.title(): value for name, value in line.mock.headers.items()}


def _document(content: bytes) -> str:
    """The name of the document in an envelope."""
    document = open_envelope(own(content)).document
    return "" if document is None else str(own(document).tag).rpartition("}")[2]
