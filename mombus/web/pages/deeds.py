"""What people fill in on pages, understood as what is asked of the hub."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar

from fastapi import HTTPException
from pydantic import BaseModel, ValidationError

from mombus.desk.question import QuestionError
from mombus.web.pages import rendering

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi.responses import RedirectResponse

_OURS = re.compile(r"/(?![/\\])[\x21-\x7e]*")
M = TypeVar("M", bound=BaseModel)


def asked_for(model: type[M], fields: Mapping[str, str], **fixed: Any) -> M:
    """What a form or an address asks; what is left empty isn't said. Raises QuestionError with the first mistake."""
    known = {name: fields[name] for name in model.model_fields if fields.get(name, "").strip()}
    try:
        return model.model_validate({**known, **fixed})
    except ValidationError as error:
        first = error.errors()[0]
        what = ".".join(map(str, first["loc"]))
        said = f"{what} isn't said" if first["type"] == "missing" else f"{what}: {first['msg']}"
        raise QuestionError(said) from None


def back(fields: Mapping[str, str], otherwise: str) -> str:
    """Where a form says it came from, a page of ours."""
    return fields["back"] if _OURS.fullmatch(fields.get("back", "")) else otherwise


def after(done: Mapping[str, Any], path: str) -> RedirectResponse:
    """The page to go on with. Raises HTTPException 409 with the reason where a deed changed nothing."""
    if not done["ok"]:
        raise HTTPException(409, done["text"])
    return rendering.done(path)
