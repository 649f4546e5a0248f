"""The contract between a connector and the hub. Its comments are the contract: what calling and returning mean.

A connector implements `Connector` and those of `Source`, `Sink`, `Parallel`, `Renders`, `Answers`, `Hosted`,
`Translates` and `Snapshot` that it can. It is found by its entry point in the group `mombus.connectors`, whose name is
its kind.

Errors, all of them ConnectorError, decide what happens to a message:

    ConnectorError
    ├── ConfigError          wrong configuration: the system doesn't start, its finding names the field
    ├── RetryableError       not now; the same call may work later (retry_after_s, if the target said when)
    │   ├── NotConnected     there is no connection; the hub reconnects, nothing was sent
    │   └── Lacking          refused for missing stock; it waits for what brings the material, then for a person
    ├── PermanentError       never, however often: the message is kept with this reason for a person
    │   ├── MappingError     the message can't be said in the target's words, or the item in ours
    │   └── Rejected         the target understood and said no
    ├── Halted               credentials or a licence: the system is paused until a person acts
    └── OutcomeUnknown       it may or may not have taken effect: read back, or ask a person; never sent blindly again

A vendor's errors are translated in exactly one function per connector; what follows is decided in exactly one place
of the hub.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Protocol, TypeAlias, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field

from canonical.message import Verb

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path
    from typing import Self
    from zoneinfo import ZoneInfo

    from starlette.types import ASGIApp

    from canonical.message import Message
    from connectors.door import DoorConfig
    from connectors.plc.signals import Signals


LONGEST_WAIT_S = 3600.0
"""Whatever a system says of when to come back, it is asked again after so long."""


class ConnectorError(Exception):
    """Something went wrong between the hub and a system. Use one of the errors below."""


class ConfigError(ConnectorError):
    """The configuration can't work. `field` is the config field at fault, if one is."""

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class RetryableError(ConnectorError):
    """Not now. `retry_after_s` is when the target said to come back, if it did; it is asked again within an hour."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = None if retry_after_s is None else min(retry_after_s, LONGEST_WAIT_S)


class NotConnected(RetryableError):  # noqa: N818
    """There is no connection, so nothing was sent."""


class Lacking(RetryableError):  # noqa: N818
    """The target has too little stock of a material that the message takes, and posted nothing."""


class PermanentError(ConnectorError):
    """Never, however often it is tried."""


class MappingError(PermanentError):
    """The message can't be said in the target's words, or the item not in canonical ones."""


class Rejected(PermanentError):  # noqa: N818
    """The target understood and said no; the text is the target's reason."""


class Halted(ConnectorError):  # noqa: N818
    """Credentials, a licence or a certificate: nothing works until a person acts."""


class OutcomeUnknown(ConnectorError):  # noqa: N818
    """The effect may or may not have happened.

    `answered`: the target has answered, so that it has done with the call. Without an answer it may still be at work,
    and that it hasn't taken it proves nothing until it has been calm for `systems.X.calm`.
    """

    def __init__(self, message: str, *, answered: bool = False) -> None:
        super().__init__(message)
        self.answered = answered


class Effect(StrEnum):
    """How a sink keeps an effect from happening twice."""

    IDEMPOTENT = "idempotent"
    """The target recognises the message's id: sending it again changes nothing."""
    FINDABLE = "findable"
    """`find` can tell whether it took effect."""
    BLIND = "blind"
    """Neither: an unknown outcome goes to a person."""


class Level(StrEnum):
    """How far a handover got, in this order."""

    RECEIVED = "received"
    ACCEPTED = "accepted"
    POSTED = "posted"
    """The business document exists and its number is known."""


class Offer(NamedTuple):
    """An object and a verb that a connector can say or take."""

    object: str
    verb: Verb = Verb.SYNC


