"""The first page: how it goes, what is stuck, and what to do."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from fastapi import APIRouter, Request, Response

from mombus.desk.question import Nothing
from mombus.desk.status import STATUS
from mombus.web.asking import Ask, Asking
from mombus.web.pages import rendering
from mombus.web.pages.menu import Entry

router = APIRouter()
ENTRY = Entry("Night shift", "/", icon="moon", order=10)


async def _render(request: Request, ask: Asking, template: str) -> str:
    status = await ask(STATUS, Nothing())
    now = datetime.fromisoformat(status["at"])
    return rendering.text(request, template, status=status, now=now, wall="wall" in request.query_params)


@router.get("/")
async def page(request: Request, ask: Ask) -> Response:
    """The page; with `?wall` in large type and without controls, for a display on the wall."""
    return Response(await _render(request, ask, "night.html"), media_type="text/html")


@router.get("/live")
async def live(request: Request, ask: Ask) -> Response:
    """Its live part."""
    return rendering.live(request, partial(_render, request, ask, "night_live.html"))
