"""The flow map: which system says what to which, how much, and where it is stuck."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from fastapi import APIRouter, Request, Response

from mombus.desk.question import Nothing
from mombus.desk.status import STATUS
from mombus.web.asking import Ask, Asking
from mombus.web.drawing.flow_map import flow_map
from mombus.web.pages import rendering
from mombus.web.pages.menu import Entry

router = APIRouter()
WALL = 1.7
"""How much wider the map is on the wall, where letters are larger."""
ENTRY = Entry("Flow map", "/flows", icon="flows", order=30)


async def _render(request: Request, ask: Asking, template: str) -> str:
    status, wall = await ask(STATUS, Nothing()), "wall" in request.query_params
    return rendering.text(
        request, template, status=status, now=datetime.fromisoformat(status["at"]), wall=wall,
        map=flow_map(status["flows"], WALL if wall else 1), systems={row["name"]: row for row in status["systems"]},
    )  # fmt: skip


@router.get("/flows")
async def page(request: Request, ask: Ask) -> Response:
    """The page; with `?wall` for a display on the wall."""
    return Response(await _render(request, ask, "flows.html"), media_type="text/html")


@router.get("/flows/live")
async def live(request: Request, ask: Ask) -> Response:
    """Its live part."""
    return rendering.live(request, partial(_render, request, ask, "flows_live.html"))
