"""The state of the connection to the broker: up or not, since when and why, and what was denied."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from mombus.bus.errors import NotPermitted, NotReachable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")
_AWAY = re.compile(r"timed? ?out|stale connection|no servers|unexpected eof|connection closed|empty response", re.I)
"""What the client says while it tries to reach a broker that is away."""
_DENIED = re.compile(r"permissions violation for publish to \"(?P<subject>[^\"]*)\"", re.IGNORECASE)


class Link:
    """Up or down, with the reason. `observe` is told in a sentence when that changes; `account` is who we are there."""

    def __init__(self, observe: Callable[[str], None] | None = None, account: str = "") -> None:
        self._observe = observe or (lambda _text: None)
        self._account = account
        self._up = asyncio.Event()
        self._denials: dict[str, list[asyncio.Future[None]]] = {}
        """By subject in lower case, as the client reports it."""
        self.lost: asyncio.Future[None] = _silent()
        """Fails when the connection is lost: who waits for an answer need not wait longer."""
        self.since = datetime.now(UTC)
        self.reason = "not connected yet"
        self.reconnects = 0
        self._lost_it = False
        self.stalled = False
        """True while the broker is connected but doesn't confirm what is published, say because its disk is full."""
        self._denied: dict[str, str] = {}
        """What may not be published now and why, by what an object of a system has in common."""

    @property
    def up(self) -> bool:
        """True while the broker answers."""
        return self._up.is_set()

    @property
    def denied(self) -> str:
        """What the broker doesn't let us publish now, and what to do; empty while it lets us."""
        return next(iter(self._denied.values()), "")

    async def wait_up(self, timeout_s: float | None) -> bool:
        """Wait until connected; False when that takes longer than `timeout_s`."""
        if self._up.is_set():
            return True
        try:
            async with asyncio.timeout(timeout_s):
                await self._up.wait()
        except TimeoutError:
            return False
        return True

    async def unless_lost(self, request: Awaitable[T], *ends: asyncio.Future[None]) -> T:
        """The request's result; its error, or that of the lost connection or of one of `ends`, whichever is first."""
        task = asyncio.ensure_future(request)
        waiting: tuple[asyncio.Future[Any], ...] = (task, self.lost, *ends)
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            raise next(error for end in waiting[1:] if end.done() and (error := end.exception()))
        finally:
            task.cancel()

    def connected(self) -> None:
        """The connection stands."""
        self.since, self.reason = datetime.now(UTC), "connected"
        self._up.set()

    def leave(self) -> None:
        """We close it ourselves: nobody needs to be told."""
        self._observe = lambda _text: None

    async def disconnected(self) -> None:
        """The client lost its connection and tries to get it back."""
        if self._up.is_set():
            self._up.clear()
            self._lost_it = True
            self._change("the broker doesn't answer; connecting again")
            lost, self.lost = self.lost, _silent()
            lost.set_exception(ConnectionError("the connection to the broker was lost"))

    async def reconnected(self) -> None:
        """The client is connected again."""
        self.reconnects += 1
        self._lost_it = False
        self._change("connected again")
        self._up.set()

    async def closed(self) -> None:
        """The client has given up, or was asked to end: who waits for the connection is woken and told."""
        self._change(f"closed ({self.reason})")
        if not self.lost.done():
            self.lost.set_exception(NotReachable(f"the connection to the broker is closed: {self.reason}"))
        self._up.set()

    async def failed(self, error: Exception) -> None:
        """The client reports an error; a denied publish is told to who waits for it."""
        text = str(error) or ("it doesn't answer" if isinstance(error, TimeoutError) else type(error).__name__)
        if denied := _DENIED.search(text):
            account = f"account {self._account}" if self._account else "account"
            reason = NotPermitted(
                f"the broker's {account} may not publish on {denied['subject']}: grant it, or check who owns the object"
            )
            self._denied[_stem(denied["subject"])] = str(reason)
            for waiting in self._denials.pop(denied["subject"].lower(), []):
                if not waiting.done():
                    waiting.set_exception(reason)
        if not self._away(error, text):
            self.note(text.removeprefix("nats: "))

    def _away(self, error: Exception, text: str) -> bool:
        """True for what only says again that a broker that was there is away: that is told already."""
        return self._lost_it and (isinstance(error, OSError | TimeoutError) or _AWAY.search(text) is not None)

    def stall(self) -> None:
        """A publish got no answer though the connection stands."""
        if self.up:
            self.stalled = True
            self.note(
                "the broker is connected but confirms nothing: its disk may be full (see broker.log); "
                "make room; one that isn't the hub's own must then be restarted"
            )

    def confirmed(self, subject: str = "") -> None:
        """A publish was confirmed; `subject` may be published on."""
        if self._denied.pop(_stem(subject), None):
            self.note("the broker lets us publish again")
        if self.stalled:
            self.stalled = False
            self.note("the broker stores again")

    def end(self) -> None:
        """The connection is being closed on purpose: nobody needs to be told that it goes."""
        self._observe = lambda _text: None

    def note(self, text: str) -> None:
        """Remember the latest trouble as the reason; the same one again is not reported twice."""
        if text != self.reason:
            self.reason = text
            self._observe(text)

    def expect_denial(self, subject: str) -> asyncio.Future[None]:
        """A future that fails with NotPermitted if a publish on `subject` is denied."""
        future = _silent()
        self._denials.setdefault(subject.lower(), []).append(future)
        return future

    def forget_denial(self, subject: str, future: asyncio.Future[None]) -> None:
        """The publish was answered."""
        waiting = self._denials.get(subject.lower())
        if waiting and future in waiting:
            waiting.remove(future)
            if not waiting:
                del self._denials[subject.lower()]

    def _change(self, reason: str) -> None:
        self.since = datetime.now(UTC)
        self.note(reason)


def _stem(subject: str) -> str:
    """What all messages of an object of a system have in common, in lower case as the client reports it."""
    return ".".join(subject.lower().split(".")[:5])


def _silent() -> asyncio.Future[Any]:
    """A future whose error nobody needs to fetch."""
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    future.add_done_callback(lambda done: done.cancelled() or done.exception())
    return future
