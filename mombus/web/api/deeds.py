"""What the API's deeds have in common."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import HTTPException
from pydantic import BaseModel, Field

from mombus.web.api.refused import REFUSED, refusal

REFUSED_DEED: dict[int | str, dict[str, Any]] = {
    **REFUSED, 409: refusal("It changed nothing: the reason."),
}  # fmt: skip
"""The `responses` of a deed about something that may have changed meanwhile."""


class Why(BaseModel):
    """What every deed needs: who does it is who is signed in."""

    why: Annotated[str, Field(min_length=1, max_length=2000, pattern=r"\S", description="Why, for the audit trail.")]


def done(answer: dict[str, Any]) -> dict[str, Any]:
    """What became of a deed. Raises HTTPException 409 where it changed nothing."""
    if not answer["ok"]:
        raise HTTPException(409, answer["text"])
    return answer
