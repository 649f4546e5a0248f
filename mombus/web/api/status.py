"""How it goes."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from mombus.desk.night import NIGHT, Night
from mombus.desk.question import Nothing
from mombus.desk.status import STATUS, Status
from mombus.web.api.refused import REFUSED
from mombus.web.asking import Ask

router = APIRouter(prefix="/api", tags=["status"], responses=REFUSED)


@router.get("/status", response_model=Status)
async def status(ask: Ask) -> Any:
    """Systems, flows, what waits, the last messages."""
    return await ask(STATUS, Nothing())


@router.get("/night", response_model=Night)
async def night(ask: Ask) -> Any:
    """What the night shift needs to know: a line for each flow, what is stuck, what was handed over."""
    return await ask(NIGHT, Nothing())
