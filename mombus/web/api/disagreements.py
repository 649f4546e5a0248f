"""Disagreements, what is decided about them, and requests that wait for an answer."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from mombus.desk import disagreements as desk
from mombus.desk.question import Nothing
from mombus.web.api.refused import REFUSED
from mombus.web.asking import Ask

router = APIRouter(prefix="/api", tags=["disagreements"], responses=REFUSED)
Number = Annotated[int, Path(ge=1, le=desk.MOST_NUMBER, description="The disagreement's number.")]


@router.get("/disagreements")
async def disagreements(ask: Ask, wanted: Annotated[desk.Wanted, Query()]) -> desk.Listed:
    """Who says otherwise than the owner, what and since when; the newest first."""
    return desk.Listed.model_validate(await ask(desk.DISAGREEMENTS, wanted))


@router.get("/disagreements/{number}")
async def disagreement(ask: Ask, number: Number) -> desk.Shown:
    """One of them side by side, with what may be decided about it."""
    return desk.Shown.model_validate(await ask(desk.SHOW, desk.Number(number=number)))


@router.post("/disagreements/decide")
async def decide(ask: Ask, decision: desk.Decide) -> desk.Done:
    """Adopt, overrule or tolerate one, as its process owner."""
    return desk.Done.model_validate(await ask(desk.DECIDE, decision))


@router.get("/requests")
async def requests(ask: Ask) -> desk.Requests:
    """Who waits for whose answer."""
    return desk.Requests.model_validate(await ask(desk.REQUESTS, Nothing()))
