"""Disagreements."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from mombus.desk.disagreements import DISAGREEMENTS
from mombus.desk.question import Nothing
from mombus.web.asking import Ask

router = APIRouter(prefix="/api", tags=["disagreements"])


@router.get("/disagreements")
async def disagreements(ask: Ask) -> list[dict[str, Any]]:
    """Open disagreements: who says what, since when."""
    return list(await ask(DISAGREEMENTS, Nothing()))
