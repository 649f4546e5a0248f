"""Journeys."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from mombus.desk.journey import JOURNEY, Number
from mombus.web.asking import Ask

router = APIRouter(prefix="/api", tags=["journey"])


@router.get("/journey/{number:path}")
async def journey(ask: Ask, number: str) -> list[dict[str, Any]]:
    """Every hop of an order, lot or document, in time order."""
    return list(await ask(JOURNEY, Number(number=number)))
