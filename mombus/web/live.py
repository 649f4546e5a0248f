"""Live parts of pages: asked for once a second for all who look at the same with the same roles, while anybody does.

What is rendered is the same for all of them but for the token of their forms: that is put in for each (`TOKEN`).
"""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from contextlib import aclosing, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from mombus.bus.commands import UnknownNameError
from mombus.delivery.breaking import break_off
from mombus.desk.question import NoAnswerError, QuestionError
from mombus.web.access.visiting import visit_of
from mombus.web.limits import peer_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Hashable, Iterator

    from starlette.requests import Request

    from mombus.web.access.visiting import Visit

REFRESH_S = 1.0
AGAIN_S = 10
MOST, MOST_FROM, MOST_OF_ONE = 400, 80, 20
"""Streams of this process, of one address, and of one browser: fewer than it takes connections (listener.py), so that
pages are still loaded.
"""
ALL = "all"
ENDED = "your session has ended, load this page again"
TOKEN = secrets.token_hex(32)
"""Stands for the token of a form in what is rendered for several. Nothing that is shown can say it."""

Render: TypeAlias = "Callable[[], Awaitable[str]]"


class Said(NamedTuple):
    """What a live part says: `away` is the reason why there is no answer."""

    text: str
    away: bool = False


class Live:
    """The live parts of one application that somebody looks at, and how many do."""

    def __init__(self) -> None:
        self._parts: dict[Hashable, _Part] = {}
        self._places: Counter[str] = Counter()

    @contextmanager
    def place(self, request: Request) -> Iterator[str]:
        """A place for one stream; why there is none, else empty."""
        address = request.scope["state"].get("comes_from") or peer_of(request.scope)
        browser = visit_of(request).shown
        places = Counter([ALL, f"from {address}", *([f"of {browser}"] if browser else [])])
        reason = self._full(*places)
        if reason:
            yield reason
            return
        self._places += places
        try:
            yield ""
        finally:
            self._places -= places

    def _full(self, everybody: str, address: str, browser: str = "") -> str:
        if self._places[browser] >= MOST_OF_ONE:
            return f"{MOST_OF_ONE} live pages are open in this browser, which is all it gets: close some"
        for places, most, where in ((everybody, MOST, ""), (address, MOST_FROM, " from your address")):
            if self._places[places] >= most:
                return f"{most} live pages are open{where}, which is all the hub keeps: load this one again to see more"
        return ""

    async def look(self, what: Hashable, render: Render) -> AsyncGenerator[Said, None]:
        """What it says, again and again, first as it is now: by the `render` of the first of all who look at it."""
        async with self._joined(what, render) as part:
            number = 0
            while True:
                number = await part.after(number)
                yield part.said

    @asynccontextmanager
    async def _joined(self, what: Hashable, render: Render) -> AsyncIterator[_Part]:
        part = self._parts.get(what)
        if part is None:
            part = self._parts[what] = _Part(render)
        part.viewers += 1
        try:
            yield part
        finally:
            part.viewers -= 1
            if not part.viewers:
                del self._parts[what]
                await part.end()


class _Part:
    """One of them, rendered from when it is made until it ends."""

    def __init__(self, render: Render) -> None:
        self.viewers = 0
        self.said = Said("")
        self._number = 0
        self._news = asyncio.Event()
        self._running = asyncio.create_task(self._run(render), name="live part")
        self._running.add_done_callback(lambda _: self._news.set())

    async def after(self, number: int) -> int:
        """Once it has said something after that, the number of what it says now. Raises what made it end."""
        while self._number <= number:
            await self._news.wait()
            if self._running.done():
                self._running.result()
        return self._number

    async def end(self) -> None:
        """Nobody looks any more."""
        await break_off(self._running)

    async def _run(self, render: Render) -> None:
        while True:
            try:
                self.said = Said(await render())
            except (NoAnswerError, QuestionError, UnknownNameError) as error:
                self.said = Said(str(error), away=True)
            self._number += 1
            news, self._news = self._news, asyncio.Event()
            news.set()
            await asyncio.sleep(REFRESH_S)


async def events(live: Live, request: Request, what: Hashable, render: Render) -> AsyncIterator[str]:
    """What is rendered, as it changes, as server-sent events; `away` with the reason each time there is no answer.

    It ends when whoever looks at it wouldn't be let in any more, and says so.
    """
    visit, before = visit_of(request), Said("")
    with live.place(request) as full:
        if full:
            yield f"retry: {AGAIN_S * 1000}\n{_event(full, 'away')}"
            return
        async with aclosing(live.look(what, render)) as saying:
            async for said in saying:
                if await request.is_disconnected():
                    return
                if not await _holds(visit):
                    yield _event(ENDED, "away")
                    return
                unchanged = said == before and not said.away
                yield ": still here\n\n" if unchanged else _event(*_shown(said, visit))
                before = said


async def _holds(visit: Visit) -> bool:
    """Whether they would still be let in; who can't be asked about now is told by what is said."""
    try:
        return await visit.holds()
    except NoAnswerError:
        return True


def _shown(said: Said, visit: Visit) -> tuple[str, str]:
    if said.away:
        return said.text, "away"
    return said.text.replace(TOKEN, visit.csrf), "message"


def _event(data: str, kind: str) -> str:
    return f"event: {kind}\n" + "".join(f"data: {line}\n" for line in data.splitlines()) + "\n"
