"""What the process of a system tells the hub of it, within bounds: whoever has the account may say anything."""

from __future__ import annotations

from typing import Annotated

from pydantic import AwareDatetime, BaseModel, Field

from connectors.connector import Health
from mombus.doctor.check import MOST, Verdict
from mombus.hub.session import Condition

MOST_TEXT = 4000
"""Characters of a reason."""


class ToldOfDoor(BaseModel):
    """How it goes at its door, as `Doorkeeper.status`."""

    path: str = Field(max_length=MOST_TEXT)
    locked: bool
    let_in: int
    refused: dict[Annotated[str, Field(max_length=100)], int] = Field(max_length=20)
    last_refused: dict[Annotated[str, Field(max_length=100)], Annotated[str, Field(max_length=200)]] | None = Field(
        max_length=5
    )
    trouble: str | None = Field(max_length=MOST_TEXT)


class ToldOfLosses(BaseModel):
    """What a spool lost, because no more could be kept."""

    count: int | None
    since: AwareDatetime
    reason: str = Field(max_length=MOST_TEXT)


class ToldOfSpool(BaseModel):
    """How its spool is, as `SpoolState.said`."""

    items: int
    bytes: int
    limit: int
    since: AwareDatetime | None
    reason: str = Field(max_length=MOST_TEXT)
    lost: ToldOfLosses | None


class ToldOfCheck(BaseModel):
    """One thing that the doctor looked at."""

    about: str = Field(max_length=250)
    verdict: Verdict
    text: str = Field(max_length=MOST_TEXT)
    do: str = Field(max_length=MOST_TEXT)
    field: str = Field(max_length=100)
    ends: AwareDatetime | None
    ahead_s: float | None = Field(allow_inf_nan=False)


class ToldOfLook(BaseModel):
    """What the doctor found, as `Examined.said`."""

    at: AwareDatetime
    checks: list[ToldOfCheck] = Field(max_length=MOST)


class Told(BaseModel):
    """What a process says of its system: as `Session.said`, and no more than that, since it may be anybody's."""

    condition: Condition
    reason: str = Field(max_length=MOST_TEXT)
    last_data: AwareDatetime | None = None
    health: Health
    door: ToldOfDoor | None = None
    spool: ToldOfSpool | None = None
    disk: str | None = Field(None, max_length=MOST_TEXT)
    settings: str | None = Field(None, max_length=MOST_TEXT)
    examined: ToldOfLook | None = None


def down(reason: str) -> Told:
    """What is told of a system whose process tells nothing."""
    return Told(condition=Condition.DOWN, reason=reason, health=Health.DOWN)
