"""Changing the configuration: only to what the files say that the hub was started from. Nothing is read from here."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from mombus.desk.planning import APPLY, CHANGED, PLAN, Apply, Changed, MaybeSalted, Planned
from mombus.desk.question import Nothing
from mombus.web.api.refused import REFUSED
from mombus.web.asking import Ask

router = APIRouter(prefix="/api/plan", tags=["plan"], responses=REFUSED)


@router.get("", response_model=Planned)
async def plan(ask: Ask) -> Any:
    """What the hub's files would change now."""
    return await ask(PLAN, MaybeSalted())


@router.post("/apply", status_code=202, response_model=Changed)
async def apply(ask: Ask, asked: Apply) -> Any:
    """Begin to take over what the hub's files say now."""
    return await ask(APPLY, asked)


@router.get("/apply", response_model=Changed)
async def changed(ask: Ask) -> Any:
    """How the last change goes, or went."""
    return await ask(CHANGED, Nothing())
