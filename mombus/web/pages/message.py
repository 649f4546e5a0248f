"""One message: every step from the document it came in to what each system answered, and its place among others."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from pydantic import ValidationError

from mombus.bus.commands import UnknownNameError
from mombus.desk.messages import MESSAGES_SHOW, MessageId
from mombus.desk.question import Nothing, QuestionError
from mombus.desk.sending import SEND
from mombus.desk.stages import DIFF, STAGES, DiffAsked, Stage, StagesAsked
from mombus.desk.status import STATUS
from mombus.web.asking import Ask, Asking
from mombus.web.pages import rendering

router = APIRouter()
Id = Annotated[str, Path(min_length=6, max_length=64)]


@router.get("/messages/{id}")
async def page(request: Request, ask: Ask, id: Id) -> Response:
    """All steps of one message."""
    shown = await ask(MESSAGES_SHOW, MessageId(id=id))
    stages, untold = await _stages(ask, shown["message"]["id"])
    return rendering.page(
        request, "message.html", shown=shown, message=shown["message"], stages=stages, untold=untold,
        sides=sides_of(stages), now=datetime.now(UTC), SEND=SEND,
        systems=[row["name"] for row in (await ask(STATUS, Nothing()))["systems"]],
    )  # fmt: skip


@router.get("/messages/{id}/diff")
async def diff(  # noqa: PLR0917 - each is one field of the form
    request: Request, ask: Ask, id: Id, left: str = "raw", right: str = "canonical", other: str = ""
) -> Response:
    """What is different between two steps, of this message or with another; `left` and `right` are `STAGE:TARGET`."""
    message = (await ask(MESSAGES_SHOW, MessageId(id=id)))["message"]
    stages, _ = await _stages(ask, message["id"])
    found, wrong = await _compared(ask, _side(message["id"], left), _side(other.strip() or message["id"], right))
    return rendering.page(
        request, "message_diff.html", message=message, found=found, wrong=wrong, sides=sides_of(stages),
        chosen={"left": left, "right": right, "other": other}, status_code=422 if wrong else 200,
    )  # fmt: skip


def sides_of(stages: Mapping[str, Any] | None) -> dict[str, str]:
    """What may be compared, with how it is called."""
    found = {Stage.RAW.value: "as it came", Stage.CANONICAL.value: "as it is on the bus"}
    for one in stages["targets"] if stages else ():
        found |= {f"{stage}:{one['target']}": f"{stage} for {one['target']}" for stage in Stage if stage.at_target}
    return found


async def _stages(ask: Asking, id: str) -> tuple[Mapping[str, Any] | None, str]:
    """The steps, or why they can't be told."""
    try:
        return await ask(STAGES, StagesAsked(id=id)), ""
    except (QuestionError, UnknownNameError) as error:
        return None, str(error)


async def _compared(ask: Asking, left: Mapping[str, Any], right: Mapping[str, Any]) -> tuple[Any, str | None]:
    """What is different, or why that can't be told."""
    try:
        return await ask(DIFF, DiffAsked.model_validate({"left": left, "right": right})), None
    except ValidationError as error:
        return None, error.errors()[0]["msg"].removeprefix("Value error, ")
    except (QuestionError, UnknownNameError) as error:
        return None, str(error)


def _side(id: str, named: str) -> dict[str, Any]:
    stage, _, target = named.partition(":")
    return {"id": id, "stage": stage, "target": target or None}
