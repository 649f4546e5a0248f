"""Journeys."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from mombus.desk.journey import JOURNEY, Journey, Number
from mombus.web.api.refused import REFUSED
from mombus.web.asking import Ask

router = APIRouter(prefix="/api", tags=["journey"], responses=REFUSED)


@router.get("/journey/{number:path}")
async def journey(ask: Ask, number: Annotated[str, Path(min_length=1, max_length=250)]) -> Journey:
    """Every hop of an order, lot, piece of equipment or document, in time order."""
    return Journey.model_validate(await ask(JOURNEY, Number(number=number)))
