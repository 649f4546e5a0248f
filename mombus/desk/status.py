"""How it goes: hubs, systems, flows, and what a person should look at."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from mombus.desk.question import Nothing, Question
from mombus.desk.systems import Examined, SystemState
from mombus.desk.waiting import Cause


class Store(BaseModel):
    """A file or a stream that the hub keeps things in."""

    name: str
    used: int = Field(description="Bytes.")
    limit: int | None = Field(description="Bytes it may use at most; null: as the disk allows.")


class Hub(BaseModel):
    """One of the hubs that share a journal; one that doesn't answer says since when (`heard`) and why."""

    model_config = ConfigDict(extra="allow")

    answers: bool
    address: str
    since: datetime
    version: str
    leases: list[str] = Field(default=[], description="What it has of what the hubs share.")
    disk: dict[str, Any] = Field(
        default={}, description="Bytes that are free, of how many, where warnings begin, and what is wrong with it."
    )
    stores: list[Store] = Field(default=[], description="What each of its stores uses.")
    examined: Examined | None = Field(default=None, description="What it stands on; null: not looked at yet.")
    spools: list[dict[str, Any]] = Field(default=[], description="What is on its disk and not on the bus yet.")


class Flow(BaseModel):
    """An object on its way to one system."""

    object: str
    source: str
    target: str | None
    per_minute: int
    total: int = Field(description="Since the hub began.")
    waiting: int
    last: datetime | None
    state: str = Field(description="How the last one went.")
    reason: str | None


class Seen(BaseModel):
    """One of the last messages."""

    at: datetime
    id: str
    object: str
    verb: str
    key: str
    source: str
    lane: str
    arrivals: dict[str, str] = Field(description="How it went, by target.")


class Broker(BaseModel):
    """The connection to the broker."""

    up: bool
    reason: str
    since: datetime


class Status(BaseModel):
    """How it goes, at all hubs."""

    at: datetime
    site: str
    version: str
    hubs: list[Hub]
    systems: list[SystemState]
    flows: list[Flow]
    waiting: list[Cause] = Field(description="The largest causes for which messages wait.")
    causes_total: int
    waiting_total: int
    messages: list[Seen] = Field(description="The last messages, newest first.")
    broker: Broker
    disagreements: int = Field(description="How many are open.")
    kept: int = Field(description="How many items are kept that couldn't be taken in.")
    trouble: list[str] = Field(description="What a person should look at, a sentence for each cause, the worst first.")
    besides: list[str] = Field(description="Of that, what isn't about how a system is or what waits for one.")


STATUS = Question("status", Nothing)
