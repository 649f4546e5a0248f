"""What is said on the bus, as it is said."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse

from mombus.bus.commands import UnknownNameError
from mombus.desk.question import NoAnswerError, QuestionError
from mombus.desk.tap import TAP, TapAsked, TapPart
from mombus.web.access.visiting import visit_of
from mombus.web.api.refused import REFUSED
from mombus.web.asking import Ask
from mombus.web.live import AGAIN_S

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from mombus.web.asking import Asking
    from mombus.web.live import Live

router = APIRouter(prefix="/api", tags=["messages"], responses=REFUSED)

PAUSE_S = 0.5
EVENTS = "text/event-stream"


@router.get("/tap", response_model=TapPart)
async def tap(request: Request, ask: Ask, asked: Annotated[TapAsked, Query()]) -> Any:
    """What was said since the last answer; ask with its `after` for what comes then.

    Who accepts text/event-stream gets each message as an event, for as long as they listen.
    """
    if EVENTS not in request.headers.get("accept", ""):
        return await ask(TAP, asked)
    first = await ask(TAP, asked)
    live: Live = request.app.state.live
    return StreamingResponse(_placed(live, request, ask, asked, first), media_type=EVENTS)


async def _placed(
    live: Live, request: Request, ask: Asking, asked: TapAsked, first: Any
) -> AsyncIterator[str]:  # fmt: skip
    """As `_events`, if there is a place for one more; else an event `away` with the reason."""
    with live.place(request) as full:
        if full:
            yield f"retry: {AGAIN_S * 1000}\nevent: away\ndata: {full}\n\n"
            return
        async with aclosing(_events(request, ask, asked, first)) as events:
            async for event in events:
                yield event


async def _events(request: Request, ask: Asking, asked: TapAsked, part: Any) -> AsyncGenerator[str, None]:
    """It ends when whoever listens wouldn't be let in any more."""
    visit = visit_of(request)
    while not await request.is_disconnected():
        for message in part["messages"]:
            yield f"id: {message['id']}\ndata: {json.dumps(message, ensure_ascii=False)}\n\n"
        if part["left_out"]:
            yield f"event: left out\ndata: {part['left_out']}\n\n"
        if not part["messages"]:
            yield ": still here\n\n"
        if not part["more"]:
            await asyncio.sleep(PAUSE_S)
        try:
            if not await visit.holds():
                return
            part = await ask(TAP, asked.model_copy(update={"after": part["after"], "since_s": None}))
        except (NoAnswerError, QuestionError, UnknownNameError):
            return