@dataclass(frozen=True, slots=True)
class Accept:
    """How a sink takes one offer.

    `batch` is how many messages one write may hold, `concurrency` how many writes may be open at once (for different
    lanes), `level` how far its receipts can get: `posted` only if it learns the document's number. `serialise_by` are
    the data objects of which two messages that name the same one must not be written at once, besides those that
    routes.yaml says.
    """

    effect: Effect = Effect.FINDABLE
    batch: int = 1
    concurrency: int = 1
    level: Level = Level.POSTED
    serialise_by: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Receipt:
    """The target took it.

    `document` is the target's number for it: an alias of the key from now on. `reply` is the target's answer to a
    request, to be published for the asker; None lets the hub write the plain acknowledgement.
    """

    level: Level = Level.ACCEPTED
    document: str | None = None
    reply: Message | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """One request to a system in its own protocol, without credentials.

    `method` is PUT and the like over HTTP, SOAP, PUBLISH, CALL, WRITE or REQUEST; `place` is where it goes: path and
    query, the document's name, topic, node or subject. `content` is its body.
    """

    method: str
    place: str
    content: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Absent:
    """`find` is certain: it has not taken effect until now. What ended without an answer may still; the hub waits."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A source may have missed things, from `since` until `until` (still missing when None)."""

    what: str
    since: datetime
    reason: str
    until: datetime | None = None
    equipment: str | None = None
    lost: int | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """A part of an item that can't become a message: where it stood, what is wrong, its bytes if they can be told."""

    place: str
    reason: str
    raw: bytes | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the hub did with one message of an item."""

    message_id: str
    key: str
    accepted: bool
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """What a source read in one piece: it is stored whole, and settled once.

    `raw` is the document as it came (kept in RAW), None when the messages say it all. `faults` are its bad parts, kept
    with their reasons. `document` is the document's own id; `channel` tells which of the system's ways it came by (a
    read, a topic), for who translates it again. `bookmark` is where to go on reading after a restart. `settle`, when
    given, is awaited with one outcome per message once everything is stored: a source that can make its system wait
    gives one (`waits` where the system waits by itself); without it the hub has taken responsibility as soon as the
    item was yielded, and keeps it on disk while the bus stores nothing.
    """

    messages: tuple[Message | Gap, ...] = ()
    faults: tuple[Fault, ...] = ()
    raw: bytes | None = None
    content_type: str = "application/json"
    document: str | None = None
    channel: str | None = None
    bookmark: str | None = None
    settle: Callable[[Sequence[Outcome]], Awaitable[None]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw:
    """A document as it came, with what its item said of it."""

    content: bytes
    content_type: str = "application/json"
    document: str | None = None
    channel: str | None = None


async def waits(_outcomes: Sequence[Outcome]) -> None:
    """The `settle` of an item whose system waits by itself: a poll asks again, a caller waits for its answer."""


class Health(StrEnum):
    """How a connector is."""

    OK = "ok"
    DEGRADED = "degraded"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Probe:
    """How a connector is, with a reason a person can act on."""

    health: Health
    reason: str = ""
    last_data: datetime | None = None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a connector may know of the hub: its own name in routes.yaml, the site, where relative paths start."""

    system: str
    site: str
    timezone: ZoneInfo
    folder: str = "."
    owns: frozenset[str] = field(default_factory=frozenset)
    """The data objects this system owns here: what it pushes about them is a statement, about others a request."""


Speaks: TypeAlias = Literal["http", "soap", "mqtt", "opcua", "nats"]


