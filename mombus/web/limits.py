"""How much may come in at a time: requests, their size, and how long they may take to arrive."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import Message, Receive, Scope

WRONG_AT_ONCE, WRONG_EVERY_S = 10, 6.0
"""Wrong credentials that one peer may show; after that it isn't even looked at what it shows."""
UNKNOWN_AT_ONCE, UNKNOWN_EVERY_S, ASKED_AT_ONCE = 50, 0.2, 8
"""Sessions and tokens of one peer that nobody has, for which the hub is asked, and how many of them at a time."""
MOST_PEERS = 1000
"""Peers whose failures are remembered."""


class TooMuch(Exception):  # noqa: N818 - a fact about the request
    """More came than the door takes."""


class TooSlow(Exception):  # noqa: N818 - a fact about the request
    """The document didn't arrive in time."""


class Bucket:
    """A token bucket: `burst` at once, `per_second` in the long run. `clock` counts seconds."""

    def __init__(self, per_second: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second, self._burst, self._clock = per_second, burst, clock
        self._left, self._at = burst, clock()

    def wait_s(self) -> float:
        """How long until there is one to take; 0 if there is."""
        now = self._clock()
        self._left = min(self._burst, self._left + (now - self._at) * self._per_second)
        self._at = now
        return 0.0 if self._left >= 1 else (1 - self._left) / self._per_second

    def take(self) -> None:
        """Take one."""
        self._left -= 1


class Failures:
    """How often each peer showed a wrong credential: `most` at once, then one in `every_s`. Old peers are forgotten."""

    def __init__(self, most: int, every_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._every_s, self._clock = most, every_s, clock
        self._peers: OrderedDict[str, Bucket] = OrderedDict()

    def wait_s(self, peer: str) -> float:
        """How long this peer isn't listened to; 0 if it is."""
        bucket = self._peers.get(peer)
        return bucket.wait_s() if bucket else 0.0

    def add(self, peer: str) -> None:
        """One more of this peer."""
        bucket = self._peers.setdefault(peer, Bucket(1 / self._every_s, self._most, self._clock))
        bucket.wait_s()
        bucket.take()
        self._peers.move_to_end(peer)
        if len(self._peers) > MOST_PEERS:
            self._peers.popitem(last=False)


class Body:
    """The `receive` of one request, within limits.

    Raises TooMuch when more is asked for after `max_bytes` have come, and TooSlow when the whole hasn't come within
    `timeout_s`. What an application reads into memory is so at most `max_bytes` and one chunk.
    """

    def __init__(self, receive: Receive, max_bytes: int, timeout_s: float) -> None:
        self._receive, self._max_bytes = receive, max_bytes
        self._until = asyncio.get_running_loop().time() + timeout_s
        self._waiting: asyncio.Timeout | None = None
        self.read = 0
        """Bytes that came."""
        self.whole = False
        """True once all of it has come."""

    async def __call__(self) -> Message:
        """The next piece."""
        if self.whole:
            return await self._receive()
        if self.read > self._max_bytes:
            raise TooMuch
        try:
            async with asyncio.timeout_at(self._until) as self._waiting:
                event = await self._receive()
        except TimeoutError:
            raise TooSlow from None
        finally:
            self._waiting = None
        self.read += len(event.get("body", b""))
        self.whole = not event.get("more_body", False)
        return event

    async def piece(self) -> bytes:
        """The next piece's bytes. Raises TooMuch, TooSlow, and ConnectionError when who sends it hangs up."""
        event = await self()
        if event["type"] == "http.disconnect":
            raise ConnectionError("the sender hung up")
        if self.read > self._max_bytes:
            raise TooMuch
        return bytes(event.get("body", b""))

    def give_up(self) -> None:
        """Time is up: whoever waits for more of it, or asks for more, gets TooSlow."""
        self._until = asyncio.get_running_loop().time()
        if self._waiting is not None:
            self._waiting.reschedule(self._until)


def peer_of(scope: Scope) -> str:
    """The address a request comes from."""
    client = scope.get("client")
    return client[0] if client else "unknown"


def again(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives a body that was read already."""
    said = False

    async def receive_again() -> Any:
        nonlocal said
        if said:
            return await receive()
        said = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_again
