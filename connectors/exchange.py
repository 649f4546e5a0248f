"""What really went over a system's wire for a message, and what came back.

A connector that writes notes each of its calls, the good and the bad ones, where it makes them:

    with calling(f"POST {url}", content) as call:
        answer = await client.post(url, content)
        call.answered(answer.content, status=str(answer.status_code))

Whoever lets a connector write may listen; where nobody does, it costs next to nothing. What leaves the block by an
error is noted too, with what was answered until then. Which messages a call is for is known where one message is
written; a connector that is given several says it by `about`.

Never part of it: headers, so that no credentials are, and user or password of an address. Who listens gets it with what
hides the secrets of the configuration wherever else they stand, see `hiding`.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit, urlunsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MOST_BYTES = 64 * 1024
"""Of what is sent and of what is answered so much is noted, its beginning."""
MOST_CHARACTERS = 2000
HIDDEN = "***"
_JSON = "application/json"
_SECRET = ("token", "secret", "passw", "pwd", "apikey", "api_key", "api-key", "subscription-key", "sig", "credential")
"""What is in the name of a parameter whose value isn't shown."""


@dataclass(slots=True, kw_only=True)
class Exchange:
    """One call.

    `how`                   what was called, in the words of the wire: `POST http://qms:8102/lots?site=lyon`
    `request`, `response`   what was sent, and what came back: the beginning; None when nothing came
    `request_size`, `response_size`   bytes of all of it
    `request_type`, `response_type`   media types, as far as they are known
    `status`                the wire's own word for how it went: `201`, `SOAP fault`, `BadOutOfRange`
    `trouble`               why there is no good answer, as far as the wire tells
    `at`, `took_s`          when it began, and how long it took
    """

    how: str
    request: bytes
    request_size: int
    at: datetime
    took_s: float = 0.0
    request_type: str = _JSON
    response: bytes | None = None
    response_size: int = 0
    response_type: str | None = None
    status: str | None = None
    trouble: str | None = None

    def answered(self, response: bytes | None, *, status: str | None = None, media_type: str | None = None) -> None:
        """What came back; said again, the last counts."""
        self.response_size = len(response or b"")
        self.response = None if response is None else response[:MOST_BYTES]
        self.status, self.response_type = status, media_type


class _Unheard:
    """A call that nobody wants to know about."""

    def answered(self, response: bytes | None, *, status: str | None = None, media_type: str | None = None) -> None:
        """Nothing is kept of it."""


class Noted(NamedTuple):
    """An exchange, the ids of the messages it is for, and what hides secrets in it: call that before it is kept."""

    messages: tuple[str, ...]
    exchange: Exchange
    hide: Callable[[Exchange], Exchange]


_UNHEARD = _Unheard()
_listener: ContextVar[Callable[[Noted], None] | None] = ContextVar("listens to exchanges", default=None)
_messages: ContextVar[tuple[str, ...]] = ContextVar("messages of exchanges", default=())
_hide: ContextVar[Callable[[Exchange], Exchange] | None] = ContextVar("hides secrets of exchanges", default=None)


@contextmanager
def listening(listener: Callable[[Noted], None], messages: tuple[str, ...]) -> Iterator[None]:
    """`listener` is told of every call that is made in this block for these messages; it returns at once."""
    heard, about_ = _listener.set(listener), _messages.set(messages)
    try:
        yield
    finally:
        _messages.reset(about_)
        _listener.reset(heard)


class about:  # noqa: N801 - read as a word of the `with` it stands in
    """What is called in this block is for this message, of several that are written."""

    __slots__ = ("_id", "_token")

    def __init__(self, message_id: str) -> None:
        self._id = message_id

    def __enter__(self) -> None:
        self._token = _messages.set((self._id,))

    def __exit__(self, *_: object) -> None:
        _messages.reset(self._token)


@contextmanager
def hiding(hide: Callable[[Exchange], Exchange]) -> Iterator[None]:
    """Who listens to calls of this block is given `hide` with each. It is called later, perhaps in another thread."""
    token = _hide.set(hide)
    try:
        yield
    finally:
        _hide.reset(token)


class calling:  # noqa: N801 - read as a word of the `with` it stands in
    """Note the call that is made in this block: `answered` of what it gives says what came back."""

    __slots__ = ("_begun", "_exchange", "_listener", "_said")

    def __init__(self, how: str, request: bytes, media_type: str = _JSON) -> None:
        self._said = (how, request, media_type)
        self._listener = _listener.get()

    def __enter__(self) -> Exchange | _Unheard:
        if self._listener is None:
            return _UNHEARD
        how, request, media_type = self._said
        self._begun = time.monotonic()
        self._exchange = Exchange(
            how=how[:MOST_CHARACTERS], request=request[:MOST_BYTES], request_size=len(request), request_type=media_type,
            at=datetime.now(UTC),
        )  # fmt: skip
        return self._exchange

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if self._listener is None:
            return
        self._exchange.took_s = time.monotonic() - self._begun
        if error is not None:
            self._exchange.trouble = _in_words(error)
        self._listener(Noted(_messages.get(), self._exchange, _hide.get() or _as_it_is))


def address(url: str) -> str:
    """A URL as it may be shown: without user and password, and without the values of parameters that sound secret."""
    parts = urlsplit(url)
    query = "&".join(_parameter(*each.partition("=")) for each in parts.query.split("&")) if parts.query else ""
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, query, ""))


def pass_on(noted: Noted) -> None:
    """Tell who listens here what was noted elsewhere."""
    listener = _listener.get()
    if listener is not None:
        listener(noted)


def hidden(exchange: Exchange, text: Callable[[str], str]) -> Exchange:
    """The exchange with every text of it put through `text`."""

    def content(value: bytes | None) -> bytes | None:
        if value is None:
            return None
        return text(value.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")

    return replace(
        exchange, how=text(exchange.how), request=content(exchange.request) or b"", response=content(exchange.response),
        status=None if exchange.status is None else text(exchange.status),
        trouble=None if exchange.trouble is None else text(exchange.trouble),
    )  # fmt: skip


def _in_words(error: BaseException) -> str:
    if isinstance(error, asyncio.CancelledError):
        return "broken off before it was answered"
    return f"{type(error).__name__}: {error}"[:MOST_CHARACTERS] if str(error) else type(error).__name__


def _parameter(name: str, equals: str, value: str) -> str:
    secret = any(word in unquote(name).lower() for word in _SECRET)
    return f"{name}{equals}{HIDDEN if secret and value else value}"


def _as_it_is(exchange: Exchange) -> Exchange:
    return exchange
