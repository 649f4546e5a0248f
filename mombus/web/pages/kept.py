"""What came in and couldn't be taken: looked at, tried again, or dealt with."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from mombus.desk.bulk import BULK_BEGIN
from mombus.desk.kept import DO_KEPT, KEPT, KEPT_ITEM, KeptDecision, KeptItem, KeptItems
from mombus.desk.question import Nothing
from mombus.desk.systems import SYSTEMS
from mombus.journal.parked import Parked
from mombus.web.asking import Ask
from mombus.web.forms import Form
from mombus.web.pages import rendering
from mombus.web.pages.deeds import after, asked_for, back

router = APIRouter()
CHOSEN = ("system", "kind", "reason", "older")


@router.get("/waiting/kept")
async def page(request: Request, ask: Ask) -> Response:
    """The page; the filter and where it goes on are in its address."""
    asked = asked_for(KeptItems, request.query_params)
    chosen = {name: request.query_params.get(name, "") for name in CHOSEN}
    systems = await ask(SYSTEMS, Nothing())
    shown: dict[str, Any] = {"systems": [row["name"] for row in systems], "kinds": list(Parked)}
    return rendering.page(
        request, "kept.html", page=await ask(KEPT, asked), chosen=chosen, filtered=any(chosen.values()),
        DO_KEPT=DO_KEPT, BULK_BEGIN=BULK_BEGIN, where=_where(request), **shown,
    )  # fmt: skip


def _where(request: Request) -> str:
    return f"/waiting/kept?{request.url.query}" if request.url.query else "/waiting/kept"


@router.get("/waiting/kept/{id}")
async def item(request: Request, ask: Ask, id: str) -> Response:
    """One item with more of its content."""
    found = await ask(KEPT_ITEM, asked_for(KeptItem, {"id": id}))
    return rendering.page(request, "kept_item.html", item=found, DO_KEPT=DO_KEPT)


@router.post("/waiting/kept/do")
async def decide(request: Request, ask: Ask, fields: Form) -> Response:
    """Decide about one."""
    done = await ask(DO_KEPT, asked_for(KeptDecision, fields))
    return after(request, done, back(fields, "/waiting/kept"), fields.get("about", ""))
