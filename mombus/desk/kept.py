"""What came in and couldn't be taken, and what a person decides about it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mombus.desk.question import DECIDING, Deed, Nothing, Question


class KeptDecision(Deed):
    """Try a kept item again, or say that it is dealt with."""

    command: Literal["take", "dismiss"]
    id: str = Field(min_length=1, description="The item's id, or the beginning of it.")


KEPT = Question("kept", Nothing)
DO_KEPT = Question("do_kept", KeptDecision, DECIDING)
