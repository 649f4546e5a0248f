"""The inbox of one target: its parts, put together and run side by side."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from mombus.delivery.arrivals import Arrivals
from mombus.delivery.bodies import Bodies
from mombus.delivery.breaking import break_off
from mombus.delivery.calm import Calm
from mombus.delivery.commands import Commands
from mombus.delivery.dead import Dead
from mombus.delivery.gate import Gate
from mombus.delivery.hand import Hand
from mombus.delivery.in_hand import Unsent, in_hand, unsent
from mombus.delivery.loading import Loading
from mombus.delivery.locks import Locks
from mombus.delivery.opening import waiting_entries
from mombus.delivery.posting import Posting
from mombus.delivery.reader import Reader
from mombus.delivery.reading import Reading
from mombus.delivery.replaying import Replaying
from mombus.delivery.reversing import Reversing
from mombus.delivery.routing import Routing
from mombus.delivery.settling import Settling
from mombus.delivery.standing import Standing
from mombus.delivery.target import Condition, Hop, State, Status
from mombus.delivery.turns import Turns
from mombus.delivery.waking import Waking
from mombus.delivery.writing import Writing
from mombus.journal import deliveries, replays, waiting
from mombus.journal.waiting import Wait

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from datetime import datetime

    from nats.js import JetStreamContext

    from mombus.delivery.lanes import Entry
    from mombus.delivery.open_writes import OpenWrites
    from mombus.delivery.target import Observe, Overhear, Patience, Prepare, Publish, Target
    from mombus.journal.journal import Journal


class Inbox:
    """Delivers to one target until closed. Its lanes are its own: nobody else changes them."""

    def __init__(
        self, target: Target, *, js: JetStreamContext, journal: Journal, site: str, publish: Publish,
        observe: Observe, prepare: Prepare | None, patience: Patience, clock: Callable[[], datetime],
        open_writes: OpenWrites, overhear: Overhear | None,
    ) -> None:  # fmt: skip
        self.target = target
        self.journal = journal
        self.patience = patience
        self.clock = clock
        self.recalled = asyncio.Event()
        """Set once it knows what waits: before that nothing can be said of it."""
        self.routing = Routing(target)
        self.bodies = Bodies(js, self.routing)
        self.hand = Hand(lambda: asyncio.get_running_loop().time())
        self.waking = Waking()
        self.standing = Standing(target, patience=patience, clock=clock, alarm=self._alarm, nudge=self.waking.nudge)
        dead = Dead(js, target.system, site)
        self.settling = Settling(
            target, journal, self.hand, publish, observe, clock=clock, wake=self.waking.at_due,
            parked=dead.copy, failing=self.standing.failing,
        )  # fmt: skip
        self._calm = Calm(target.calm_s, patience.first_s, lambda: asyncio.get_running_loop().time())
        self.writing = Writing(
            target, self.settling, self.bodies, Reversing(target, journal, self.hand), self._calm, publish,
            prepare, patience, clock, overhear,
        )  # fmt: skip
        self.posting = Posting(self)
        self.commands = Commands(self)
        self.replaying = Replaying(self)
        self._arrivals = Arrivals(
            target.system, self.routing, self.bodies, target.sink.accepts, self.hand, journal, self.settling, publish,
            dead.unreadable,
        )  # fmt: skip
        loading = Loading(
            target.system, bodies=self.bodies, hand=self.hand, journal=journal, settling=self.settling
        )  # fmt: skip
        self._turns = Turns(
            hand=self.hand, writing=self.writing, settling=self.settling, loading=loading, standing=self.standing,
            waking=self.waking, gate=Gate(target, clock=clock, now=lambda: asyncio.get_running_loop().time()),
            locks=Locks(self._serialised_by), open_writes=open_writes, poll=self.posting.poll, alarm=self._alarm,
        )  # fmt: skip
        self._reading = Reading(
            target, site, Reader(js, f"to-{target.inbox}", patience), self.routing, self._arrivals, self.hand,
            journal, self.settling, self.standing, self.waking, patience, self._turns.room, self._alarm,
        )  # fmt: skip

    @property
    def opened(self) -> asyncio.Event:
        """Set once its routes have begun: what is stored from then on reaches the target."""
        return self._reading.opened

    @property
    def busy(self) -> bool:
        """True while something is being written or is about to be: neither waits nor is held back by a stop."""
        moving = self.standing.condition in {Condition.STARTING, Condition.RUNNING, Condition.FAILING}
        return moving and (bool(self.hand.live) or self._turns.busy)

    async def run(self) -> None:
        """Deliver until cancelled or drained. Raises OtherStream when the stream isn't the journal's."""
        await self._recall()
        tasks = [asyncio.create_task(self._turns.run()), asyncio.create_task(self._keep_alive())]
        try:
            await self._reading.run()
            await self.standing.leave()
            await self._turns.finish()
            self.standing.set(Condition.STOPPED, "drained")
        finally:
            await break_off(*tasks)

    async def look(self) -> None:
        """Know what waits and how far is read, of an inbox that another hub has; it is never run."""
        settled = await self.journal.read(partial(deliveries.position, inbox=self.target.inbox))
        self.hand.read = settled or 0
        await self._remember()
        self.hand.catch_up()
        self.opened.set()

    async def has_done(self, seq: int) -> bool:
        """True if everything stored up to `seq` that is the target's is dealt with, or in the waiting room."""
        through = await self._reading.through()
        return through >= seq and all(one > seq for one in self.hand.unsettled)

    def drain(self) -> None:
        """Read no more; finish what is being written."""
        self._reading.drain()

    async def close(self) -> None:
        """Let go of the broker. What was in hand comes again after the next start."""
        await self.standing.leave()
        await self._turns.close()
        await self._reading.close()
        self.standing.set(Condition.STOPPED, "closed")

    def resume(self) -> None:
        """Go on after a halt."""
        self.standing.resume()

    async def status(self) -> Status:
        """How it is."""
        rows = await self.journal.survey(lambda connection: waiting.summary(connection, self.target.system))
        return Status(
            target=self.target.system, condition=self.standing.condition, reason=self.standing.reason,
            since=self.standing.since, lag=self._reading.lag, in_hand=self.hand.live,
            unsent=in_hand(self.hand.entries.values(), self.clock()),
            waiting={kind: number for kind, number, _ in rows}, last_delivery=self.settling.last_delivery,
            oldest_waiting=min((since for *_, since in rows), default=None),
        )  # fmt: skip

    def unsent(self, ids: Collection[str]) -> list[Unsent]:
        """Which of these messages are in hand and weren't given to the target yet."""
        known = (self.hand.entries[id] for id in ids if id in self.hand.entries)
        reason = None if self.standing.condition is Condition.RUNNING else self._why_not()
        return [
            Unsent(entry.id, self.target.system, message.recorded, entry.attempts, reason)
            for entry, message in unsent(known)
        ]

    def _why_not(self) -> str:
        standing = self.standing
        return f"{self.target.system} is {standing.condition}{f': {standing.reason}' if standing.reason else ''}"

    def _serialised_by(self, entry: Entry) -> frozenset[str]:
        accept = self.writing.accept(entry.offer) if entry.offer is not None else None
        return self.target.serialise_by | (accept.serialise_by if accept is not None else frozenset())

    async def _recall(self) -> None:
        """What the journal remembers of the time before the stop."""
        mine = self.target
        self._calm.begin()
        await self.settling.commit(partial(replays.withdraw_cancelled, inbox=mine.inbox, has=mine.has))
        await self._remember()
        self.recalled.set()

    async def _remember(self) -> None:
        mine = self.target
        entries, intents = await waiting_entries(self.journal, mine, self.clock())
        self._arrivals.intents = intents
        for entry in entries:
            if entry.kind is Wait.POSTING:
                self.hand.owing.add(entry)
            else:
                self.hand.add(entry)
            if entry.kind is Wait.STOCK:
                self.hand.stock.lacks(entry)
            if entry.missing is not None:
                self.hand.awaited.add(entry.missing)
            if entry.due is not None:
                self.waking.at_due(entry)

    async def _keep_alive(self) -> None:
        """Tell the broker that what is in hand is in hand."""
        while True:
            await asyncio.sleep(self.patience.ack_wait_s / 3)
            for entry in list(self.hand.entries.values()):
                if entry.delivery is not None:
                    with suppress(Exception):
                        await entry.delivery.in_progress()

    def _alarm(self, reason: str) -> None:
        self.settling.tell(Hop(at=self.clock(), target=self.target.system, state=State.ALARM, reason=reason))
