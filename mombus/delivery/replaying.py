"""Replaying: history goes to a target again, by the waiting room, so that lanes, journal and intents hold as always.

What is selected is judged part by part. What is to be sent gets a row in the waiting room, behind what is live in its
lanes and in the order of history; in the same transaction the replay's row says how far it has got. A hub that is
killed before that judges the same part again, one that is killed after it finds the rows waiting: nothing is lost and
nothing is put there twice. What the target got is told by the journal, which a live message meets as well.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING

from connectors.connector import Effect, MappingError, Offer
from mombus.delivery.arrivals import is_state
from mombus.delivery.lanes import Entry, Phase
from mombus.delivery.target import Rule
from mombus.delivery.verdict import ToWait
from mombus.journal import deliveries, replays, waiting
from mombus.journal.deliveries import Outcome
from mombus.journal.replays import Manner
from mombus.journal.waiting import Wait

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection

    from canonical.message import Message
    from mombus.delivery.inbox import Inbox
    from mombus.journal.deliveries import Known


class Fate(StrEnum):
    """What becomes of a message of a replay."""

    SENT = "sent"
    REPEATED = "sent again under its id"
    """The target recognises it, or is asked first: no second effect."""
    THERE = "already there"
    SUPERSEDED = "superseded"
    """The target has a newer revision, or one is on its way."""
    FILTERED = "not for it"
    """No route brings it there, or `when` isn't met."""
    WAITS = "on its way"
    """It waits for the target, or the target hasn't come so far."""
    RETRIED = "tried again"
    """It was parked."""


LOOK_S = 0.05
SENDING = frozenset({Fate.SENT, Fate.REPEATED})


@dataclass(frozen=True, slots=True)
class Judged:
    """One message of a replay: where it stands in history, what becomes of it and why. `rule` if it is sent."""

    seq: int
    message: Message
    fate: Fate
    reason: str = ""
    rule: Rule | None = None
    enters: bool = False


@dataclass(slots=True)
class Terms:
    """How a replay goes: `replay` is its id. `entered` are the things that entered by it and that the journal doesn't
    know of yet, `seen` the messages of the part that is being judged."""

    replay: str
    manner: Manner
    entered: set[tuple[str, str]] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)


