"""The waiting room: what waits and why, and what people decide about it, one by one or all that is chosen."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from canonical.objects import CATALOGUE
from mombus.desk.bulk import (
    BULK,
    BULK_BEGIN,
    BULK_CANCEL,
    BULK_PREVIEW,
    BULK_RESULTS,
    Begin,
    BulkId,
    Cancel,
    Choice,
)
from mombus.desk.question import Nothing
from mombus.desk.sending import SEND, Send
from mombus.desk.systems import SYSTEMS
from mombus.desk.waiting import DO, WAITING, Chosen, Decision, Waits
from mombus.journal.bulk import Bulk
from mombus.journal.waiting import Wait
from mombus.web.asking import Ask, Asking
from mombus.web.forms import Form
from mombus.web.pages import rendering
from mombus.web.pages.deeds import after, asked_for, back
from mombus.web.pages.menu import Entry

router = APIRouter()
ENTRY = Entry("Waiting", "/waiting", icon="waiting", order=50)
CHOSEN = tuple(Chosen.model_fields)
MANY = ("retry", "release", "hold", "skip", "sent", "not_sent")


async def _render(request: Request, ask: Asking, template: str) -> str:
    asked = asked_for(Waits, request.query_params)
    chosen = {name: request.query_params.get(name, "") for name in CHOSEN}
    page, systems = await ask(WAITING, asked), await ask(SYSTEMS, Nothing())
    return rendering.text(
        request, template, page=page, now=datetime.now(UTC), chosen=chosen, filtered=any(chosen.values()),
        kinds=list(Wait), systems=[row["name"] for row in systems], objects=sorted(CATALOGUE), commands=MANY,
        DO=DO, SEND=SEND, BULK_BEGIN=BULK_BEGIN,
        where=f"/waiting?{request.url.query}" if request.url.query else "/waiting",
        query=urlencode({name: said for name, said in request.query_params.items() if name != "after"}),
    )  # fmt: skip


@router.get("/waiting")
async def page(request: Request, ask: Ask) -> Response:
    """The page; the filter and where it goes on are in its address."""
    return Response(await _render(request, ask, "waiting.html"), media_type="text/html")


@router.get("/waiting/live")
async def live(request: Request, ask: Ask) -> Response:
    """Its live part."""
    return rendering.live(request, partial(_render, request, ask, "waiting_live.html"))


@router.post("/waiting/do")
async def decide(request: Request, ask: Ask, fields: Form) -> Response:
    """Decide about one."""
    done = await ask(DO, asked_for(Decision, fields))
    return after(request, done, back(fields, "/waiting"), fields.get("about", ""))


@router.post("/waiting/send")
async def send(request: Request, ask: Ask, fields: Form) -> Response:
    """Send the message to one system."""
    wanted = asked_for(Send, fields)
    begun = await ask(SEND, wanted)
    text = f"replay {begun['id']} sends it to {wanted.to}"
    return after(request, {"ok": True, "text": text}, back(fields, "/waiting"), fields.get("about", ""))


@router.get("/waiting/bulk")
async def preview(request: Request, ask: Ask) -> Response:
    """What would be done to how many, before it is."""
    wanted = asked_for(Choice, request.query_params)
    return rendering.page(
        request, "bulk_preview.html", preview=await ask(BULK_PREVIEW, wanted), wanted=_said(wanted),
        BULK_BEGIN=BULK_BEGIN, where=back(request.query_params, "/waiting"),
    )  # fmt: skip


@router.post("/waiting/bulk")
async def begin(ask: Ask, fields: Form) -> Response:
    """Do it to all that is chosen, and look how far it is."""
    action = await ask(BULK_BEGIN, asked_for(Begin, fields))
    came_from = urlencode({"back": back(fields, "/waiting")})
    return rendering.done(f"/waiting/bulk/{action['id']}?{came_from}")


@router.get("/waiting/actions")
async def actions(request: Request, ask: Ask) -> Response:
    """What was done to many at once."""
    return rendering.page(request, "bulk_list.html", actions=await ask(BULK, Nothing()))


async def _progress(request: Request, ask: Asking, id: str, template: str) -> str:
    action = await ask(BULK_RESULTS, BulkId(id=id[:32]))
    where = back(request.query_params, "/waiting")
    return rendering.text(request, template, action=action, where=where, BULK_CANCEL=BULK_CANCEL)


@router.get("/waiting/bulk/{id}")
async def progress(request: Request, ask: Ask, id: str) -> Response:
    """How far it is, and what each thing got."""
    return Response(await _progress(request, ask, id, "bulk.html"), media_type="text/html")


@router.get("/waiting/bulk/{id}/live")
async def progress_live(request: Request, ask: Ask, id: str) -> Response:
    """Its live part."""
    return rendering.live(request, partial(_progress, request, ask, id, "bulk_live.html"))


@router.post("/waiting/bulk/{id}/cancel")
async def cancel(request: Request, ask: Ask, id: str, fields: Form) -> Response:
    """Do nothing more of it."""
    action = await ask(BULK_CANCEL, asked_for(Cancel, fields, id=id))
    said = "Cancelled." if action["state"] == Bulk.CANCELLED else "All of it was done already: nothing is cancelled."
    return rendering.told(request, f"/waiting/bulk/{id}", said)


def _said(wanted: Choice) -> dict[str, Any]:
    return wanted.model_dump(mode="json", exclude_none=True)
