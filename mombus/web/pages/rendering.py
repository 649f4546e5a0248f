"""Templates, and pages that renew a part of themselves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

from fastapi.responses import HTMLResponse, StreamingResponse
from jinja2 import Environment, PackageLoader

from mombus.web.words import age, clock, words

if TYPE_CHECKING:
    from fastapi import Request

REFRESH_S = 1.0

_templates = Environment(loader=PackageLoader("mombus.web"), autoescape=True, trim_blocks=True, lstrip_blocks=True)
_templates.filters.update(age=age, clock=clock, words=words)


def text(template: str, **shown: Any) -> str:
    """A template with what it shows, as HTML text."""
    return _templates.get_template(template).render(**shown)


def page(template: str, **shown: Any) -> HTMLResponse:
    """A whole page."""
    return HTMLResponse(text(template, **shown))


def live(request: Request, render: Callable[[], Awaitable[str]]) -> StreamingResponse:
    """A page's live part as server-sent events, whenever it has changed."""
    return StreamingResponse(_events(request, render), media_type="text/event-stream")


async def _events(request: Request, render: Callable[[], Awaitable[str]]) -> AsyncIterator[str]:
    before = ""
    while not await request.is_disconnected():
        now = await render()
        if now != before:
            before = now
            yield "".join(f"data: {line}\n" for line in now.splitlines()) + "\n"
        else:
            yield ": still here\n\n"
        await asyncio.sleep(REFRESH_S)
