"""The shop floor as it stands on the bus."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from mombus.desk import floor
from mombus.web.api.refused import REFUSED
from mombus.web.asking import Ask
from mombus.web.tables import CSV, csv_of

router = APIRouter(prefix="/api", tags=["floor"], responses=REFUSED)
Span = Annotated[floor.Span, Query()]
Stops = Annotated[floor.Stops, Query()]
KpiId = Annotated[str, Path(min_length=1, max_length=200, description="The id of a message that states it.")]
LotId = Annotated[str, Path(min_length=1, max_length=250, description="The lot's id.")]
Depth = Annotated[int, Query(ge=1, le=10, description="So many steps of work in each direction.")]


@router.get("/downtime")
async def downtime(ask: Ask, span: Stops) -> floor.Downtimes:
    """What stood still, why and for how long."""
    return floor.Downtimes.model_validate(await ask(floor.DOWNTIMES, span))


@router.get("/downtime.csv", response_class=Response, responses=CSV)
async def downtime_csv(ask: Ask, span: Stops) -> Response:
    """The stops as a table."""
    return csv_of("downtime", (await ask(floor.DOWNTIMES, span))["stops"], list(floor.Stop.model_fields))


@router.get("/shift")
async def shift(ask: Ask, span: Span) -> floor.ShiftPlan:
    """What went on at each piece of equipment."""
    return floor.ShiftPlan.model_validate(await ask(floor.SHIFT, span))


@router.get("/shift.csv", response_class=Response, responses=CSV)
async def shift_csv(ask: Ask, span: Span) -> Response:
    """The same as a table, one line for each stop and each piece of work."""
    found = (await ask(floor.SHIFT, span))["lanes"]
    lines = ({"equipment": lane["equipment"], **one} for lane in found for one in lane["stretches"])
    return csv_of("shift", lines, ["equipment", *floor.Stretch.model_fields])


@router.get("/kpi")
async def kpis(ask: Ask, span: Span) -> floor.Kpis:
    """KPIs that were stated on the bus."""
    return floor.Kpis.model_validate(await ask(floor.KPIS, span))


@router.get("/kpi.csv", response_class=Response, responses=CSV)
async def kpis_csv(ask: Ask, span: Span) -> Response:
    """The same as a table."""
    rows = (await ask(floor.KPIS, span))["rows"]
    lines = ({**row, "findings": "; ".join(row["findings"])} for row in rows)
    return csv_of("kpi", lines, list(floor.KpiRow.model_fields))


@router.get("/kpi/{id}")
async def kpi(ask: Ask, id: KpiId) -> floor.KpiDetail:
    """One KPI with the events that it stands on, and what it may not know."""
    return floor.KpiDetail.model_validate(await ask(floor.KPI, floor.KpiAsked(id=id)))


@router.get("/genealogy/{lot:path}")
async def genealogy(ask: Ask, lot: LotId, depth: Depth = 4) -> floor.Genealogy:
    """Where a lot comes from and where it went."""
    return floor.Genealogy.model_validate(await ask(floor.GENEALOGY, floor.Lot(lot=lot, depth=depth)))
