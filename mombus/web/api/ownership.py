"""Who owns what."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from mombus.desk.ownership import LATE, OWNERSHIP, LateAsked, LateOnes, Matrix
from mombus.desk.question import Nothing
from mombus.web.api.refused import REFUSED
from mombus.web.asking import Ask
from mombus.web.tables import CSV, OWNERSHIP_COLUMNS, csv_of, ownership_lines

router = APIRouter(prefix="/api", tags=["ownership"], responses=REFUSED)


@router.get("/ownership")
async def ownership(ask: Ask) -> Matrix:
    """Every declared object by system: owner, consumers, promises kept or late, traffic, violations."""
    return Matrix.model_validate(await ask(OWNERSHIP, Nothing()))


@router.get("/ownership/late")
async def late(ask: Ask, asked: Annotated[LateAsked, Query()]) -> LateOnes:
    """The handovers of an object to a system that were late in the last day."""
    return LateOnes.model_validate(await ask(LATE, asked))


@router.get("/ownership.csv", response_class=Response, responses=CSV)
async def ownership_csv(ask: Ask) -> Response:
    """The same as a table, one line for each object and system that has to do with it."""
    return csv_of("ownership", ownership_lines(await ask(OWNERSHIP, Nothing())), OWNERSHIP_COLUMNS)
