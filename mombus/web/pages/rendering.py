"""Templates, and pages that renew a part of themselves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

from fastapi.responses import HTMLResponse, StreamingResponse
from jinja2 import Environment, PackageLoader

from mombus import __version__
from mombus.desk.question import NoAnswerError
from mombus.web.asking import EVERYTHING
from mombus.web.words import age, clock, day, words

if TYPE_CHECKING:
    from fastapi import Request

REFRESH_S = 1.0

_templates = Environment(
    loader=PackageLoader("mombus.web"), autoescape=True, trim_blocks=True, lstrip_blocks=True
)  # fmt: skip
_templates.filters.update(age=age, clock=clock, day=day, words=words)


def text(request: Request, template: str, **shown: Any) -> str:
    """A template with what it shows, as HTML text."""
    return _templates.get_template(template).render(**_around(request), **shown)


def page(request: Request, template: str, *, status_code: int = 200, **shown: Any) -> HTMLResponse:
    """A whole page."""
    return HTMLResponse(text(request, template, **shown), status_code)


def _around(request: Request) -> dict[str, Any]:
    """What every page shows: where it is, of which site, and who looks at it."""
    state, person = request.app.state, getattr(request.state, "person", EVERYTHING)
    entries = [entry for entry in state.menu if entry.open_to(person)]
    return {
        "menu": entries, "here": request.url.path, "site": state.site, "version": __version__, "person": person,
    }  # fmt: skip


def live(request: Request, render: Callable[[], Awaitable[str]]) -> StreamingResponse:
    """A page's live part as server-sent events, whenever it has changed."""
    return StreamingResponse(_events(request, render), media_type="text/event-stream")


async def _events(request: Request, render: Callable[[], Awaitable[str]]) -> AsyncIterator[str]:
    """What is rendered, as it changes; an event `away` with the reason each time the hub has no answer."""
    before = ""
    while not await request.is_disconnected():
        try:
            now = await render()
        except NoAnswerError as error:
            before = ""
            yield _event(str(error), "away")
        else:
            yield ": still here\n\n" if now == before else _event(now)
            before = now
        await asyncio.sleep(REFRESH_S)


def _event(data: str, kind: str = "message") -> str:
    return f"event: {kind}\n" + "".join(f"data: {line}\n" for line in data.splitlines()) + "\n"
