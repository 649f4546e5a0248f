"""The first page: how it goes, what is stuck, and what to do."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter, Request, Response

from mombus.desk.question import Nothing
from mombus.desk.status import STATUS
from mombus.web.asking import Ask, Asking
from mombus.web.pages import rendering

router = APIRouter()


async def _render(ask: Asking, template: str) -> str:
    status = await ask(STATUS, Nothing())
    return rendering.text(template, status=status, now=datetime.fromisoformat(status["at"]))


@router.get("/")
async def page(ask: Ask) -> Response:
    """The page."""
    return Response(await _render(ask, "page.html"), media_type="text/html")


@router.get("/live")
async def live(request: Request, ask: Ask) -> Response:
    """Its live part."""
    return rendering.live(request, lambda: _render(ask, "flows.html"))
