"""A target that counts: a real HTTP server with books, which fails in the ways targets fail.

    POST /findable {"id", "lane"}                  a document; a second post of the same makes a second document
    GET  /findable?id=…                            the documents about it
    POST /keyed    with Idempotency-Key            a document, once per key

As a process of its own, to be killed: `python counting_target.py PORT BOOKS`.
"""

from __future__ import annotations

import asyncio
import json
import sys
from enum import StrEnum
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qs, urlsplit

from books import Books

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SLOW_S = 0.3
RETRY_AFTER_S = 1


class Trouble(StrEnum):
    """How a post fails."""

    NONE = "takes it and answers"
    LOSES_REQUEST = "drops the connection before it takes it"
    LOSES_ANSWER = "takes it and drops the connection"
    HANGS = "takes it and never answers"
    FAILS = "answers 500 and takes nothing"
    REFUSES = "answers 422 and takes nothing"
    BUSY = "answers 429 with Retry-After and takes nothing"
    SLOW = "takes it and answers late"
    LATE = "takes it once it is let go, whether or not anybody still waits for the answer"


class Request(NamedTuple):
    """One HTTP request."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class CountingTarget:
    """`trouble` decides for every post how it fails, by its id and how often that id was posted before.

    `posts` and `asked` count how often an id was posted and asked about; what is LATE waits for `let_go`.
    """

    def __init__(self, books: Books, port: int = 0) -> None:
        self.books = books
        self.port = port
        self.trouble: Callable[[str, int], Trouble] = lambda _id, _before: Trouble.NONE
        self.troubled = 0
        self.posts: dict[str, int] = {}
        self.asked: dict[str, int] = {}
        self.let_go = asyncio.Event()
        self._open: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self._server.close()
        for writer in list(self._open):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            while (request := await _request(reader)) is not None and await self._answer(request, writer):
                pass
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._open.discard(writer)
            writer.transport.abort()

    async def _answer(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; False when the connection must end."""
        url = urlsplit(request.path)
        if request.method == "GET":
            ids = parse_qs(url.query).get("id", [])
            self.asked.update({id: self.asked.get(id, 0) + 1 for id in ids})
            found = [{"number": n} for id in ids for n in self.books.find(id)]
            return await _send(writer, HTTPStatus.OK, {"documents": found})
        return await self._post(request, url.path, writer)

    async def _post(self, request: Request, path: str, writer: asyncio.StreamWriter) -> bool:
        said = json.loads(request.body)
        before = self.posts.get(said["id"], 0)
        self.posts[said["id"]] = before + 1
        trouble = self.trouble(said["id"], before)
        self.troubled += trouble is not Trouble.NONE
        match trouble:
            case Trouble.LOSES_REQUEST:
                return False
            case Trouble.FAILS:
                return await _send(writer, HTTPStatus.INTERNAL_SERVER_ERROR, {"reason": "out of order"})
            case Trouble.REFUSES:
                return await _send(writer, HTTPStatus.UNPROCESSABLE_ENTITY, {"reason": "the period is closed"})
            case Trouble.BUSY:
                return await _send(writer, HTTPStatus.TOO_MANY_REQUESTS, {}, f"Retry-After: {RETRY_AFTER_S}\r\n")
            case Trouble.LATE:
                await self.let_go.wait()
        number = self.books.add(
            said["id"], said["lane"], request.headers["idempotency-key"] if path == "/keyed" else None
        )
        match trouble:
            case Trouble.LOSES_ANSWER:
                return False
            case Trouble.HANGS:
                await asyncio.Event().wait()
            case Trouble.SLOW:
                await asyncio.sleep(SLOW_S)
        return await _send(writer, HTTPStatus.CREATED, {"number": number})


async def _request(reader: asyncio.StreamReader) -> Request | None:
    first = await reader.readline()
    if not first.strip():
        return None
    method, path, _ = first.decode("ascii").split(" ", 2)
    headers = {}
    while line := (await reader.readline()).strip():
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.lower()] = value.strip()
    return Request(method, path, headers, await reader.readexactly(int(headers.get("content-length", 0))))


async def _send(writer: asyncio.StreamWriter, status: HTTPStatus, body: object, more: str = "") -> bool:
    content = json.dumps(body).encode()
    writer.write(
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: application/json\r\n{more}"
        f"Content-Length: {len(content)}\r\n\r\n".encode()
        + content
    )
    await writer.drain()
    return True


async def main(port: int, file: Path) -> None:
    """Serve until killed; one line on stdout says that it listens."""
    target = CountingTarget(Books(file), port)
    await target.start()
    sys.stdout.write(f"{target.port}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2])))
