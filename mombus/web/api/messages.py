"""Messages: found by what they are about, and shown whole."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from mombus.desk.messages import MESSAGES_SEARCH, MESSAGES_SHOW, MessageId, MessagesFound, MessageShown, MessagesSearch
from mombus.web.api.refused import REFUSED
from mombus.web.asking import Ask

router = APIRouter(prefix="/api", tags=["messages"], responses=REFUSED)


@router.get("/messages", response_model=MessagesFound)
async def messages(ask: Ask, asked: Annotated[MessagesSearch, Query()]) -> Any:
    """A page of the messages that fit everything that is given, the newest first."""
    return await ask(MESSAGES_SEARCH, asked)


@router.get("/messages/{id}", response_model=MessageShown)
async def message(ask: Ask, id: Annotated[str, Path(min_length=6, max_length=64)]) -> Any:
    """One message: headers, body, what it names, what became of it, what caused it and what it caused."""
    return await ask(MESSAGES_SHOW, MessageId(id=id))
