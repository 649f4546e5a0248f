"""What came in and couldn't be taken."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query

from mombus.desk.kept import DO_KEPT, KEPT, KEPT_ITEM, Glimpse, KeptDecision, KeptItem, KeptItems, KeptPage
from mombus.desk.waiting import Done
from mombus.web.api.deeds import REFUSED_DEED, Why, done
from mombus.web.asking import Ask

router = APIRouter(prefix="/api", tags=["kept"], responses=REFUSED_DEED)

Id = Annotated[str, Path(min_length=1, max_length=64, description="The item's id, or the beginning of it.")]


@router.get("/kept", response_model=KeptPage)
async def kept(ask: Ask, asked: Annotated[KeptItems, Query()]) -> Any:
    """What is kept, of each the beginning, page by page in the order it came."""
    return await ask(KEPT, asked)


@router.get("/kept/{id}", response_model=Glimpse)
async def item(ask: Ask, id: Id) -> Any:
    """One item, with more of its content."""
    return await ask(KEPT_ITEM, KeptItem(id=id))


@router.post("/kept/{id}/{command}", response_model=Done)
async def decide(ask: Ask, id: Id, command: Literal["take", "dismiss"], said: Why) -> Any:
    """Try an item again, or say that it is dealt with. 409 says why it changed nothing."""
    return done(await ask(DO_KEPT, KeptDecision(command=command, id=id, why=said.why)))
