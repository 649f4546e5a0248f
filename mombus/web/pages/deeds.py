"""What people fill in on pages, understood as what is asked of the hub."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar

from fastapi import HTTPException
from pydantic import BaseModel

from mombus.web.forms import understood
from mombus.web.pages import rendering

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import Request
    from fastapi.responses import RedirectResponse

_OURS = re.compile(r"/(?![/\\])[\x21-\x7e]*")
MOST_NAME = 100
"""Characters of a name that a page repeats."""
M = TypeVar("M", bound=BaseModel)


def asked_for(model: type[M], fields: Mapping[str, str], **fixed: Any) -> M:
    """What a form or an address asks; what is left empty isn't said. Raises QuestionError with the first mistake."""
    known = {name: fields[name] for name in model.model_fields if fields.get(name, "").strip()}
    return understood(model, {**known, **fixed})


def back(fields: Mapping[str, str], otherwise: str) -> str:
    """Where a form says it came from, a page of ours."""
    return fields["back"] if _OURS.fullmatch(fields.get("back", "")) else otherwise


def after(request: Request, done: Mapping[str, Any], path: str, about: str) -> RedirectResponse:
    """The page to go on with, which says what became of what it was `about`.

    Raises HTTPException 409 with the reason where a deed changed nothing.
    """
    said = ": ".join(filter(None, (about[:MOST_NAME], f"{done['text']}.")))
    if not done["ok"]:
        raise HTTPException(409, said)
    return rendering.told(request, path, said)
