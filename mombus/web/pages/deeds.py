"""What people fill in on pages, understood as what is asked of the hub."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from mombus.desk.question import QuestionError

if TYPE_CHECKING:
    from collections.abc import Mapping

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
