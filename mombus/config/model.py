"""The configuration as the rest of the hub sees it: checked, frozen, secrets resolved.

Only the loader makes these from YAML; what `mombus check` passes is what `mombus run` gets.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    SerializeAsAny,
    ValidationInfo,
    field_validator,
)

from canonical.element import Timestamp
from canonical.isa95.resources import Equipment
from canonical.isa95.work import WorkCalendar
from connectors.connector import ConnectorConfig, Level
from mombus.config.closing import Period, Window
from mombus.config.database import database_url
from mombus.config.duration import Span, duration, written
from mombus.config.keeping import Keep, Share
from mombus.config.oidc import Oidc
from mombus.config.size import Size

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]
"""A system's name: it is a token of subjects and a label of metrics."""

_BROKER = re.compile(r"(?:nats|tls|ws|wss)://[^\s/,]+/?")
_HOST = r"^[A-Za-z0-9_.:%-]+$"
_NAMES = r"^(\*\.)?[A-Za-z0-9_.-]+$"

SPOOL = Size(256 * 1024**2)
"""Bytes that are kept on disk of one system, unless it says otherwise."""

SHORTEST_SESSION, LONGEST_SESSION = timedelta(minutes=5), timedelta(days=90)

CALM_MARGIN_S = 5.0
"""What is added to the time that the connector gives a call: for the way there, and for a clock that isn't ours."""


def _network(text: str) -> str:
    try:
        ip_network(text)
    except ValueError:
        raise ValueError(f"'{text}' is no address such as 10.0.0.5, and no network such as 10.0.0.0/24") from None
    return text


def _session(span: timedelta) -> timedelta:
    if not SHORTEST_SESSION <= span <= LONGEST_SESSION:
        raise ValueError(f"a session lasts {written(SHORTEST_SESSION)} to {written(LONGEST_SESSION)}")
    return span


def one_or_many(value: Any) -> Any:
    """A single name where a list is taken."""
    return (value,) if isinstance(value, str) else value


