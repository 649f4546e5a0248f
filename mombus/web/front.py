"""The application that is asked now, in front of the one behind it, which may be changed for another.

While there is none, requests wait a little for it: whoever calls at a door hears no more than a longer answer. Only
then they are told to come again.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from starlette.responses import PlainTextResponse

from mombus.delivery.breaking import break_off

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

PATIENCE_S = 10.0
"""How long a request waits for an application."""
RETRY_AFTER_S = 2


class Front:
    """An ASGI application that passes everything on."""

    def __init__(self) -> None:
        self._app: ASGIApp | None = None
        self._there = asyncio.Event()
        self._answering: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        app = self._app or await self._next()
        if app is None:
            later = PlainTextResponse(
                "503: the hub takes over another configuration\n", 503, {"retry-after": str(RETRY_AFTER_S)}
            )  # fmt: skip
            await later(scope, receive, send)
            return
        await self._pass_on(app, scope, receive, send)

    def open(self, app: ASGIApp) -> None:
        """From now on `app` answers."""
        self._app = app
        self._there.set()

    async def close(self, within_s: float) -> None:
        """Nobody answers any more. What is being answered is finished within that time; what streams is ended."""
        self._app = None
        self._there.clear()
        if self._answering:
            await asyncio.wait(set(self._answering), timeout=within_s)
        await break_off(*self._answering)

    async def _next(self) -> ASGIApp | None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._there.wait()
        except TimeoutError:
            return None
        return self._app

    async def _pass_on(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer in a task of its own, so that it can be ended without ending the connection's."""
        begun = asyncio.Event()
        ended = False

        async def told(message: Message) -> None:
            nonlocal ended
            begun.set()
            ended = message["type"] == "http.response.body" and not message.get("more_body", False)
            await send(message)

        async def run() -> None:
            await app(scope, receive, told)

        task = asyncio.create_task(run())
        self._answering.add(task)
        try:
            await asyncio.wait({task})
        finally:
            self._answering.discard(task)
            await break_off(task)
        if not task.cancelled():
            task.result()
        elif not ended:
            await _ended_early(scope, receive, send, begun=begun.is_set())


async def _ended_early(scope: Scope, receive: Receive, send: Send, *, begun: bool) -> None:
    """A stream ends as if it were over: who reads it asks again."""
    if begun:
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        return
    again = PlainTextResponse("503: ask again\n", 503, {"retry-after": str(RETRY_AFTER_S)})
    await again(scope, receive, send)
