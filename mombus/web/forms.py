"""What a form of a page holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias, TypeVar
from urllib.parse import parse_qsl

from fastapi import Depends, Request
from pydantic import BaseModel, ValidationError
from starlette.datastructures import ImmutableMultiDict

from mombus.desk.mistakes import mistake
from mombus.desk.question import QuestionError

Model = TypeVar("Model", bound=BaseModel)

FORM = "application/x-www-form-urlencoded"
"""As `<form method="post">` sends it."""
MOST_FIELDS = 10_000

Fields: TypeAlias = ImmutableMultiDict[str, str]
"""A form's fields: `fields.get("why", "")` the last of that name, `fields.getlist("id")` all of them."""


def read(content: bytes) -> list[tuple[str, str]]:
    """A form's fields in their order. Raises ValueError for more than MOST_FIELDS."""
    return parse_qsl(content.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=MOST_FIELDS)


async def _fields(request: Request) -> Fields:
    """Of a body that the check against forgery has looked at already."""
    return ImmutableMultiDict([one for one in read(await request.body()) if one[0] != "csrf"])


Form: TypeAlias = Annotated[Fields, Depends(_fields)]
"""What an endpoint takes to read a form."""


def understood(model: type[Model], said: Mapping[str, Any]) -> Model:
    """What a form or an address asks. Raises QuestionError with the first thing that is wrong."""
    try:
        return model.model_validate(said)
    except ValidationError as error:
        raise QuestionError(mistake(error, model)) from None
