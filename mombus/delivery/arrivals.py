"""Taking in what was read: what is known or not the target's is acknowledged, the rest gets a place in its lanes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from canonical.message import Message
from canonical.objects import Kind, UnknownObjectError
from canonical.wire import HeaderError, from_stored
from connectors.connector import MappingError, Offer
from mombus.delivery import replies
from mombus.delivery.lanes import Entry, Phase
from mombus.delivery.settling import Ending, Settlement, acknowledge
from mombus.delivery.target import Rule, State
from mombus.delivery.verdict import ToWait
from mombus.journal import deliveries
from mombus.journal.deliveries import Outcome
from mombus.journal.waiting import Wait

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from nats.aio.msg import Msg

    from connectors.connector import Accept
    from mombus.delivery.bodies import Bodies
    from mombus.delivery.hand import Hand
    from mombus.delivery.reader import Place
    from mombus.delivery.routing import Routing
    from mombus.delivery.settling import Settling
    from mombus.delivery.target import Publish
    from mombus.journal.deliveries import Done, Known
    from mombus.journal.journal import Journal


@dataclass(slots=True)
class Arrival:
    """A message as it came: where it stands, how to acknowledge it, what it says.

    `states`: it is a revision of a state, which may supersede or be superseded.
    `decided` is the rule that a `when` chose, if the body had to be fetched for that.
    """

    place: Place
    delivery: Msg
    message: Message
    states: bool
    decided: Rule | str | MappingError | None = None


@dataclass(frozen=True, slots=True)
class Beginning:
    """Where a route began."""

    from_seq: int
    from_time: datetime | None

    def includes(self, place: Place) -> bool:
        """True if a message at `place` is new enough for the route."""
        if place.seq < self.from_seq:
            return False
        return self.from_time is None or datetime.fromtimestamp(place.stored_ns / 1e9, UTC) >= self.from_time


class Arrivals:
    """Takes in for one target."""

    def __init__(  # noqa: PLR0917 - wired in one place
        self, system: str, routing: Routing, bodies: Bodies, accepts: Mapping[Offer, Accept], hand: Hand,
        journal: Journal, settling: Settling, publish: Publish, unreadable: Callable[[Place, Msg, str], None],
    ) -> None:  # fmt: skip
        self._system = system
        self._routing = routing
        self._bodies = bodies
        self._accepts = accepts
        self._hand = hand
        self._journal = journal
        self._settling = settling
        self._publish = publish
        self._unreadable = unreadable
        self.beginnings: dict[str, Beginning] = {}
        self.intents: set[str] = set()

    async def take(self, fetched: Sequence[tuple[Place, Msg]]) -> None:
        """Take a batch in. What needs no write to the target is settled when this returns."""
        arrivals: list[Arrival] = []
        for place, delivery in fetched:
            arrival = self._read(place, delivery) if self._routing.wants(delivery.subject) else None
            if arrival is None:
                await acknowledge(delivery)
            else:
                await self._decide(arrival)
                arrivals.append(arrival)
        known = await self._look_up(arrivals)
        settlement = Settlement()
        done: list[Arrival] = []
        for arrival in arrivals:
            if arrival.message.id in known.done or self._hand.recent.get(arrival.message.id):
                done.append(arrival)
            else:
                self._place(arrival, known, settlement, done)
        self._hand.read = max(self._hand.read, *(place.seq for place, _ in fetched))
        if settlement:
            await self._settling.settle(settlement)
        for arrival in done:
            await self._repeated(arrival, known.done.get(arrival.message.id))

    def _read(self, place: Place, delivery: Msg) -> Arrival | None:
        try:
            message = from_stored(delivery.subject, delivery.headers or {}, delivery.data)
            states = is_state(message) and message.revision is not None and message.verb.states and message.to is None
        except (HeaderError, UnknownObjectError) as error:
            self._unreadable(place, delivery, str(error))
            return None
        return Arrival(place, delivery, message, states)

    async def _decide(self, arrival: Arrival) -> None:
        """Choose the rule now, one body in memory at a time, where a `when` decides about one that is kept apart."""
        if arrival.message.claim is None or not self._routing.is_conditional(arrival.message):
            return
        try:
            arrival.decided = await self._bodies.rule(arrival.message, entered=False)
        except MappingError as error:
            arrival.decided = error

    async def _look_up(self, arrivals: Sequence[Arrival]) -> Known:
        ids = [arrival.message.id for arrival in arrivals]
        states = [(a.message.object, a.message.key) for a in arrivals if a.states]
        conditional = [
            (a.message.object, a.message.key) for a in arrivals if self._routing.is_conditional(a.message)
        ]  # fmt: skip
        known = await self._journal.read(
            lambda connection: deliveries.look_up(connection, self._system, ids, states, conditional)
        )
        return deliveries.Known(
            {message_id: done for message_id, done in known.done.items() if done.outcome is not Outcome.INTENT},
            known.revisions, known.entered,
        )  # fmt: skip

    def _place(self, arrival: Arrival, known: Known, settlement: Settlement, done: list[Arrival]) -> None:
        """Decide about one message that isn't dealt with."""
        message, hand = arrival.message, self._hand
        same = hand.entries.get(message.id)
        if same is not None:
            self._comes_again(same, arrival, done)
            return
        rule = self._rule(arrival, known)
        if isinstance(rule, str):
            self._not_ours(arrival, rule, done)
            return
        entry = self._entry(arrival, rule if isinstance(rule, Rule) else None)
        self.intents.discard(entry.id)
        hand.hold(entry)
        if isinstance(rule, MappingError):
            hand.add(entry)
            settlement.waits.append((entry, ToWait(Wait.PARKED, str(rule))))
            return
        self._queue(entry, known, settlement)

    def _comes_again(self, entry: Entry, arrival: Arrival, done: list[Arrival]) -> None:
        """Delivered again while in hand: the newest delivery is the one to acknowledge."""
        if entry.delivery is None or entry.seq != arrival.place.seq:
            done.append(arrival)
        else:
            entry.delivery = arrival.delivery

    def _rule(self, arrival: Arrival, known: Known) -> Rule | str | MappingError:
        message = arrival.message
        beginning = self.beginnings.get(self._routing.beginning_of(message))
        if beginning is None or not beginning.includes(arrival.place):
            return "from before the route began" if beginning else "no route brings it here"
        thing = (message.object, message.key)
        conditional = self._routing.is_conditional(message)
        inside = conditional and (thing in known.entered or self._hand.recent_entered.get(thing) is not None)
        try:
            rule = arrival.decided
            if rule is None or (inside and isinstance(rule, str)):
                rule = self._routing.rule_for(message, inside)
        except MappingError as error:
            return error
        if isinstance(rule, Rule) and conditional and not inside:
            self._hand.recent_entered.put(thing, arrival.place.seq)
        return rule

    def _not_ours(self, arrival: Arrival, reason: str, done: list[Arrival]) -> None:
        entry = self._entry(arrival, None)
        self._settling.hop(entry, State.FILTERED, reason)
        done.append(arrival)

    def _entry(self, arrival: Arrival, rule: Rule | None) -> Entry:
        message = arrival.message
        within = timedelta(seconds=rule.within_s) if rule is not None and rule.within_s is not None else None
        return Entry(
            id=message.id, seq=arrival.place.seq, object=message.object, key=message.key,
            lanes=message.lanes or (f"{message.object}:{message.key}",), message=message, rule=rule,
            revision=message.revision if arrival.states else None, offer=Offer(message.object, message.verb),
            delivery=arrival.delivery, deadline=message.recorded + within if within else None,
            enters=rule is not None and self._routing.is_conditional(message), open=message.id in self.intents,
        )  # fmt: skip

    def _queue(self, entry: Entry, known: Known, settlement: Settlement) -> None:
        newest = self._hand.newest.get(entry.thing) if entry.revision is not None else None
        reason = self._old(entry, newest, known)
        no_taker = self._no_taker(entry) if not reason else None
        self._hand.add(entry)
        if reason or no_taker is not None:
            entry.phase = Phase.GONE
        if reason:
            settlement.endings.append(Ending(entry, Outcome.SUPERSEDED, reason=reason))
        elif no_taker is not None:
            settlement.endings.append(no_taker)
        elif (undone := self._undone(entry)) is not None:
            entry.phase = undone.phase = Phase.GONE
            by = f"reversed by {entry.key} while it waited"
            gone = f"what it reverses, {undone.object} {undone.key}, hadn't reached {self._system}"
            settlement.endings += [
                Ending(undone, Outcome.SKIPPED, reason=by), Ending(entry, Outcome.SKIPPED, reason=gone),
            ]  # fmt: skip
        else:
            if newest is not None and self._replaces(entry, newest):
                newest.phase = Phase.GONE
                settlement.endings.append(Ending(newest, Outcome.SUPERSEDED, reason=f"revision {entry.revision} came"))
            if self._hand.lanes.is_blocked(entry):
                settlement.waits.append((entry, ToWait(Wait.BEHIND, f"behind what waits in {', '.join(entry.lanes)}")))
            else:
                self._hand.turn(entry)

    def _old(self, entry: Entry, newest: Entry | None, known: Known) -> str | None:
        """Why a state's revision is not to be sent any more."""
        if entry.revision is None:
            return None
        has = max(known.revisions.get(entry.thing, -1), self._hand.recent_revisions.get(entry.thing) or -1)
        if newest is not None and newest.revision is not None:
            has = max(has, newest.revision)
        return f"revision {has} is there or on its way" if has >= entry.revision else None

    def _replaces(self, entry: Entry, older: Entry) -> bool:
        """True if the older revision needn't be sent: nothing stands between them, and it has had no effect yet."""
        if older.open or older.revision is None:
            return False
        if older.phase is Phase.STORED and older.kind in {None, Wait.IN_DOUBT, Wait.HELD}:
            return False
        return older.phase in {Phase.QUEUED, Phase.STORED} and self._hand.lanes.neighbour(entry, older)

    def _undone(self, entry: Entry) -> Entry | None:
        """What an entry reverses, if that waits here and certainly had no effect: then neither need be sent."""
        reverses = entry.message.reverses if entry.message is not None else None
        original = self._hand.entries.get(reverses) if reverses is not None else None
        if original is None or original.open or original.phase is not Phase.STORED:
            return None
        return None if original.kind in {None, Wait.IN_DOUBT, Wait.HELD} else original

    def _no_taker(self, entry: Entry) -> Ending | None:
        """How it ends when the connector doesn't take what nobody routed to it: replies and requests."""
        message, offer = entry.message, entry.offer
        if message is None or offer is None or offer in self._accepts:
            return None
        reason = f"{self._system}'s connector takes no {offer.verb} of {offer.object}"
        if message.verb.asks:
            reply = replies.rejected(message, reason, self._system, datetime.now(UTC))
            return Ending(entry, Outcome.REJECTED, reason=reason, reply=reply)
        if message.to is not None or message.verb.replies:
            return Ending(entry, Outcome.SKIPPED, reason=reason)
        return None

    async def _repeated(self, arrival: Arrival, done: Done | None) -> None:
        """It was dealt with: say its reply again, and acknowledge it."""
        if done is not None and done.reply_headers is not None:
            await self._publish(replies.unpacked(done.reply_headers, done.reply_content or b""))
        await acknowledge(arrival.delivery)


def is_state(message: Message) -> bool:
    """True for an object whose newest revision replaces the older. Raises UnknownObjectError."""
    return message.row.kind is Kind.STATE
