"""What waits, and what people decide about it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import Field

from mombus.delivery.commands import Command
from mombus.desk.sending import SEND, Begun, Send
from mombus.desk.waiting import CAUSES, DO, WAITING, Cause, Decision, Done, Target, WaitingPage, Waits
from mombus.journal.replays import Manner
from mombus.web.api.deeds import REFUSED_DEED, Why, done
from mombus.web.asking import Ask

router = APIRouter(prefix="/api", tags=["waiting"], responses=REFUSED_DEED)

System = Annotated[str, Path(min_length=1, max_length=32, description="The system it waits for.")]
Id = Annotated[str, Path(min_length=1, max_length=200, description="The message's id, or the beginning of it.")]
Whole = Annotated[str, Path(min_length=6, max_length=200, description="The message's id, or the beginning of it.")]


class WhyAndDocument(Why):
    """Why; and with `sent` the document's number in the target."""

    document: Annotated[str | None, Field(max_length=250)] = None


class WhyAndManner(Why):
    """Why; and what happens about what the system has already."""

    manner: Manner = Manner.MISSING


@router.get("/waiting", response_model=WaitingPage)
async def waiting(ask: Ask, asked: Annotated[Waits, Query()]) -> Any:
    """What waits, with reason and age, page by page in the order it came."""
    return await ask(WAITING, asked)


@router.get("/causes", response_model=list[Cause])
async def causes(ask: Ask, asked: Annotated[Target, Query()]) -> Any:
    """What waits by cause: a thousand messages that one reason keeps from one target are one."""
    return await ask(CAUSES, asked)


@router.post("/waiting/{target}/{id:path}/{command}", response_model=Done)
async def decide(ask: Ask, target: System, id: Id, command: Command, said: WhyAndDocument) -> Any:
    """Decide about a waiting message. 409 says why it changed nothing."""
    return done(await ask(DO, Decision(command=command, target=target, id=id, why=said.why, document=said.document)))


@router.post("/messages/{id:path}/send/{to}", response_model=Begun, tags=["messages"])
async def send(ask: Ask, id: Whole, to: System, said: WhyAndManner) -> Any:
    """Send a stored message to one system: a replay of it alone."""
    return await ask(SEND, Send(id=id, to=to, why=said.why, manner=said.manner))
