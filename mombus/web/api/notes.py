"""What one shift hands over to the next."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from mombus.desk.notes import CLOSE, HAND_OVER, NOTES, TAKE_OVER, Close, HandOver, Note, Notes, TakeOver
from mombus.web.api.deeds import Why
from mombus.web.api.refused import REFUSED
from mombus.web.asking import Ask

router = APIRouter(prefix="/api/notes", tags=["notes"], responses=REFUSED)

Id = Annotated[str, Path(min_length=1, max_length=32, pattern="^[0-9a-f]+$", description="The note's id.")]


@router.get("", response_model=list[Note])
async def notes(ask: Ask, asked: Annotated[Notes, Query()]) -> Any:
    """The newest notes."""
    return await ask(NOTES, asked)


@router.post("", response_model=Note)
async def hand_over(ask: Ask, said: HandOver) -> Any:
    """Leave a note."""
    return await ask(HAND_OVER, said)


@router.post("/{id}/take", response_model=Note)
async def take_over(ask: Ask, id: Id, said: Why) -> Any:
    """See to it."""
    return await ask(TAKE_OVER, TakeOver(id=id, why=said.why))


@router.post("/{id}/close", response_model=Note)
async def close(ask: Ask, id: Id, said: Why) -> Any:
    """It is dealt with."""
    return await ask(CLOSE, Close(id=id, why=said.why))
