"""One decision about everything that is chosen."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from mombus.desk.bulk import (
    BULK,
    BULK_BEGIN,
    BULK_CANCEL,
    BULK_PREVIEW,
    BULK_RESULTS,
    Begin,
    BulkAction,
    BulkId,
    BulkResults,
    Cancel,
    Choice,
    Preview,
)
from mombus.desk.question import Nothing
from mombus.web.api.deeds import Why
from mombus.web.api.refused import REFUSED
from mombus.web.asking import Ask

router = APIRouter(prefix="/api/bulk", tags=["bulk"], responses=REFUSED)

Id = Annotated[str, Path(min_length=1, max_length=32)]


@router.get("", response_model=list[BulkAction])
async def actions(ask: Ask) -> Any:
    """The newest bulk actions and how far they are."""
    return await ask(BULK, Nothing())


@router.get("/preview", response_model=Preview)
async def preview(ask: Ask, asked: Annotated[Choice, Query()]) -> Any:
    """How much would be chosen now, in groups."""
    return await ask(BULK_PREVIEW, asked)


@router.post("", response_model=BulkAction)
async def begin(ask: Ask, said: Begin) -> Any:
    """Begin; the hub does it, also when nobody looks, and goes on after a restart."""
    return await ask(BULK_BEGIN, said)


@router.get("/{id}", response_model=BulkResults)
async def results(ask: Ask, id: Id) -> Any:
    """How far an action is, and what each thing got."""
    return await ask(BULK_RESULTS, BulkId(id=id))


@router.post("/{id}/cancel", response_model=BulkAction)
async def cancel(ask: Ask, id: Id, said: Why) -> Any:
    """Do nothing more of it; what is done stays done."""
    return await ask(BULK_CANCEL, Cancel(id=id, why=said.why))
