"""A message at every step of its way, and differences."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import ValidationError

from mombus.desk.question import QuestionError
from mombus.desk.stages import (
    CASE,
    DIFF,
    MOST_TEXT,
    STAGES,
    Case,
    CaseAsked,
    Diff,
    DiffAsked,
    Id,
    Side,
    Stage,
    Stages,
    StagesAsked,
    System,
)
from mombus.web.api.refused import REFUSED
from mombus.web.asking import Ask

router = APIRouter(prefix="/api", tags=["messages"], responses=REFUSED)


@router.get("/messages/{id}/stages")
async def stages(ask: Ask, id: Annotated[Id, Path()], target: Annotated[System | None, Query()] = None) -> Stages:
    """A message as it came, as it is on the bus, and what each target got of it."""
    return Stages.model_validate(await ask(STAGES, StagesAsked(id=id, target=target)))


@router.get("/messages/{id}/test")
async def test(ask: Ask, id: Annotated[Id, Path()]) -> Case:
    """A route test made of a message, with pseudonyms for what isn't for everybody's eyes."""
    return Case.model_validate(await ask(CASE, CaseAsked(ids=(id,))))


@router.get("/diff")
async def diff(  # noqa: PLR0917 - each is one parameter of the address
    ask: Ask,
    left: Annotated[Id | None, Query()] = None,
    right: Annotated[Id | None, Query()] = None,
    left_stage: Stage = Stage.CANONICAL,
    right_stage: Stage = Stage.CANONICAL,
    left_target: Annotated[System | None, Query()] = None,
    right_target: Annotated[System | None, Query()] = None,
    left_number: Annotated[int | None, Query(ge=1, le=1000)] = None,
    right_number: Annotated[int | None, Query(ge=1, le=1000)] = None,
    left_text: Annotated[str | None, Query(max_length=MOST_TEXT)] = None,
    right_text: Annotated[str | None, Query(max_length=MOST_TEXT)] = None,
) -> Diff:
    """What is different between two stages of one message, of two messages, or between texts."""
    sides = (
        _side(id=left, stage=left_stage, target=left_target, number=left_number, text=left_text),
        _side(id=right, stage=right_stage, target=right_target, number=right_number, text=right_text),
    )
    return Diff.model_validate(await ask(DIFF, DiffAsked(left=sides[0], right=sides[1])))


def _side(**said: Any) -> Side:
    try:
        return Side.model_validate(said)
    except ValidationError as error:
        raise QuestionError(error.errors()[0]["msg"].removeprefix("Value error, ")) from None