class Section(BaseModel):
    """A part of the configuration: frozen, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class References(StrEnum):
    """What happens to a message that names an unknown thing."""

    HOLD = "hold"
    ACCEPT = "accept"


class Plant(Section):
    """Where this is: enterprise, site, its time zone, its equipment hierarchy and calendar."""

    enterprise: str
    site: Name
    timezone: ZoneInfo
    equipment: tuple[Equipment, ...] = ()
    calendar: WorkCalendar | None = None


class Bus(Section):
    """Where messages are kept: a broker and a journal, both embedded in the hub unless told otherwise."""

    broker: str = Field(
        default="embedded",
        description="`embedded`, or the broker's URL such as nats://10.0.0.5:4222; "
        "those of a cluster's nodes with commas between.",
    )
    replicas: Literal[1, 3, 5] = Field(
        default=1, description="How many nodes of a cluster keep every message; 3 survive the loss of one."
    )
    store: str = Field(
        default="embedded", description="The journal: `embedded`, or a database URL such as postgresql://db/mombus."
    )
    store_user: str | None = Field(default=None, description="The database's user; the URL itself holds none.")
    store_password: SecretStr | None = Field(
        default=None, description="The database's password; the URL itself holds none."
    )
    folder: Path = Field(default=Path(".mombus"), description="Where the embedded broker and journal keep their files.")
    credentials: Path | None = Field(
        default=None,
        description="Credentials for an external broker: a file that `mombus broker-config` wrote, or a .creds file.",
    )
    token: SecretStr | None = Field(default=None, description="NATS token for an external broker.")
    ca: Path | None = Field(
        default=None, description="Authority, PEM, that signed the external broker's certificate (tls://…)."
    )
    largest_body_bytes: int = Field(
        default=256 * 1024**2, ge=1024**2, le=1024**3,
        description="Largest body of one message; what the broker doesn't carry in one piece is kept apart.",
    )  # fmt: skip

    search_bodies: bool = Field(
        default=True, description="Index the words of bodies, so that messages are found by any word they say; "
        "without, by key, document, reason and what they name.",
    )  # fmt: skip
    keep: Keep = Field(default=Keep(), description="How long and how much is kept, see below.")
    disk_warn: Share = Field(
        default="10%, at most 2 GiB", description="Free room on the disk of `folder` below which people are warned."
    )
    disk_stop: Share = Field(
        default="5%, at most 1 GiB",
        description="Free room below which nothing more is taken in; what is stored is still delivered.",
    )

    @field_validator("replicas")
    @classmethod
    def _has_nodes(cls, replicas: int, info: ValidationInfo) -> int:
        if replicas > 1 and info.data.get("broker") == "embedded":
            raise ValueError("the embedded broker is one node: name the nodes of a cluster in `broker`, or replicas: 1")
        return replicas

    @property
    def shared(self) -> bool:
        """True if other hubs may use the same journal: what each of them does is leased then."""
        return self.store != "embedded" and database_url(self.store).get_backend_name() == "postgresql"

    @field_validator("broker")
    @classmethod
    def _is_broker(cls, broker: str) -> str:
        for url in broker.split(",") if broker != "embedded" else ():
            if not _BROKER.fullmatch(url.strip()):
                raise ValueError(f"'{url}' is no broker: write embedded, nats://host:4222 or tls://host:4222")
        return broker

    @field_validator("folder")
    @classmethod
    def _is_folder(cls, folder: Path) -> Path:
        if not folder.name:
            raise ValueError("the broker's and the journal's files need a folder of their own, such as .mombus")
        return folder

    @field_validator("store")
    @classmethod
    def _has_driver(cls, store: str) -> str:
        if store == "embedded":
            return store
        from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 - heavy, only where a database is named

        meant = "write embedded, or postgresql://host/mombus"
        try:
            dialect = database_url(store).get_dialect()
            if dialect.name not in {"postgresql", "sqlite"}:
                raise ValueError(f"the journal can't be kept in {dialect.name}: {meant}")
            dialect.import_dbapi()
        except SQLAlchemyError:
            raise ValueError(f"'{store}' is no database URL: {meant}") from None
        except ModuleNotFoundError as missing:
            raise ValueError(f"its database driver isn't installed: pip install {missing.name}") from None
        return store


class Http(Section):
    """The hub's one HTTP server: pages, metrics, and what hosted connectors listen on."""

    host: str = Field(
        default="127.0.0.1", pattern=_HOST,
        description="Address to listen on, or its name. Any but loopback needs TLS, and a token or accounts.",
    )  # fmt: skip
    port: int = Field(default=8080, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    token: SecretStr | None = Field(
        default=None,
        description="Token that pages, API and metrics ask for: as Bearer, or in a browser as any user's password.",
    )
    accounts: bool = Field(
        default=False, description="People sign in with accounts of their own (docs/access.md). They do anyway from "
        "the first account on; `true` lets nobody in before there is one.",
    )  # fmt: skip
    oidc: Oidc | None = Field(default=None, description="People sign in with an identity provider; see below.")
    session_idle: Annotated[Span, AfterValidator(_session)] = Field(
        default=timedelta(hours=1), description="Who signed in and uses no page for so long signs in again."
    )
    session_longest: Annotated[Span, AfterValidator(_session)] = Field(
        default=timedelta(hours=12), description="Who signed in so long ago signs in again."
    )
    certificate: Path | None = Field(default=None, description="TLS certificate chain, PEM.")
    private_key: Path | None = Field(default=None, description="TLS private key, PEM.")
    hsts: bool = Field(
        default=True, description="With `certificate`: browsers that came by TLS come by TLS only for a year, to "
        "whatever port of this host (HSTS). `false` takes that back, where other pages of the host have no TLS.",
    )  # fmt: skip
    client_ca: Path | None = Field(
        default=None, description="Authorities, PEM, whose client certificates open doors that name some."
    )
    proxies: tuple[Annotated[str, AfterValidator(_network)], ...] = Field(
        default=(),
        description="Addresses or networks of reverse proxies: whom they name in X-Forwarded-For is who asks. Nobody "
        "else is believed.",
    )
    names: tuple[Annotated[str, Field(pattern=_NAMES)], ...] = Field(
        default=(),
        description="Names under which a reverse proxy passes requests on; without a token the pages answer to those "
        "and to localhost only.",
    )


class Traces(Section):
    """Where OpenTelemetry traces go. Nothing is traced unless an endpoint is named."""

    endpoint: str | None = Field(
        default=None, pattern=r"^https?://[^\s@?#]+$",
        description="A collector's address for OTLP over HTTP, such as http://127.0.0.1:4318/v1/traces. Needs the "
        "extra `opentelemetry`.",
    )  # fmt: skip
    share: float = Field(
        default=1.0, ge=0, le=1,
        description="Which share of the traces that begin here is recorded; one that a system began says so itself.",
    )  # fmt: skip
    authorization: SecretStr | None = Field(
        default=None, description="The `Authorization` header that the collector asks for, such as `Bearer …`."
    )
    ca: Path | None = Field(default=None, description="The authority, PEM, of the collector's certificate.")


class System(Section):
    """One system of the plant and the connector that speaks with it."""

    name: Name
    config: SerializeAsAny[ConnectorConfig]
    decides: tuple[str, ...] = ()
    contact: str | None = None
    spool: int = SPOOL
    closed: tuple[Window | Period, ...] = ()
    rate_per_s: float | None = None
    serialise_by: tuple[str, ...] = ()
    lacking: timedelta = timedelta(hours=8)
    calm: timedelta | None = None
    shards: Literal[1, 16] = 1

    @property
    def kind(self) -> str:
        """The connector's kind, such as `erp.b2mml`."""
        return self.config.connector

    @property
    def calm_s(self) -> float:
        """How long it may still act on a call that ended without its answer."""
        return self.config.longest_call_s + CALM_MARGIN_S if self.calm is None else self.calm.total_seconds()


class Ownership(Section):
    """Who owns one data object, in one scope: the whole site, or an equipment subtree or storage area."""

    object: str = Field(description="A name of the catalogue (docs/objects.md).")
    owner: Name = Field(description="The system of record: only it may state the object.")
    process_owner: str | None = Field(default=None, description="The person or team that decides in a disagreement.")
    scope: str | None = Field(default=None, description="Equipment or storage id whose subtree this is for; none: all.")
    references: References = Field(
        default=References.ACCEPT, description="What happens to a message that names an unknown one."
    )
    kept_for: str | None = Field(default=None, description="Why a fact that no route has is wanted, such as: journeys.")


class Route(Section):
    """One handover with a promise: an object, where it goes, what counts as done and by when.

    `when` and `map` are JSONata over `{body, object, verb, action, source, key, occurred, …}`; `when` decides entry:
    once a target has a thing, it gets every later revision. `start` says where a new route begins.
    """

    object: str = Field(description="A name of the catalogue; it comes from its owner.")
    to: Annotated[tuple[Name, ...], BeforeValidator(one_or_many)] = Field(
        min_length=1, description="The target system, or a list of them."
    )
    effect: Level = Field(default=Level.ACCEPTED, description="How far it must get to be done.")
    within: Annotated[timedelta | None, BeforeValidator(duration)] = Field(
        default=None, description="The promise: done within this time, such as 30s, 15m, 1h30m. Later is shown as late."
    )
    when: str | None = Field(default=None, description="JSONata; the target gets things for which it is true.")
    map: str | None = Field(default=None, description="JSONata; its result is the body that the target gets.")
    after: Annotated[tuple[str, ...], BeforeValidator(one_or_many)] = Field(
        default=(), description="Data objects that must be posted at the target first: of what came before in its "
        "lane, nothing of these may await posting when it goes.",
    )  # fmt: skip
    start: Literal["now", "snapshot"] | Timestamp = Field(
        default="snapshot", description="Where a new route begins: with what happens from now on, with the latest of "
        "everything, or with what happened since a time.",
    )  # fmt: skip


class Config(Section):
    """Everything that was declared."""

    plant: Plant
    bus: Bus = Bus()
    http: Http = Http()
    traces: Traces = Traces()
    systems: Mapping[str, System]
    objects: tuple[Ownership, ...]
    routes: tuple[Route, ...] = ()
    aliases: Mapping[str, Mapping[str, Mapping[str, str]]] = Field(default_factory=dict)
    """system → object → native id → canonical id."""
    folder: Path = Path()
    """Where the configuration file is; relative paths start here."""
    secrets: frozenset[SecretStr] = frozenset()
    """What references to secrets and commands gave: to be kept out of everything that is written."""
