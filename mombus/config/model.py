"""The configuration as the rest of the hub sees it: checked, frozen, secrets resolved.

Only the loader makes these from YAML; what `mombus check` passes is what `mombus run` gets.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny

from canonical.isa95.resources import Equipment
from canonical.isa95.work import WorkCalendar
from connectors.connector import ConnectorConfig, Level

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]
"""A system's name: it is a token of subjects and a label of metrics."""


class Section(BaseModel):
    """A part of the configuration: frozen, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class References(StrEnum):
    """What happens to a message that names an unknown thing."""

    HOLD = "hold"
    WARN = "warn"
    ACCEPT = "accept"


class Plant(Section):
    """Where this is: enterprise, site, its time zone, its equipment hierarchy and calendar."""

    enterprise: str
    site: Name
    timezone: ZoneInfo
    equipment: tuple[Equipment, ...] = ()
    calendar: WorkCalendar | None = None


class Bus(Section):
    """Where messages are kept: a broker (`embedded` or a NATS URL) and a journal (`embedded` or a database URL)."""

    broker: str = "embedded"
    store: str = "embedded"
    folder: Path = Path(".mombus")
    """Where the embedded broker and journal keep their files."""


class Http(Section):
    """The hub's one HTTP server: pages, metrics, and what hosted connectors listen on."""

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)


class System(Section):
    """One system of the plant and the connector that speaks with it."""

    name: Name
    config: SerializeAsAny[ConnectorConfig]
    decides: tuple[str, ...] = ()
    contact: str | None = None

    @property
    def kind(self) -> str:
        """The connector's kind, such as `erp.b2mml`."""
        return self.config.connector


class Ownership(Section):
    """Who owns one data object, in one scope: the whole site, or an equipment subtree or storage area."""

    object: str
    owner: Name
    process_owner: str | None = None
    scope: str | None = None
    references: References = References.WARN


class Route(Section):
    """One handover with a promise: an object, where it goes, what counts as done and by when.

    `when` and `map` are JSONata over `{body, object, verb, action, source, key, occurred, …}`; `when` decides entry:
    once a target has a thing, it gets every later revision. `start` says where a new route begins.
    """

    object: str
    to: tuple[Name, ...]
    effect: Level = Level.ACCEPTED
    within: timedelta | None = None
    when: str | None = None
    map: str | None = None
    start: Literal["now", "snapshot"] | datetime = "snapshot"


class Config(Section):
    """Everything that was declared."""

    plant: Plant
    bus: Bus = Bus()
    http: Http = Http()
    systems: Mapping[str, System]
    objects: tuple[Ownership, ...]
    routes: tuple[Route, ...] = ()
    aliases: Mapping[str, Mapping[str, Mapping[str, str]]] = Field(default_factory=dict)
    """system → object → native id → canonical id."""
    folder: Path = Path()
    """Where the configuration file is; relative paths start here."""
