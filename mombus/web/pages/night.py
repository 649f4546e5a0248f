"""The first page: how it goes, what is stuck, what was handed over, and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response

from mombus.desk.bulk import BULK_BEGIN
from mombus.desk.night import NIGHT
from mombus.desk.notes import CLOSE, HAND_OVER, TAKE_OVER, Close, HandOver, TakeOver
from mombus.desk.question import Nothing
from mombus.web.asking import Ask, Asking
from mombus.web.forms import Form
from mombus.web.pages import rendering
from mombus.web.pages.deeds import asked_for
from mombus.web.pages.menu import Entry

router = APIRouter()
ENTRY = Entry("Night shift", "/", icon="moon", order=10)


async def _render(request: Request, ask: Asking, template: str) -> str:
    night = await ask(NIGHT, Nothing())
    return rendering.text(request, template, night=night, wall=_on_wall(request), BULK_BEGIN=BULK_BEGIN, CLOSE=CLOSE)


@router.get("/")
async def page(request: Request, ask: Ask) -> Response:
    """The page; with `?wall` in large type and without controls, for a display on the wall."""
    return Response(await _render(request, ask, "night.html"), media_type="text/html")


@router.get("/live")
async def live(request: Request, ask: Ask) -> Response:
    """Its live part."""
    template = "night_wall.html" if _on_wall(request) else "night_live.html"
    return rendering.live(request, partial(_render, request, ask, template))


def _on_wall(request: Request) -> bool:
    return "wall" in request.query_params


@router.post("/notes")
async def hand_over(request: Request, ask: Ask, fields: Form) -> Response:
    """Leave a note."""
    note = await ask(HAND_OVER, asked_for(HandOver, fields))
    return rendering.told(request, "/", f"Handed over to {note['to'] or 'whoever comes'}.")


@router.post("/notes/take")
async def take_over(request: Request, ask: Ask, fields: Form) -> Response:
    """See to what somebody handed over."""
    note = await ask(TAKE_OVER, asked_for(TakeOver, fields, why="taken over"))
    return rendering.told(request, "/", _closed(note) or "It is yours now.")


@router.post("/notes/close")
async def close(request: Request, ask: Ask, fields: Form) -> Response:
    """It is dealt with."""
    note = await ask(CLOSE, asked_for(Close, fields))
    return rendering.told(request, "/", _closed(note))


def _closed(note: Mapping[str, Any]) -> str:
    """Who dealt with it and how, who did so before as well; empty if nobody did."""
    return f"Closed by {note['closed_by']}: {note['how']}." if note["closed"] else ""
