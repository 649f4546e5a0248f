"""Saved searches."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from mombus.desk.messages import MessageFilter
from mombus.desk.searches import (
    SEARCHES_DELETE,
    SEARCHES_LIST,
    SEARCHES_SAVE,
    SavedSearch,
    SearchDelete,
    SearchesList,
    SearchName,
    SearchSave,
)
from mombus.web.api.refused import REFUSED
from mombus.web.asking import Ask

router = APIRouter(prefix="/api", tags=["messages"], responses=REFUSED)


class Kept(BaseModel):
    """What is kept under a name."""

    model_config = ConfigDict(extra="forbid")

    search: MessageFilter
    shared: bool = Field(default=False, description="Everybody sees it.")


@router.get("/searches", response_model=list[SavedSearch])
async def searches(ask: Ask) -> Any:
    """One's own searches, then those that others share."""
    return await ask(SEARCHES_LIST, SearchesList())


@router.put("/searches/{name}", response_model=SavedSearch)
async def save(ask: Ask, name: Annotated[SearchName, Path()], kept: Kept) -> Any:
    """Keep a search under a name, in place of one's own of that name."""
    return await ask(SEARCHES_SAVE, SearchSave(name=name, search=kept.search, shared=kept.shared))


@router.delete("/searches/{name}", status_code=204)
async def delete(ask: Ask, name: Annotated[SearchName, Path()]) -> None:
    """Forget one of one's own searches."""
    await ask(SEARCHES_DELETE, SearchDelete(name=name))