class Replaying:
    """The replays of one target."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    @property
    def in_hand(self) -> int:
        """How many replayed messages wait for their turn or are being written; parked ones don't count."""
        entries = self._inbox.hand.entries.values()
        return sum(entry.replay is not None and _moves(entry) for entry in entries)

    async def ready(self) -> None:
        """Return once everything that was in hand at the last stop has come again: before, nobody knows what is
        settled and what is on its way."""
        await self._inbox.opened.wait()
        while not self._inbox.hand.caught_up:  # noqa: ASYNC110 - once after a start
            await asyncio.sleep(LOOK_S)

    async def judge(self, messages: Sequence[tuple[int, Message]], terms: Terms) -> list[Judged]:
        """What becomes of those of the messages that are in its lanes, in order, once it is `ready`.

        Changes nothing but `terms`.
        """
        part = [(seq, message) for seq, message in messages if self._inbox.target.has(message.lane)]
        terms.seen.clear()
        system = self._inbox.target.system
        ids = [message.id for _, message in part] + [second_id(message, terms.replay) for _, message in part]
        states = [(m.object, m.key) for _, m in part if is_state(m)]
        conditional = [(m.object, m.key) for _, m in part if self._inbox.routing.is_conditional(m)]
        known = await self._inbox.journal.read(
            lambda connection: deliveries.look_up(connection, system, ids, states, conditional)
        )
        return [await self._judge(seq, message, terms, known) for seq, message in part]

    async def put(self, judged: Sequence[Judged], terms: Terms, position: int) -> bool:
        """Do what was judged; the replay has got to `position` then. False when it doesn't run any more."""
        inbox = self._inbox
        entries = [self._entry(one, terms) for one in judged if one.fate in SENDING]
        for entry in entries:
            inbox.hand.add(entry)
        retried = [
            found for one in judged
            if one.fate is Fate.RETRIED and (found := inbox.hand.entries.get(one.message.id)) is not None
        ]  # fmt: skip
        try:
            runs: bool = await inbox.settling.commit(self._work(judged, entries, retried, terms, position))
        except BaseException:
            self._take_back(entries)
            raise
        if not runs:
            self._take_back(entries)
            return False
        for entry in entries:
            entry.kind, entry.message = Wait.REPLAYED, None
            inbox.hand.turn(entry)
        for entry in retried:
            entry.kind, entry.due, entry.attempts = Wait.RETRYING, None, 0
            inbox.hand.turn(entry)
        terms.entered.clear()
        inbox.waking.nudge()
        return True

    async def withdraw(self, replay: str) -> int:
        """Take out what a replay brought and wasn't begun; returns how many."""
        inbox = self._inbox
        entries = [
            entry for entry in inbox.hand.entries.values()
            if entry.replay == replay and entry.phase is Phase.STORED and entry.kind in {Wait.REPLAYED, Wait.BEHIND}
        ]  # fmt: skip
        for entry in entries:
            entry.phase = Phase.GONE
        ids = [entry.id for entry in entries]
        await inbox.settling.commit(partial(waiting.take, target=inbox.target.system, ids=ids))
        for entry in entries:
            inbox.hand.drop(entry)
        inbox.waking.nudge()
        return len(entries)

    async def _judge(self, seq: int, message: Message, terms: Terms, known: Known) -> Judged:
        thing = (message.object, message.key)
        on_its_way = self._on_its_way(seq, message, terms)
        if on_its_way is not None:
            return on_its_way
        conditional = self._inbox.routing.is_conditional(message)
        inside = conditional and (thing in terms.entered or self._entered_before(seq, thing, known))
        rule = await self._rule(message, inside)
        if isinstance(rule, str):
            return Judged(seq, message, Fate.FILTERED, rule)
        if seq > self._inbox.hand.read:
            return Judged(seq, message, Fate.WAITS, "the target hasn't come so far yet")
        if conditional:
            terms.entered.add(thing)
        terms.seen.add(message.id)
        has = self._newest(message, known)
        if has is not None and message.revision is not None and has > message.revision:
            return Judged(seq, message, Fate.SUPERSEDED, f"revision {has} is there or on its way")
        fate, reason = self._by_manner(message, terms, known, is_there=has is not None and has == message.revision)
        return Judged(seq, message, fate, reason, rule, enters=conditional)

    def _entered_before(self, seq: int, thing: tuple[str, str], known: Known) -> bool:
        """True if a thing had passed the `when` when the message at `seq` came: by an earlier one."""
        found = (known.entered.get(thing), self._inbox.hand.recent_entered.get(thing))
        return any(since is not None and since <= seq for since in found)

    def _on_its_way(self, seq: int, message: Message, terms: Terms) -> Judged | None:
        if message.id in terms.seen:
            return Judged(seq, message, Fate.THERE, "selected before")
        entry = self._find(message.id) or self._find(second_id(message, terms.replay))
        if entry is None:
            return None
        if entry.kind is Wait.PARKED and entry.phase is Phase.STORED and terms.manner is not Manner.AGAIN:
            terms.seen.add(message.id)
            return Judged(seq, message, Fate.RETRIED, "it was parked")
        return Judged(seq, message, Fate.WAITS, f"it is {entry.kind or 'being written'}")

    def _find(self, id: str) -> Entry | None:
        return self._inbox.hand.entries.get(id) or self._inbox.hand.owing.get(id)

    async def _rule(self, message: Message, inside: bool) -> Rule | str:
        if message.to is not None or not message.verb.states:
            return "a request or a reply is never replayed"
        if Offer(message.object, message.verb) not in self._inbox.target.sink.accepts:
            return f"the connector takes no {message.verb} of {message.object}"
        try:
            return await self._inbox.bodies.rule(message, entered=inside)
        except MappingError as error:
            return str(error)

    def _newest(self, message: Message, known: Known) -> int | None:
        """The newest revision of a state that the target has, or that is on its way."""
        if not is_state(message):
            return None
        thing = (message.object, message.key)
        entry = self._inbox.hand.newest.get(thing)
        found = (
            known.revisions.get(thing), self._inbox.hand.recent_revisions.get(thing), entry.revision if entry else None
        )  # fmt: skip
        return max((revision for revision in found if revision is not None), default=None)

    def _by_manner(self, message: Message, terms: Terms, known: Known, *, is_there: bool) -> tuple[Fate, str]:
        done = known.done.get(second_id(message, terms.replay) if terms.manner is Manner.AGAIN else message.id)
        there = done is not None and done.outcome is Outcome.DELIVERED
        if done is not None and done.outcome is Outcome.INTENT:
            return Fate.WAITS, "it is being written"
        if terms.manner is Manner.AGAIN:
            return (Fate.THERE, "sent by this replay") if there else (Fate.SENT, f"as {terms.replay}")
        if not there and not is_there:
            return Fate.SENT, done.outcome if done is not None else "never sent"
        if terms.manner is Manner.MISSING:
            return Fate.THERE, "delivered"
        accept = self._inbox.writing.accept(Offer(message.object, message.verb))
        if accept is None or accept.effect is Effect.BLIND:
            return Fate.THERE, "delivered; the target can't be asked whether it still has it"
        return Fate.REPEATED, "the target recognises it" if accept.effect is Effect.IDEMPOTENT else "it is asked first"

    def _entry(self, one: Judged, terms: Terms) -> Entry:
        message, rule = one.message, one.rule
        if terms.manner is Manner.AGAIN:
            message = replace(message, id=second_id(message, terms.replay))
        within_s = rule.within_s if rule is not None else None
        deadline = self._inbox.clock() + timedelta(seconds=within_s) if within_s is not None else None
        return Entry(
            id=message.id, seq=self._inbox.hand.read, object=message.object, key=message.key,
            lanes=message.lanes or (f"{message.object}:{message.key}",), message=message, roomed=True,
            revision=message.revision if is_state(message) else None, offer=Offer(message.object, message.verb),
            phase=Phase.STORED, deadline=deadline, replay=terms.replay, history=one.seq,
        )  # fmt: skip

    def _work(
        self, judged: Sequence[Judged], entries: Sequence[Entry], retried: Sequence[Entry], terms: Terms, position: int
    ) -> Callable[[Connection], bool]:
        inbox, now = self._inbox, self._inbox.clock()
        target = inbox.target.system
        name = inbox.target.inbox
        reason = f"replay {terms.replay}"
        rows = [inbox.settling.waiting_row(entry, ToWait(Wait.REPLAYED, reason), now) for entry in entries]
        entering: dict[tuple[str, str], int] = {}
        for one in judged:
            if one.fate in SENDING and one.enters:
                entering.setdefault((one.message.object, one.message.key), one.seq)
        fates = Counter(one.fate.value for one in judged)

        def work(connection: Connection) -> bool:
            if not replays.advance(connection, terms.replay, name, position=position, fates=fates):
                return False
            waiting.put(connection, rows)
            deliveries.enter_earlier(connection, target, entering)
            for entry in retried:
                waiting.change(
                    connection, target, entry.id, kind=Wait.RETRYING, due=now, attempts=0, reason=reason
                )  # fmt: skip
            return True

        return work

    def _take_back(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            self._inbox.hand.drop(entry)


def second_id(message: Message, replay: str) -> str:
    """The id of a second effect of a message."""
    return f"{message.id}:{replay}"


def _moves(entry: Entry) -> bool:
    return entry.phase is not Phase.STORED or entry.kind in {Wait.REPLAYED, None}
