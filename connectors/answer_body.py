"""The body of an HTTP answer, read within a limit that holds for what is unzipped, too.

The systems that are called are strangers: a few kilobytes that were zipped, and zipped again, can be gigabytes. Only
one layer of gzip or deflate is undone here, never further than the limit; anything else is refused. Clients say
`ACCEPTED`, or they offer more than that.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx

ACCEPTED = "gzip, deflate"
"""The `Accept-Encoding` that goes with this reader."""
_EITHER = zlib.MAX_WBITS | 32
"""zlib finds out itself whether it is gzip or deflate."""
_ZIPPED = frozenset({"gzip", "x-gzip", "deflate"})


class AnswerTooLarge(Exception):  # noqa: N818 - a fact about the answer
    """The answer is over the limit."""


class AnswerBroken(Exception):  # noqa: N818 - a fact about the answer
    """The answer isn't zipped as it says, or in a way that isn't undone."""


class AnswerBody:
    """Takes the raw pieces of one answer. `encoding` is its Content-Encoding, None for one without."""

    def __init__(self, encoding: str | None, max_bytes: int) -> None:
        """Raises AnswerBroken for an encoding that isn't undone."""
        named = (encoding or "identity").strip().lower()
        if named not in _ZIPPED | {"", "identity"}:
            raise AnswerBroken(f"its content encoding '{named[:60]}' isn't taken, only {ACCEPTED}")
        self._unzip = zlib.decompressobj(_EITHER) if named in _ZIPPED else None
        self._max_bytes = max_bytes
        self._body = bytearray()
        self._begun = False

    def add(self, piece: bytes) -> None:
        """The next piece as it came. Raises AnswerTooLarge, AnswerBroken."""
        if self._unzip is None:
            self._take(piece)
            return
        while piece:
            self._begun = True
            piece = self._unzipped(piece)

    def whole(self) -> bytes:
        """All of it, after its last piece. Raises AnswerBroken when it was zipped and ends too early."""
        if self._begun and self._unzip is not None and not self._unzip.eof:
            raise AnswerBroken("it is zipped and ends too early")
        return bytes(self._body)

    def _unzipped(self, piece: bytes) -> bytes:
        """Unzip as much as there is room for; what is left belongs to the next member of a gzip file."""
        assert self._unzip is not None  # noqa: S101 - only zipped bodies come here
        if self._unzip.eof:
            self._unzip = zlib.decompressobj(_EITHER)
        try:
            self._take(self._unzip.decompress(piece, self._max_bytes - len(self._body) + 1))
        except zlib.error as error:
            raise AnswerBroken(f"it isn't zipped as it says: {error}") from None
        return self._unzip.unused_data

    def _take(self, content: bytes) -> None:
        self._body += content
        if len(self._body) > self._max_bytes:
            raise AnswerTooLarge(f"over {self._max_bytes} bytes")


async def read_answer(response: httpx.Response, max_bytes: int) -> bytes:
    """The body of an answer that is being streamed. Raises AnswerTooLarge, AnswerBroken, httpx errors."""
    body = AnswerBody(response.headers.get("content-encoding"), max_bytes)
    async for piece in response.aiter_raw():
        body.add(piece)
    return body.whole()


def read_answer_now(response: httpx.Response, max_bytes: int) -> bytes:
    """As `read_answer`, for a client that blocks."""
    body = AnswerBody(response.headers.get("content-encoding"), max_bytes)
    for piece in response.iter_raw():
        body.add(piece)
    return body.whole()
