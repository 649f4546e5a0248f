"""Stands in for a system: it takes what the real connector would send, and answers as a case says."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

from connectors.connector import (
    LONGEST_WAIT_S,
    Absent,
    Accept,
    ConnectorConfig,
    ConnectorError,
    Halted,
    Health,
    Lacking,
    Level,
    NotConnected,
    Offer,
    OutcomeUnknown,
    Probe,
    Receipt,
    Rejected,
    Rendered,
    Renders,
    RetryableError,
    Sink,
)

if TYPE_CHECKING:
    from canonical.message import Message
    from connectors.connector import Connector
    from mombus.trial.cases import Answer


@dataclass(frozen=True, slots=True)
class Got:
    """What the system got: the message in its ids, and the requests if its connector can show them."""

    message: Message
    requests: Sequence[Rendered]


class Played(Protocol):
    """A system of a case: what the hub connects to, and what that got."""

    got: list[Got]

    @property
    def connector(self) -> Connector:
        """What the hub has as the system's connector."""

    def exchanged(self, message_id: str) -> Sequence[str]:
        """What went over the wire for a message: each call with its answer."""


class StandIn:
    """A system that only says things."""

    Config: ClassVar[type[ConnectorConfig]] = ConnectorConfig
    summary: ClassVar[str] = "A stand-in of a route test."

    def __init__(self) -> None:
        self.got: list[Got] = []

    @property
    def connector(self) -> Connector:
        """What the hub has in place of the system's connector."""
        return self

    def exchanged(self, _message_id: str) -> Sequence[str]:
        """Nothing does."""
        return ()

    async def connect(self) -> None:
        """Always there."""

    async def close(self) -> None:
        """Nothing to close."""

    async def probe(self) -> Probe:
        """Well."""
        return Probe(Health.OK)


class TakingStandIn(StandIn):
    """A system that is written to. `accepts` is the real connector's."""

    def __init__(self, system: str, connector: Sink, answers: Sequence[Answer]) -> None:
        super().__init__()
        self.accepts: Mapping[Offer, Accept] = connector.accepts
        self._system = system
        self._connector = connector
        self._answers = deque(answers)
        self._receipts: dict[str, Receipt] = {}

    async def write(self, messages: Sequence[Message]) -> Sequence[Receipt | ConnectorError]:
        """As Sink.write, each message answered as the case says."""
        results: list[Receipt | ConnectorError] = []
        for message in messages:
            try:
                results.append(self._answered(message))
            except (NotConnected, Halted) as error:
                if not results:
                    raise
                results.append(error)
            except ConnectorError as error:
                results.append(error)
        return results

    async def find(self, message: Message) -> Receipt | Absent:
        """What it took it has."""
        return self._receipts.get(message.id) or Absent()

    def _answered(self, message: Message) -> Receipt:
        requests = self._connector.rendered(message) if isinstance(self._connector, Renders) else ()
        answer = self._next(message)
        error = _error(answer) if answer is not None else None
        if not isinstance(error, NotConnected | Halted):
            self.got.append(Got(message, requests))
        if error is not None and not (answer and answer.silent == "took"):
            raise error
        self._receipts[message.id] = receipt = self._receipt(message, answer)
        if error is not None:
            raise error
        return receipt

    def _next(self, message: Message) -> Answer | None:
        """The first answer that is for it; one that is given some times only goes when it was given."""
        for at, answer in enumerate(self._answers):
            if answer.object not in {None, message.object}:
                continue
            if answer.times == 1 or (answer.times is None and self._another(at)):
                del self._answers[at]
            elif answer.times is not None:
                self._answers[at] = answer.model_copy(update={"times": answer.times - 1})
            return answer
        return None

    def _another(self, at: int) -> bool:
        """True if a later answer is for the same objects: then this one is given once."""
        mine = self._answers[at].object
        return any(other.object in {None, mine} for other in list(self._answers)[at + 1 :])

    def _receipt(self, message: Message, answer: Answer | None) -> Receipt:
        accept = self.accepts[Offer(message.object, message.verb)]
        if accept.level is not Level.POSTED or (answer is not None and answer.takes):
            return Receipt(min(accept.level, Level.ACCEPTED, key=list(Level).index))
        number = answer.number if answer is not None and answer.number else None
        return Receipt(Level.POSTED, number or f"{self._system.upper()}-{len(self._receipts) + 1}")


def stand_in(system: str, connector: Connector, answers: Sequence[Answer]) -> StandIn:
    """What stands in for a connector. The connector itself is never connected."""
    return TakingStandIn(system, connector, answers) if isinstance(connector, Sink) else StandIn()


def _error(answer: Answer) -> ConnectorError | None:  # noqa: PLR0911 - one line per answer
    """What an answer other than taking it is. It isn't tried again by itself: nothing in a case takes time."""
    if answer.refuses is not None:
        return Rejected(answer.refuses)
    if answer.lacks is not None:
        return Lacking(answer.lacks)
    if answer.busy is not None:
        return RetryableError(answer.busy, LONGEST_WAIT_S)
    if answer.down is not None:
        return NotConnected(answer.down)
    if answer.halted is not None:
        return Halted(answer.halted)
    if answer.silent is not None:
        return OutcomeUnknown("no answer in time")
    return None
