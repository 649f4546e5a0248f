"""What is wrong with what was filled in, in one voice: on pages, in the API's forms and in commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

WHY = "say why: it is kept in the audit trail with your name"


def mistake(error: ValidationError, model: type[BaseModel]) -> str:
    """The first of them: which field of `model`, and what belongs there."""
    first = error.errors(include_url=False)[0]
    where = ".".join(map(str, first["loc"]))
    match first["type"]:
        case "extra_forbidden":
            return f"'{where}' has no meaning here: {', '.join(model.model_fields) or 'nothing'} is"
        case "missing" if where == "why":
            return WHY
        case "missing":
            described = model.model_fields[where].description if where in model.model_fields else None
            return f"'{where}' is missing{f': {described}' if described else ''}"
    said = first["msg"].removeprefix("Value error, ")
    return f"{where}: {said}" if where else said
