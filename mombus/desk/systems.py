"""The systems: how each is, how it is connected, and what goes to it and comes from it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from mombus.desk.question import DECIDING, Asked, Deed, Nothing, Question


class Name(Asked):
    """Which system."""

    system: str = Field(min_length=1, max_length=32, description="The system's name.")


class Resume(Deed):
    """A halted system can work again."""

    system: str = Field(min_length=1, max_length=32, description="The system's name.")


class Looked(BaseModel):
    """One thing that was looked at as `mombus doctor` does."""

    about: str
    verdict: Literal["ok", "soon", "wrong"]
    text: str
    do: str = Field(description="What to do about it.")
    field: str = Field(description="Which certificate: the field that names it, or `server` for the one it shows.")
    ends: datetime | None = Field(description="When that certificate ends.")
    ahead_s: float | None = Field(description="By how much its clock is ahead of the hub's, in seconds.")


class Examined(BaseModel):
    """What was looked at, and when: soon after a hub begins, then every hour, and with every probe."""

    at: datetime
    checks: list[Looked]


class InHand(BaseModel):
    """What of one object it hasn't been given, though nothing but its own turn holds it back."""

    object: str
    count: int
    since: datetime = Field(description="When the oldest was said.")
    late: int = Field(description="How many are over their route's promise.")
    seqs: list[int] = Field(description="Where the first of them are in the stream.")
    lanes: list[str] = Field(description="The first of the lanes they are in.")
    lanes_total: int


class SystemState(BaseModel):
    """How a system is. With several hubs `hub` is where another has it, `shards` how many of its shards are here."""

    model_config = ConfigDict(extra="allow")

    name: str
    kind: str = Field(description="The connector's kind.")
    health: Literal["ok", "degraded", "down", "halted", "elsewhere"]
    reason: str
    condition: str | None = Field(description="How delivery to it goes.")
    since: datetime = Field(description="Since when its connection is like that.")
    last_data: datetime | None = Field(description="When it last said something.")
    in_per_minute: int
    out_per_minute: int
    lag: int = Field(description="Stored messages for it that it hasn't got yet and that don't wait.")
    late: int = Field(description="How many of those in hand are late.")
    in_hand: list[InHand] = Field(description="Those of `lag` that were read for it, by object.")
    waiting: dict[str, int] = Field(description="How many wait for it, by why.")
    last_delivery: datetime | None
    oldest_waiting: datetime | None
    longest_pause_in_s: float | None = Field(
        default=None, description="The longest pause in what it said within a week; null: too little is known."
    )
    longest_pause_out_s: float | None = Field(default=None, description="The same of what it got, since the hub began.")
    silent_s: float | None = Field(
        default=None, description="Connected, but it has said nothing for so long, longer than ever in a week."
    )
    examined: Examined | None = Field(default=None, description="Its certificates and its clock; null: not yet.")
    door: dict[str, Any] | None = Field(description="How it goes at its door, if it comes to us.")


class Setting(BaseModel):
    """One field of its configuration as it is in effect, without secrets."""

    name: str
    value: Any
    declared: bool = Field(description="Said in routes.yaml; otherwise it is the default.")


class Way(BaseModel):
    """A handover that it has part in."""

    object: str
    source: str = Field(description="The object's owner.")
    to: list[str]
    effect: str
    within_s: float | None = Field(description="The promise, in seconds.")
    when: str | None


class SystemDetail(SystemState):
    """A system with its configuration and its part in the plant."""

    do: str = Field(description="What may be done if it isn't well.")
    contact: str | None
    decides: list[str]
    settings: list[Setting]
    owns: list[str] = Field(description="The data objects that only it may state.")
    gets: list[Way]
    gives: list[Way]
    spool: dict[str, Any] | None = Field(description="What its spool holds or has lost.")
    spool_limit: int = Field(description="Bytes that its spool may hold.")


class Probed(BaseModel):
    """What a system answered just now."""

    health: Literal["ok", "degraded", "down"]
    reason: str
    took_s: float
    last_data: datetime | None


SYSTEMS = Question("systems", Nothing)
SYSTEM = Question("system", Name)
PROBE = Question("system_probe", Name, DECIDING)
RESUME = Question("resume", Resume, DECIDING)
