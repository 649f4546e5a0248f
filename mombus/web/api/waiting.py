"""What waits."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from mombus.desk.waiting import WAITING, Target
from mombus.web.asking import Ask

router = APIRouter(prefix="/api", tags=["waiting"])


@router.get("/waiting")
async def waiting(ask: Ask, target: str | None = None) -> list[dict[str, Any]]:
    """What waits, with reason and age."""
    return list(await ask(WAITING, Target(target=target)))
