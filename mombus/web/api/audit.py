"""The audit trail."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from mombus.desk import audit as desk
from mombus.web.api.refused import REFUSED
from mombus.web.asking import Ask

router = APIRouter(prefix="/api", tags=["audit"], responses=REFUSED)


@router.get("/audit")
async def deeds(ask: Ask, wanted: Annotated[desk.Wanted, Query()]) -> list[desk.DeedRow]:
    """What people did and what was refused to them, the newest first."""
    return [desk.DeedRow.model_validate(row) for row in await ask(desk.AUDIT, wanted)]


@router.get("/audit/verify")
async def verify(ask: Ask, asked: Annotated[desk.Verify, Query()]) -> desk.Verdict:
    """Whether any row was changed, removed or put in. Reads all of them."""
    return desk.Verdict.model_validate(await ask(desk.VERIFY, asked))
