"""What delivery works with: targets, the rules of their routes, and what observers are told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from canonical.message import Message
from canonical.subjects import PARTITIONS
from connectors.connector import Level, Sink
from connectors.exchange import Noted
from mombus.config.closing import Closing
from mombus.journal.inboxes import inbox_of, inboxes_of, shard_of

if TYPE_CHECKING:
    from mombus.delivery.in_hand import InHand

WRITE_TIMEOUT_S = 60.0
"""How long a write may take where nothing else is said."""

Expression: TypeAlias = Callable[[Mapping[str, Any]], Any]
"""A compiled expression over `{body, object, verb, action, source, key, occurred, …}`. May raise ValueError."""


@dataclass(frozen=True, slots=True)
class Missing:
    """A message can't be written yet: `object` `id` isn't known. `kind` is what would make it known."""

    kind: Literal["reference", "alias"]
    object: str
    id: str


Prepare: TypeAlias = Callable[[str, Message], Awaitable["Message | Missing"]]
"""(target system, message) → the message in the target's words, or what is missing for that."""

Publish: TypeAlias = Callable[[Message], Awaitable[Any]]
"""Publishes a message; returns once it is stored. Publishing the same id again is harmless."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One route as one of its targets sees it.

    `effect` is what counts as done, `within_s` the promise in seconds from when the message was recorded.
    `when` decides entry: once the target has a thing, it gets every later revision. `map` returns the body to send.
    `start` is where a new route begins: `now`; `snapshot`, the latest of each state and no older facts; or a time.
    `after` are the objects of which nothing that came before in its lane may await posting when it goes.
    """

    object: str
    effect: Level = Level.ACCEPTED
    within_s: float | None = None
    when: Expression | None = None
    map: Expression | None = None
    start: datetime | Literal["now", "snapshot"] = "snapshot"
    after: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One system that gets messages: its sink, the rules of its routes and the objects it owns (and is asked about).

    `connect` opens the sink again after NotConnected; without it the sink's own `connect` is used.
    `write_timeout_s` is how long a write or find may take before its outcome counts as unknown, `calm_s` how long the
    target may still act on a write after that ended without its answer. `closed` tells of a
    time the closing that it is in. `rate_per_s` is how many messages are written to it at most. `serialise_by` are the
    objects of which two messages that name the same one are never written at once. `lacking_s` is how long what it
    refuses for missing stock waits until it is parked. With a `shard` it is one of the target's shards: it gets what is
    in the lanes of that partition.
    """

    system: str
    sink: Sink
    rules: Sequence[Rule] = ()
    owned: frozenset[str] = frozenset()
    connect: Callable[[], Awaitable[None]] | None = None
    write_timeout_s: float = WRITE_TIMEOUT_S
    calm_s: float = 65.0
    closed: Callable[[datetime], Closing | None] | None = None
    rate_per_s: float | None = None
    serialise_by: frozenset[str] = frozenset()
    lacking_s: float = 8 * 3600.0
    shard: int | None = None

    @property
    def inbox(self) -> str:
        """The name of its inbox."""
        return inbox_of(self.system, self.shard)

    @property
    def inboxes(self) -> tuple[str, ...]:
        """Every inbox of the system."""
        return inboxes_of(self.system, 1 if self.shard is None else PARTITIONS)

    def has(self, lane: str) -> bool:
        """True if a lane is this one's."""
        return self.shard is None or self.shard == shard_of(lane)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How often and how long things are tried again. Delays double from `first_s` to `most_s`, with jitter.

    `attempts`: how often a message is tried before it is parked. `window`: messages a target may have in hand.
    `ack_wait_s`: after how long without a sign of life the broker delivers a message again.
    """

    first_s: float = 1.0
    most_s: float = 300.0
    attempts: int = 30
    window: int = 2000
    ack_wait_s: float = 60.0
    idle_s: float = 2.0
    """How long a fetch waits for a message; a lost consumer is noticed after as long."""


class State(StrEnum):
    """What happened to a message at one target."""

    DELIVERED = "delivered"
    SUPERSEDED = "superseded"
    FILTERED = "filtered"
    REJECTED = "rejected"
    SKIPPED = "skipped"
    RETRYING = "retrying"
    WAITING = "waiting"
    PARKED = "parked"
    IN_DOUBT = "in doubt"
    REPEATED = "repeated"
    """It came again after it was dealt with: nothing was sent."""
    ALARM = "alarm"
    """The target itself: halted, reading lost. `message_id` is empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """One thing that happened to one message at one target. `delay_s` counts from when the message was recorded.

    `recorded`, `traceparent` and `correlation` are the message's own, where it is at hand.
    """

    at: datetime
    target: str
    state: State
    message_id: str = ""
    object: str = ""
    key: str = ""
    reason: str = ""
    document: str | None = None
    delay_s: float | None = None
    late: bool = False
    recorded: datetime | None = None
    traceparent: str | None = None
    correlation: str | None = None


Observe: TypeAlias = Callable[[Hop], None]
"""Is told of every hop, in the delivery loop: returns at once and keeps what it keeps bounded."""


class Heard(NamedTuple):
    """What was exchanged with a target for some messages: when they were written, or `asked` about.

    `attempts` says for each message which attempt it was.
    """

    target: str
    asked: bool
    attempts: Mapping[str, int]
    noted: Noted


Overhear: TypeAlias = Callable[[Heard], None]
"""Is told of every exchange with a target: returns at once and keeps what it keeps bounded."""


class Condition(StrEnum):
    """How a target's inbox is."""

    STARTING = "starting"
    RUNNING = "running"
    RECONNECTING = "reconnecting"
    HALTED = "halted"
    """Credentials or a licence: a person resumes it."""
    CLOSED = "closed"
    """It is in a closed window; it opens by itself."""
    FAILING = "failing"
    """The broker or the journal doesn't work; it is tried again."""
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How a target's inbox is: why, since when, how much is before it, in hand and waiting, and the last delivery.

    `unsent` tells of what is in hand object by object; what waits tells of itself.
    """

    target: str
    condition: Condition
    reason: str
    since: datetime
    lag: int
    in_hand: int
    unsent: Sequence[InHand] = ()
    waiting: Mapping[str, int] = field(default_factory=dict)
    last_delivery: datetime | None = None
    oldest_waiting: datetime | None = None

    @property
    def late(self) -> int:
        """How much of what is in hand is over its deadline."""
        return sum(one.late for one in self.unsent)
