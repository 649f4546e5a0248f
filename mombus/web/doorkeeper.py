"""Stands at the door of one hosted system: asks for its credentials, keeps its limits, remembers who was sent away.

401 (403 where only certificates open)  a wrong credential, or none; nothing more is told
408 too slow   413 too big   429 too often, with Retry-After   431 too many headers   503 too many at once
"""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import structlog
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response

from mombus.web.credentials import Lock, Signatures
from mombus.web.limits import WRONG_AT_ONCE, WRONG_EVERY_S, Body, Bucket, Failures, TooMuch, TooSlow, again, peer_of
from mombus.web.replays import Answer, Replays
from mombus.web.strangers import Strangers

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from connectors.door import DoorConfig

MOST_HEADERS = 100
LOG_EVERY_S = 60.0
TROUBLE_S, TROUBLE_FROM = 600.0, 5
"""So many refused within so many seconds are something a person should look at."""
AGAIN_S = 1.0

log = structlog.get_logger()


class Doorkeeper:
    """The ASGI application of a hosted system, let in by its door's rules only."""

    def __init__(
        self, app: ASGIApp, door: DoorConfig, *, system: str, path: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._app, self._door, self._system, self.path, self._clock = app, door, system, path, clock
        self._lock = Lock(door)
        self._signatures = Signatures(door)
        self._replays = Replays(2 * door.tolerance_s, clock)
        self._rate = Bucket(door.per_second, door.burst, clock)
        self._failures = Failures(WRONG_AT_ONCE, WRONG_EVERY_S, clock)
        self._open = 0
        self._strangers = Strangers(door.at_once)
        self._refused: Counter[str] = Counter()
        self._let_in = 0
        self._last: dict[str, str] | None = None
        self._wrong: deque[float] = deque(maxlen=1000)
        self._logged_at = -math.inf

    def status(self) -> dict[str, Any]:
        """How many were let in, how many were refused and why, the last of these, and what a person should look at."""
        return {
            "path": self.path, "locked": self._door.locked, "let_in": self._let_in, "refused": dict(self._refused),
            "last_refused": self._last, "trouble": self.trouble,
        }  # fmt: skip

    @property
    def trouble(self) -> str | None:
        """What a person should look at: somebody tries to get in, or a system has the wrong credential."""
        recent = sum(at > self._clock() - TROUBLE_S for at in self._wrong)
        if recent < TROUBLE_FROM or self._last is None:
            return None
        many = f"{recent}" if recent < (self._wrong.maxlen or 0) else f"over {recent}"
        return (
            f"{many} wrong credentials at the door of {self._system} ({self.path}) in the last "
            f"{TROUBLE_S / 60:.0f} min, the last from {self._last['peer']}"
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        answering = _Answering(send)
        try:
            refusal = await self._answered(
                scope, Body(receive, self._door.max_bytes, self._door.body_timeout_s), answering
            )
        except TooMuch:
            refusal = self._refuse(scope, 413, "too big")
        except TooSlow:
            refusal = self._refuse(scope, 408, "too slow", close=True)
        except ConnectionError:
            return
        if refusal is not None and not answering.begun:
            await refusal(scope, receive, send)

    async def _answered(self, scope: Scope, body: Body, send: _Answering) -> Response | None:
        """Answer by the application, or return why not. Raises TooMuch, TooSlow."""
        if len(scope["headers"]) > MOST_HEADERS:
            return self._refuse(scope, 431, "too many headers", close=True)
        return await self._received(scope, body, send)

    async def _received(self, scope: Scope, body: Body, send: _Answering) -> Response | None:
        """Let in who shows something that opens. What nobody can guess opens also for an address that guessed much:
        behind a reverse proxy all come from one.
        """
        headers, certificate = Headers(scope=scope), scope.get("state", {}).get("certificate")
        if not self._door.locked and "origin" in headers:
            return self._refuse(scope, 403, "a page in a browser")
        if not self._door.locked or self._lock.surely_opened_by(headers, certificate):
            return await self._served(scope, body, send)
        wait_s = self._failures.wait_s(peer_of(scope))
        if wait_s:
            return self._refuse(scope, 429, "too many wrong credentials", again_s=wait_s)
        if self._lock.opened_by(headers):
            return await self._served(scope, body, send)
        id = self._signatures.promised_in(headers)
        if id:
            content = await self._unproven_body(peer_of(scope), body)
            if self._signatures.fit(headers, content):
                said = sha256(content).hexdigest()
                return await self._served_once(f"{said} {id}", scope, again(content, body), send)
        self._failures.add(peer_of(scope))
        self._wrong.append(self._clock())
        refusal = self._refuse(scope, 401 if self._asks_in_headers else 403, "wrong credential")
        for challenge in self._lock.challenges:
            refusal.headers.append("www-authenticate", challenge)
        return refusal

    async def _unproven_body(self, peer: str, body: Body) -> bytes:
        """The body of a webhook whose signature can't be judged before. Who doesn't finish it has shown nothing right.

        Raises as Strangers.body.
        """
        try:
            return await self._strangers.body(peer, body)
        except (TooSlow, ConnectionError):
            self._failures.add(peer)
            raise

    @property
    def _asks_in_headers(self) -> bool:
        return bool(self._door.tokens or self._door.users or self._door.signatures)

    async def _served(self, scope: Scope, receive: Receive, send: Send) -> Response | None:
        scope.get("state", {}).get("let_in", bool)()
        if self._open >= self._door.at_once:
            return self._refuse(scope, 503, "too many at once", again_s=AGAIN_S)
        wait_s = self._rate.wait_s()
        if wait_s:
            return self._refuse(scope, 429, "too often", again_s=wait_s)
        self._rate.take()
        self._let_in += 1
        self._open += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._open -= 1
        return None

    async def _served_once(self, id: str, scope: Scope, receive: Receive, send: _Answering) -> Response | None:
        """Answer a signed webhook; one that was answered before isn't given to the application again."""

        async def call() -> Answer:
            events: list[Message] = []

            async def keep(event: Message) -> None:
                events.append(event)

            refusal = await self._served(scope, receive, keep)
            if refusal is not None:
                await refusal(scope, receive, keep)
            return Answer(tuple(events))

        answer, _ = await self._replays.once(id, call)
        await answer.send(send)
        return None

    def _refuse(
        self, scope: Scope, status: int, why: str, *, again_s: float | None = None, close: bool = False
    ) -> Response:
        """Note that somebody was sent away. The answer says no more than its status."""
        peer = peer_of(scope)
        self._refused[why] += 1
        self._last = {"at": datetime.now(UTC).isoformat(), "peer": peer, "why": why}
        if self._clock() - self._logged_at >= LOG_EVERY_S:
            self._logged_at = self._clock()
            log.warning(
                "refused at a door", system=self._system, path=self.path, peer=peer, why=why, status=status,
                so_far=self._refused.total(),
            )  # fmt: skip
        refusal = PlainTextResponse(f"{status}\n", status)
        if again_s is not None:
            refusal.headers["retry-after"] = str(math.ceil(again_s))
        if close:
            refusal.headers["connection"] = "close"
        return refusal


class _Answering:
    """A `send` that knows whether an answer has begun."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.begun = False

    async def __call__(self, event: Message) -> None:
        self.begun = True
        await self._send(event)
