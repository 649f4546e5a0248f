"""Everything that happened to one order, lot, or piece of equipment, in every system."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from mombus.desk.question import Asked, Question

MOST_HOPS = 1500
"""Hops in one answer."""


class Number(Asked):
    """What is looked for."""

    number: str = Field(min_length=1, max_length=250, description="An order, lot, equipment, request or document.")


class JourneyHop(BaseModel):
    """One step: a message was stored by the bus, arrived at a system, or waits for it."""

    at: datetime = Field(description="When; of what waits, since when.")
    message_id: str
    object: str
    verb: str
    action: str | None
    key: str
    source: str
    target: str | None = Field(description="Where it arrived or is to arrive; null: it was stored by the bus.")
    state: str = Field(description="`stored`, how it ended at the target, or why it waits.")
    waits: bool = Field(description="It waits still.")
    delay_s: float = Field(
        description="Until it was stored, from when it occurred; at a target from when it was stored."
    )
    attempts: int | None = Field(description="How often it was tried; null: it isn't tried.")
    late: bool = Field(description="It arrived later than its route promises.")
    due: datetime | None = Field(description="When it is tried again.")
    document: str | None = Field(description="Its number in the target.")
    reason: str | None


class Journey(BaseModel):
    """What is known by a number: hops in time order, the newest of them if there are too many."""

    number: str
    at: datetime = Field(description="When this was told.")
    named: list[str] = Field(description="What is called so: data objects, such as production_order.")
    hops: list[JourneyHop]
    left_out: int = Field(description="So many older hops aren't told here.")
    near: list[str] = Field(description="Where nothing is known by the number: numbers like it.")


JOURNEY = Question("journey", Number)
