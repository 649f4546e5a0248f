"""What a person asks of a replay, understood: what is replayed, to whom and how; what is translated again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from mombus.journal.replays import Manner

if TYPE_CHECKING:
    from collections.abc import Mapping

M = TypeVar("M", bound=BaseModel)


class ReplayError(ValueError):
    """A replay that can't be asked for like that; the text says what was expected."""


class Wish(BaseModel):
    """What is to be replayed, to which targets and how; `who` and `why` are kept in the audit trail."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    selection: dict[str, Any]
    to: tuple[str, ...]
    manner: Manner = Manner.MISSING
    who: str = ""
    why: str = ""


class Correction(BaseModel):
    """Which documents are translated again: of what is selected, or of what is `kept` as a fault, from the selection's
    sources. `publish`: what is said otherwise now is published."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    selection: dict[str, Any] = {}
    kept: bool = False
    publish: bool = False
    who: str = ""
    why: str = ""


def wish_of(question: Mapping[str, Any]) -> Wish:
    """What is to be replayed. Raises ReplayError."""
    return _read(Wish, question)


def correction_of(question: Mapping[str, Any]) -> Correction:
    """What is to be translated again. Raises ReplayError."""
    return _read(Correction, question)


def _read(model: type[M], question: Mapping[str, Any]) -> M:
    try:
        return model.model_validate(question)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ReplayError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
