"""How paths of the API say no, for OpenAPI."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field


class Refused(BaseModel):
    """Why there is no answer."""

    detail: str | list[dict[str, Any]] = Field(
        description="A sentence; a list with the place and reason of each wrong value where a request can't be read."
    )


REFUSED: dict[int | str, dict[str, Any]] = {
    400: {"model": Refused, "description": "The body is no JSON."},
    401: {"model": Refused, "description": "Who asks isn't known: docs/access.md."},
    403: {"model": Refused, "description": "The person's roles don't let them."},
    404: {"model": Refused, "description": "What is named isn't there."},
    408: {"model": Refused, "description": "The body didn't come in time."},
    413: {"model": Refused, "description": "The body is too large."},
    422: {"model": Refused, "description": "It can't be understood, or can't be done: the reason."},
    429: {"model": Refused, "description": "Too many wrong tokens came from this address; `Retry-After` tells when."},
    503: {"model": Refused, "description": "The hub doesn't answer now."},
}
"""A router's `responses`."""