class ConnectorConfig(BaseModel):
    """A connector's part of `systems:`. Field descriptions are the reference page, the lint and the editor's help.

    Secrets are `pydantic.SecretStr`, so that nothing prints them. Relative paths start at the config file's folder.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    speaks: ClassVar[Speaks | None] = None
    """The wire on which a route test can play the system; then there is `moved`, and over soap `described`, over opcua
    `nodes`, over nats `spoken_on`."""

    connector: str = Field(description="Kind of connector, as listed by `mombus connectors`.")

    def moved(self, url: str, *, answer_s: float | None = None) -> Self:
        """The same for a stand-in of the system at `url` on this machine, without TLS and credentials.

        `answer_s`, if given, is how long it waits for an answer.
        """
        raise NotImplementedError(f"{self.connector} can't be played over its wire")

    def described(self, address: str) -> bytes:
        """The WSDL of a service at `address` that takes every document this connector sends."""
        raise NotImplementedError(f"{self.connector} speaks no SOAP")

    def nodes(self, folder: Path) -> Signals:
        """Which nodes of its server are signals, and which are called and written; paths start at `folder`."""
        raise NotImplementedError(f"{self.connector} speaks no OPC UA")

    def spoken_on(self, system: str) -> str:
        """What all subjects of a system of this name begin with."""
        raise NotImplementedError(f"{self.connector} speaks no NATS")

    @property
    def longest_call_s(self) -> float:
        """How long one write may take until its outcome counts as unknown; override it with what is configured.

        A system is taken to be able to act on a write for as long again after the line was cut.
        """
        return 60.0


class Connector(Protocol):
    """One system's connector. Constructing it does no I/O and can't fail but with ConfigError."""

    Config: ClassVar[type[ConnectorConfig]]
    summary: ClassVar[str]
    """One line for the list of kinds."""

    def __init__(self, config: Any, surroundings: Surroundings) -> None: ...

    async def connect(self) -> None:
        """Open what it needs; called again after NotConnected. Raises RetryableError, Halted, ConfigError."""

    async def close(self) -> None:
        """Close everything, also half open. Never raises. A system that another hub had may be connected again."""

    async def probe(self) -> Probe:
        """How it is, from something the system answered lately; at most a second. Never raises."""


@runtime_checkable
class Source(Protocol):
    """Reads a system."""

    offers: frozenset[Offer]
    """What it says, known per instance: generic wires learn it from YAML."""

    def read(self, bookmark: str | None) -> AsyncIterator[Item]:
        """Yield items from the bookmark on, for ever. The hub asks for the next one when it can store it.

        Raises NotConnected when the connection is lost: the hub connects again and reads from the last stored bookmark.
        """


@runtime_checkable
class Sink(Protocol):
    """Writes to a system."""

    accepts: Mapping[Offer, Accept]

    async def write(self, messages: Sequence[Message]) -> Sequence[Receipt | ConnectorError]:
        """Write them in order and return one result each, in order. Never raises ConnectorError for a single one.

        Every call that is made for them is noted by `connectors.exchange.calling`, and so in `find`.

        Raises NotConnected or Halted for the whole call only if nothing of it was sent.
        """

    async def find(self, message: Message) -> Receipt | Absent:
        """Did it take effect? Raises OutcomeUnknown when that can't be told, NotConnected when nobody answers.

        Raises Rejected when the target took it and refused it later: it has no effect there any more.
        """


@runtime_checkable
class Parallel(Protocol):
    """A sink that several hubs may be connected to and write to at once, each what is in other lanes.

    A connector whose system knows it by one session, or takes one client only, doesn't say this.
    """

    parallel: ClassVar[bool]


@runtime_checkable
class Renders(Protocol):
    """A sink that can show what its system would be told, by the very functions that tell it. No I/O."""

    def rendered(self, message: Message) -> Sequence[Rendered]:
        """The requests that writing `message` makes, in order; what is read from the system first isn't among them.

        Raises MappingError when the message can't be said.
        """


@runtime_checkable
class Answers(Protocol):
    """Answers a get about objects its system owns."""

    def answer(self, get: Message) -> AsyncIterator[Message]:
        """Yield one show per thing that matches; nothing matches: nothing."""


@runtime_checkable
class Hosted(Protocol):
    """Serves HTTP for its system under the hub's one server."""

    path: str
    """Where it listens, such as `/in/erp`."""
    door: DoorConfig
    """Who may come in there. The hub asks for the credentials and keeps the limits before `app` hears of a request."""

    def app(self, deliver: Callable[[Item], Awaitable[Sequence[Outcome]]]) -> ASGIApp:
        """The ASGI application for that path. The system's reply is sent only after `deliver` has returned.

        `deliver` raises RetryableError when the hub can't take the item now. An item without `settle` is then kept on
        disk as long as there is room, and its outcomes are those of what was taken.
        """


@runtime_checkable
class Translates(Protocol):
    """Says again what a document means that it gave as `Item.raw`, by its mapping of today. No I/O."""

    async def translate(self, raw: Raw) -> Item:
        """Messages and faults of the document. Never raises for what the document holds."""


@runtime_checkable
class Snapshot(Protocol):
    """Can tell everything it owns of one object."""

    complete: bool
    """True if what a snapshot lacks doesn't exist any more."""

    def snapshot(self, object: str, keys: Sequence[str] | None = None) -> AsyncIterator[Message]:
        """Yield one sync per thing, all of them or the given keys."""
