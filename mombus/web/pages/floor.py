"""The shop floor: KPIs, stops by their weight, shifts by equipment, and a lot's origin and use."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Request, Response

from mombus.desk import floor
from mombus.web.asking import Ask
from mombus.web.drawing.floor import gantt, graph
from mombus.web.pages import rendering
from mombus.web.pages.deeds import asked_for
from mombus.web.pages.menu import Entry

if TYPE_CHECKING:
    from collections.abc import Mapping

router = APIRouter()
NARROWING = ("equipment", "reason", "category", "kind", "size")
"""What of the stops is looked at."""
ENTRY = Entry("KPIs", "/kpi", icon="kpi", order=80)


@router.get("/kpi")
async def kpis(request: Request, ask: Ask) -> Response:
    """KPIs as they were stated."""
    found = await ask(floor.KPIS, asked_for(floor.Span, request.query_params))
    return _page(request, "kpi.html", found, found=found, tab="/kpi")


@router.get("/kpi/downtime")
async def downtime(request: Request, ask: Ask) -> Response:
    """Stops by reason, category and equipment."""
    found = await ask(floor.DOWNTIMES, asked_for(floor.Stops, request.query_params))
    bars = {name: found[f"by_{name}"] for name in ("reason", "equipment", "category", "kind")}
    narrowed = [name for name in NARROWING if request.query_params.get(name)]
    return _page(request, "downtime.html", found, found=found, bars=bars, narrowed=narrowed, tab="/kpi/downtime")


@router.get("/kpi/value/{id}")
async def kpi(request: Request, ask: Ask, id: str) -> Response:
    """One KPI with what it stands on."""
    found = await ask(floor.KPI, asked_for(floor.KpiAsked, {"id": id}))
    return rendering.page(request, "kpi_value.html", found=found, row=found["row"], tab="", query="")


@router.get("/kpi/shift")
async def shift(request: Request, ask: Ask) -> Response:
    """A lane for each piece of equipment."""
    found = await ask(floor.SHIFT, asked_for(floor.Span, request.query_params))
    chosen = found["period"]["shift"] or any(request.query_params.get(name) for name in ("since", "until"))
    drawn = gantt(found, rendering.zone_of(request), fit=not chosen)
    return _page(request, "shift.html", found, found=found, drawn=drawn, tab="/kpi/shift")


@router.get("/genealogy")
async def search(request: Request) -> Response:
    """Where a lot is asked for."""
    lot = request.query_params.get("lot", "").strip()
    if lot:
        return rendering.done(f"/genealogy/{quote(lot, safe='')}")
    return rendering.page(request, "genealogy.html", found=None, lot="", drawn=None, tab="/genealogy", query="")


@router.get("/genealogy/{lot:path}")
async def genealogy(request: Request, ask: Ask, lot: str) -> Response:
    """A lot's origin and use."""
    found = await ask(floor.GENEALOGY, asked_for(floor.Lot, request.query_params, lot=lot))
    return rendering.page(
        request, "genealogy.html", found=found, lot=lot, drawn=graph(found), tab="/genealogy", query=""
    )  # fmt: skip


def _page(request: Request, template: str, answer: Mapping[str, Any], **shown: Any) -> Response:
    period, params = answer["period"], request.query_params
    said = {name: value for name, value in params.items() if value}
    query = urlencode(said)

    def but(**other: str | None) -> str:
        """The query with something else in it, or without it."""
        return urlencode({name: value for name, value in {**said, **other}.items() if value})

    return rendering.page(
        request, template, period=period, query=query, but=but, asked=params,
        now=datetime.fromisoformat(period["at"]), **shown,
    )  # fmt: skip
