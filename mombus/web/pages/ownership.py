"""The ownership matrix: object by system."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter, Request, Response

from mombus.desk.ownership import LATE, OWNERSHIP, LateAsked
from mombus.desk.question import Nothing
from mombus.web.asking import Ask
from mombus.web.pages import rendering
from mombus.web.pages.deeds import asked_for
from mombus.web.pages.menu import Entry

router = APIRouter()
ENTRY = Entry("Ownership", "/ownership", icon="ownership", order=70)


@router.get("/ownership")
async def page(request: Request, ask: Ask) -> Response:
    """The page; with `?broken` only objects with a promise that is late or something said that isn't one's own."""
    matrix = await ask(OWNERSHIP, Nothing())
    broken = "broken" in request.query_params
    rows = [row for row in matrix["rows"] if not broken or _is_broken(row)]
    return rendering.page(
        request, "ownership.html", matrix=matrix, rows=rows, broken=broken,
        now=datetime.fromisoformat(matrix["at"]), unused=[row["object"] for row in matrix["rows"] if row["unused"]],
        cells={row["object"]: {cell["system"]: cell for cell in row["cells"]} for row in rows},
    )  # fmt: skip


@router.get("/ownership/late")
async def late(request: Request, ask: Ask) -> Response:
    """What was late of an object at a system."""
    found = await ask(LATE, asked_for(LateAsked, request.query_params))
    return rendering.page(request, "ownership_late.html", found=found)


def _is_broken(row: dict[str, object]) -> bool:
    cells: list[dict[str, object]] = row["cells"]  # type: ignore[assignment]
    return any(
        cell["violations"] or any(one["late"] or one["overdue"] for one in cell["promises"])  # type: ignore[attr-defined]
        for cell in cells
    )
