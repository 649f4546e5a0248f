"""How it goes."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from mombus.desk.question import Nothing
from mombus.desk.status import STATUS
from mombus.web.asking import Ask

router = APIRouter(prefix="/api", tags=["status"])


@router.get("/status")
async def status(ask: Ask) -> dict[str, Any]:
    """Systems, flows, what waits, the last messages."""
    return dict(await ask(STATUS, Nothing()))
