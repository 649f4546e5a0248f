"""How paths of the API say no, for OpenAPI."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field


class Refused(BaseModel):
    """Why there is no answer."""

    detail: str | list[dict[str, Any]] = Field(
        description="A sentence; a list with the place and reason of each wrong value where a request can't be read."
    )


def refusal(description: str) -> dict[str, Any]:
    """One of a path's `responses`, as JSON also where the answer would be something else, such as CSV."""
    return {"description": description, "content": {"application/json": {"schema": Refused.model_json_schema()}}}


REFUSED: dict[int | str, dict[str, Any]] = {
    400: refusal("The body is no JSON."),
    401: refusal("Who asks isn't known: docs/access.md."),
    403: refusal("The person's roles don't let them."),
    404: refusal("What is named isn't there."),
    408: refusal("The body didn't come in time."),
    413: refusal("The body is too large."),
    422: refusal("It can't be understood, or can't be done: the reason."),
    429: refusal("Too many wrong tokens or passwords; `Retry-After` tells in how many seconds one is looked at again."),
    503: refusal("The hub doesn't answer now."),
}
"""A router's `responses`."""
