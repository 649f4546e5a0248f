"""Everything that happened to one order, lot, or piece of equipment."""

from __future__ import annotations

from pydantic import Field

from mombus.desk.question import Asked, Question


class Number(Asked):
    """What is looked for."""

    number: str = Field(min_length=1, max_length=250, description="An order, lot, equipment, request or document.")


JOURNEY = Question("journey", Number)
