"""Gets: a system is asked about what it owns; what it shows goes to the asker by the way of everything it says."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from canonical.message import Action, Message, Verb
from canonical.objects import Kind
from canonical.subjects import filter_subject
from connectors.connector import (
    Accept,
    Answers,
    ConnectorError,
    Effect,
    Item,
    Offer,
    OutcomeUnknown,
    PermanentError,
    Receipt,
    Rejected,
    RetryableError,
    Sink,
)
from mombus.bus.errors import BusError
from mombus.bus.streams import MOM
from mombus.ownership.aliases import Missing

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from connectors.connector import Absent, Connector, Outcome
    from mombus.bus.connection import Bus
    from mombus.bus.requests import Requests
    from mombus.ownership.aliases import Aliases

    TakeIn = Callable[[str, Item], Awaitable[Sequence[Outcome]]]

NOTHING = "nothing matches"
ANSWER = Accept(Effect.IDEMPOTENT, concurrency=4)


class Answering:
    """What a system is written to by: its connector's sink, if it is one, and the gets about what it owns.

    An answer is its shows, stored as one item, and then the acknowledgement. A kill in between makes it be asked
    again: what it had shown keeps its ids, so that the broker drops it, and it never says `nothing matches` after that.
    A get about which its request has expired is not answered any more.
    """

    def __init__(
        self, system: str, connector: Connector, owned: frozenset[str], *, take_in: TakeIn, requests: Requests,
        bus: Bus, aliases: Aliases,
    ) -> None:  # fmt: skip
        self._system = system
        self._sink = connector if isinstance(connector, Sink) else None
        self._connector = connector if isinstance(connector, Answers) else None
        self._taken: Mapping[Offer, Accept] = self._sink.accepts if self._sink is not None else {}
        gets = {Offer(name, Verb.GET): ANSWER for name in owned} if self._connector is not None else {}
        self.accepts: Mapping[Offer, Accept] = {**gets, **self._taken}
        self._take_in = take_in
        self._requests = requests
        self._bus = bus
        self._aliases = aliases

    async def write(self, messages: Sequence[Message]) -> Sequence[Receipt | ConnectorError]:
        """Write them, or answer them if they are gets; they are all of one offer. Raises as `Sink.write`."""
        if self._sink is not None and Offer(messages[0].object, messages[0].verb) in self._taken:
            return await self._sink.write(messages)
        return [await self._answered(get) for get in messages]

    async def find(self, message: Message) -> Receipt | Absent:
        """Did it take effect? Raises as `Sink.find`."""
        if self._sink is None:
            raise OutcomeUnknown("the connector writes nothing, so that nothing can be read back")
        return await self._sink.find(message)

    async def _answered(self, get: Message) -> Receipt | ConnectorError:
        try:
            shows = await self._shows(get)
            if await self._requests.is_over(get.id):
                return Rejected("the get expired before it was answered, and its asker was told")
            return await self._passed_on(get, shows)
        except PermanentError as no:
            return Rejected(str(no))
        except ConnectorError as error:
            return error
        except BusError as error:
            return RetryableError(f"the answer can't be stored now: {error}")

    async def _shows(self, get: Message) -> tuple[Message, ...]:
        """All of the answer: half of a list would be taken for the whole."""
        if self._connector is None:
            raise Rejected(f"the connector answers no get of {get.object}")
        asked = self._aliases.asked(self._system, get)
        if isinstance(asked, Missing):
            raise Rejected(str(asked))
        return tuple([
            replace(show, verb=Verb.SHOW, action=None, correlation=get.id, to=get.source)
            async for show in self._connector.answer(asked)
        ])  # fmt: skip

    async def _passed_on(self, get: Message, shows: tuple[Message, ...]) -> Receipt:
        if not shows:
            shown = await self._showed_before(get)
            return Receipt() if shown else Receipt(reply=self._acknowledgement(get, NOTHING))
        outcomes = await self._take_in(self._system, Item(messages=shows))
        refused = [outcome for outcome in outcomes if not outcome.accepted]
        if len(refused) == len(outcomes):
            raise Rejected(refused[0].reason or "its answer was refused")
        if refused:
            reason = f"{len(refused)} of {len(outcomes)} were refused: {refused[0].key}: {refused[0].reason}"
            return Receipt(reply=self._acknowledgement(get, reason))
        return Receipt()

    async def _showed_before(self, get: Message) -> bool:
        """True if an answer to this get was stored, but the hub stopped before it could note that."""
        key = get.key if get.key and get.row.kind is Kind.STATE else None
        last = await self._bus.last(MOM, filter_subject(
            site=get.site, object=get.object, verb=Verb.SHOW, system=self._system, key=key
        ))  # fmt: skip
        return last is not None and last[1].correlation == get.id

    def _acknowledgement(self, get: Message, reason: str) -> Message:
        """The end of an answer; delivery gives it its id and addresses it."""
        now = datetime.now(UTC)
        return Message(
            id=get.id, object=get.object, verb=Verb.ACKNOWLEDGE, action=Action.ACCEPTED, source=self._system,
            site=get.site, key=get.key, lanes=get.lanes, occurred=now, recorded=now, revision=0, reason=reason,
            traceparent=get.traceparent,
        )  # fmt: skip
