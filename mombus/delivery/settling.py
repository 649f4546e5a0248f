"""Settling: one transaction for what became of a group of messages, then replies, acknowledgements and hops."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from canonical.wire import to_headers
from mombus.delivery import replies
from mombus.delivery.lanes import Entry, Phase
from mombus.delivery.target import Hop, State
from mombus.delivery.verdict import ToWait
from mombus.journal import deliveries, requests, waiting
from mombus.journal.deliveries import Outcome
from mombus.journal.waiting import Wait

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from canonical.message import Message
    from connectors.connector import Level
    from mombus.delivery.hand import Hand
    from mombus.delivery.target import Observe, Publish, Target
    from mombus.journal.journal import Journal

_STATES = {Wait.RETRYING: State.RETRYING, Wait.PARKED: State.PARKED, Wait.IN_DOUBT: State.IN_DOUBT}
_OUTCOMES = {
    Outcome.DELIVERED: State.DELIVERED,
    Outcome.SUPERSEDED: State.SUPERSEDED,
    Outcome.REJECTED: State.REJECTED,
    Outcome.SKIPPED: State.SKIPPED,
}


@dataclass(slots=True)
class Ending:
    """How a handover ends: an outcome, perhaps with a reply. `posting`: the target still owes a further level."""

    entry: Entry
    outcome: Outcome
    level: Level | None = None
    document: str | None = None
    reason: str | None = None
    reply: Message | None = None
    posting: ToWait | None = None


@dataclass(slots=True)
class Settlement:
    """What one transaction says: endings, entries that go to wait, intents taken back, and what records who did it.

    `reopened`: deliveries that the target doesn't have any more. `unasked`: requests that nobody acts on for now.
    """

    endings: list[Ending] = field(default_factory=list)
    waits: list[tuple[Entry, ToWait]] = field(default_factory=list)
    withdrawn: list[str] = field(default_factory=list)
    reopened: list[str] = field(default_factory=list)
    unasked: list[str] = field(default_factory=list)
    record: Callable[[Connection], None] | None = None

    def __bool__(self) -> bool:
        return bool(self.endings or self.waits or self.withdrawn or self.unasked)


class Settling:
    """Settles for one target. `parked` is told of each message that a person must now see, `wake` of each that is
    tried again at its due time."""

    def __init__(
        self, target: Target, journal: Journal, hand: Hand, publish: Publish, observe: Observe,
        *, clock: Callable[[], datetime], wake: Callable[[Entry], None], parked: Callable[[Entry, Message, str], None],
        failing: Callable[[str | None], None],
    ) -> None:  # fmt: skip
        self._system = target.system
        self._inbox = target.inbox
        self._journal = journal
        self._hand = hand
        self._publish = publish
        self._observe = observe
        self._clock = clock
        self._wake = wake
        self._parked = parked
        self._failing = failing
        self._noted = 0
        self.last_delivery: datetime | None = None

    async def settle(self, settlement: Settlement) -> None:
        """Commit, publish the replies, acknowledge, tell, and give their turn to those behind."""
        now = self._clock()
        waits = self._with_those_behind(settlement.waits)
        for entry, _ in waits:
            entry.phase = Phase.STORED
        rows = [self._outcome_row(ending, now) for ending in settlement.endings]
        room = [self.waiting_row(entry, to_wait, now) for entry, to_wait in waits]
        room += [self.waiting_row(e.entry, e.posting, now) for e in settlement.endings if e.posting is not None]
        work = self._work(settlement, waits, rows, room)
        await self.commit(work)
        await self._reply(settlement.endings)
        await self._acknowledge([*(ending.entry for ending in settlement.endings), *(entry for entry, _ in waits)])
        for ending, row in zip(settlement.endings, rows, strict=True):
            self._end(ending, late=row["late"], now=now)
        for entry, to_wait in waits:
            self._store(entry, to_wait)

    def has_now(self, entry: Entry) -> None:
        """The target took it: an older revision that comes by another lane is outdated from now on."""
        if entry.revision is not None:
            newest = self._hand.recent_revisions.get(entry.thing)
            self._hand.recent_revisions.put(entry.thing, max(entry.revision, newest or 0))

    async def commit(self, work: Callable[[Connection], Any]) -> Any:
        """Run `work` in the journal, again until it is committed: nothing is acknowledged before."""
        delay_s = 0.1
        while True:
            try:
                result = await self._journal.write(work)
            except IntegrityError:
                raise
            except SQLAlchemyError as error:
                self._failing(f"the journal doesn't take outcomes: {str(error).splitlines()[0]}")
                await asyncio.sleep(delay_s)
                delay_s = min(10.0, delay_s * 2)
            else:
                self._failing(None)
                return result

    async def publish_replies(self) -> None:
        """Publish the replies that were decided before a stop and perhaps not published."""
        pending = await self._journal.read(lambda connection: deliveries.unreplied(connection, self._system))
        for _, headers, content in pending:
            await self._publish(replies.unpacked(headers, content))
        if pending:
            ids = [message_id for message_id, _, _ in pending]
            await self.commit(lambda connection: deliveries.mark_replied(connection, self._system, ids))

    async def note_position(self, step: int) -> None:
        """Keep how far all is settled if that is `step` further than noted: what was read was none of the target's."""
        through = self._hand.settled_through(())
        if through >= self._noted + step:
            await self.commit(lambda connection: deliveries.settle(connection, self._inbox, through))
            self._noted = through

    def hop(self, entry: Entry, state: State, reason: str = "", *, now: datetime | None = None, **more: Any) -> None:
        """Tell the observer what happened to an entry, now if no time is given."""
        message = entry.message
        now = now or self._clock()
        if message is not None:
            more |= {
                "delay_s": (now - message.recorded).total_seconds(), "recorded": message.recorded,
                "traceparent": message.traceparent, "correlation": message.correlation,
            }  # fmt: skip
        self.tell(Hop(at=now, target=self._system, state=state, message_id=entry.id, object=entry.object, key=entry.key,
                      reason=reason, **more))  # fmt: skip

    def tell(self, hop: Hop) -> None:
        """Tell the observer."""
        try:
            self._observe(hop)
        except Exception:  # noqa: BLE001 - an observer that fails doesn't stop delivery
            return

    def _with_those_behind(self, waits: Sequence[tuple[Entry, ToWait]]) -> list[tuple[Entry, ToWait]]:
        """Whatever can't go because of an entry that waits goes to the waiting room with it."""
        all_waits = {entry.id: (entry, to_wait) for entry, to_wait in waits}
        for entry, _ in waits:
            for other in self._hand.lanes.behind(entry):
                all_waits.setdefault(other.id, (other, ToWait(Wait.BEHIND, f"behind {entry.object} {entry.key}")))
        return list(all_waits.values())

    def _work(
        self, settlement: Settlement, waits: Sequence[tuple[Entry, ToWait]], rows: list[dict[str, Any]],
        room: list[dict[str, Any]],
    ) -> Callable[[Connection], None]:  # fmt: skip
        entries = [*(ending.entry for ending in settlement.endings), *(entry for entry, _ in waits)]
        own = [entry.seq for entry in entries if entry.delivery is not None]
        seq = self._hand.settled_through(own) if own else None
        self._noted = max(self._noted, seq or 0)
        taken = [e.entry.id for e in settlement.endings if e.entry.roomed and e.posting is None]
        newest = _newest(settlement.endings)
        entering: dict[tuple[str, str], int] = {}
        for entry in entries:
            if entry.enters:
                entering[entry.thing] = min(entry.seq, entering.get(entry.thing, entry.seq))
        withdrawn = [*settlement.withdrawn, *(entry.id for entry, to_wait in waits if not to_wait.open and entry.open)]
        unasked = [*settlement.unasked, *(entry.id for entry, to_wait in waits if entry.asks and not to_wait.open)]
        target, inbox = self._system, self._inbox

        def work(connection: Connection) -> None:
            deliveries.reopen(connection, target, settlement.reopened)
            deliveries.withdraw(connection, target, withdrawn)
            requests.let_go(connection, unasked)
            deliveries.record(connection, rows)
            deliveries.advance(connection, target, newest)
            deliveries.enter(connection, target, entering)
            waiting.take(connection, target, taken)
            waiting.put(connection, room)
            if seq is not None:
                deliveries.settle(connection, inbox, seq)
            if settlement.record is not None:
                settlement.record(connection)

        return work

    def _outcome_row(self, ending: Ending, now: datetime) -> dict[str, Any]:
        entry = ending.entry
        headers, content = replies.packed(ending.reply) if ending.reply is not None else (None, None)
        return {
            "target": self._system, "message_id": entry.id, "seq": entry.seq, "object": entry.object, "key": entry.key,
            "outcome": ending.outcome, "level": ending.level, "document": ending.document, "reason": ending.reason,
            "late": entry.deadline is not None and now > entry.deadline, "attempts": entry.attempts, "at": now,
            "reply_headers": headers, "reply_content": content, "replied": headers is None,
        }  # fmt: skip

    def waiting_row(self, entry: Entry, to_wait: ToWait, now: datetime) -> dict[str, Any]:
        """The row of the waiting room for an entry in hand."""
        message = entry.in_hand
        due = now + timedelta(seconds=to_wait.delay_s) if to_wait.delay_s is not None else None
        entry.since = entry.since or now
        return {
            "target": self._system, "message_id": entry.id, "seq": entry.seq, "object": entry.object, "key": entry.key,
            "revision": entry.revision, "lanes": json.dumps(entry.lanes), "kind": to_wait.kind,
            "reason": to_wait.reason, "since": entry.since, "attempts": entry.attempts, "due": due,
            "deadline": entry.deadline, "waived": entry.waived,
            "missing_object": entry.missing[0] if entry.missing else None,
            "missing_id": entry.missing[1] if entry.missing else None, "replay": entry.replay, "history": entry.history,
            "headers": json.dumps(to_headers(message)), "content": message.content,
        }  # fmt: skip

    async def _reply(self, endings: Sequence[Ending]) -> None:
        answered = [ending for ending in endings if ending.reply is not None]
        for ending in answered:
            await self._publish_surely(ending.reply)
        if answered:
            ids = [ending.entry.id for ending in answered]
            await self.commit(lambda connection: deliveries.mark_replied(connection, self._system, ids))

    async def _publish_surely(self, reply: Message | None) -> None:
        """A reply that can't be stored now is tried until it can: the request isn't acknowledged before."""
        delay_s = 0.1
        while reply is not None:
            try:
                await self._publish(reply)
            except Exception as error:  # noqa: BLE001 - whatever the broker says, the reply is owed
                self._failing(f"a reply can't be published: {type(error).__name__}: {error}")
                await asyncio.sleep(delay_s)
                delay_s = min(10.0, delay_s * 2)
            else:
                self._failing(None)
                return

    async def _acknowledge(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            if entry.delivery is not None:
                await acknowledge(entry.delivery)
                entry.delivery = None
                self._hand.let_go(entry)

    def _end(self, ending: Ending, *, late: bool, now: datetime) -> None:
        entry = ending.entry
        if ending.outcome is Outcome.DELIVERED:
            self.last_delivery = now
            self.has_now(entry)
            if entry.message is not None:
                self._hand.brought(entry.message)
        self.hop(entry, _OUTCOMES[ending.outcome], ending.reason or "", now=now, document=ending.document, late=late)
        if ending.posting is not None:
            self._hand.owing.add(entry)
        if entry.id in self._hand.entries:
            self._hand.drop(entry)
        if ending.posting is not None:
            self._store_posting(entry, ending.posting)

    def _store_posting(self, entry: Entry, posting: ToWait) -> None:
        entry.roomed, entry.kind, entry.phase = True, posting.kind, Phase.STORED
        entry.attempts, entry.open = 0, False
        entry.due = asyncio.get_running_loop().time() + (posting.delay_s or 0)
        self._wake(entry)

    def _store(self, entry: Entry, to_wait: ToWait) -> None:
        if entry.phase is not Phase.STORED:
            return
        self.hop(entry, _STATES.get(to_wait.kind, State.WAITING), to_wait.reason)
        if to_wait.kind in {Wait.PARKED, Wait.IN_DOUBT} and entry.message is not None:
            self._parked(entry, entry.message, to_wait.reason)
        entry.roomed, entry.kind, entry.open = True, to_wait.kind, to_wait.open
        self._hand.unload(entry)
        if to_wait.kind is Wait.STOCK:
            self._hand.stock.lacks(entry)
        if entry.missing is not None:
            self._hand.awaited.add(entry.missing)
        entry.due = None
        if to_wait.delay_s is not None:
            entry.due = asyncio.get_running_loop().time() + to_wait.delay_s
            self._wake(entry)
        self._hand.turn(entry)


async def acknowledge(delivery: Any) -> None:
    """Tell the broker that the journal has it. Losing this is harmless: it comes again and meets the journal."""
    try:
        await delivery.ack()
    except Exception:  # noqa: BLE001 - whatever the client says
        return


def _newest(endings: Sequence[Ending]) -> list[dict[str, Any]]:
    """The revisions that the target has now, the newest of each thing."""
    newest: dict[tuple[str, str], int] = {}
    for ending in endings:
        revision = ending.entry.revision
        if revision is not None and ending.outcome is Outcome.DELIVERED:
            newest[ending.entry.thing] = max(revision, newest.get(ending.entry.thing, revision))
    return [{"object": name, "key": key, "revision": revision} for (name, key), revision in newest.items()]
