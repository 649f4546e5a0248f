"""The inbox of one target: reads what is its, writes what has its turn, wakes what waits."""

from __future__ import annotations

import asyncio
import heapq
from contextlib import suppress
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from connectors.connector import Effect, Halted, MappingError, Offer
from mombus.delivery.arrivals import Arrivals
from mombus.delivery.commands import Commands
from mombus.delivery.dead import Dead
from mombus.delivery.hand import Hand
from mombus.delivery.lanes import Entry, Phase
from mombus.delivery.opening import open_reading, waiting_entries
from mombus.delivery.posting import Posting
from mombus.delivery.reader import OtherStream, Reader, ReadingLost
from mombus.delivery.routing import Routing
from mombus.delivery.settling import Ending, Settlement, Settling
from mombus.delivery.target import Condition, Hop, State, Status
from mombus.delivery.verdict import Stop, ToWait, back_off, text
from mombus.delivery.writing import Writing
from mombus.journal import deliveries, waiting
from mombus.journal.deliveries import Outcome
from mombus.journal.waiting import Wait

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from datetime import datetime

    from nats.js import JetStreamContext
    from sqlalchemy import Connection

    from canonical.message import Message
    from connectors.connector import Accept
    from mombus.delivery.target import Observe, Patience, Prepare, Publish, Target
    from mombus.journal.journal import Journal

LOAD = 100
"""Messages taken from the waiting room at once."""
NEWER = "a newer revision is there"


class Inbox:
    """Delivers to one target until closed. Its lanes are its own: nobody else changes them."""

    def __init__(
        self, target: Target, *, js: JetStreamContext, journal: Journal, site: str, publish: Publish,
        observe: Observe, prepare: Prepare | None, patience: Patience, clock: Callable[[], datetime],
    ) -> None:  # fmt: skip
        self.target = target
        self._journal = journal
        self._site = site
        self._patience = patience
        self._clock = clock
        self._routing = Routing(target)
        self._reader = Reader(js, f"to-{target.system}", patience)
        self.hand = Hand(lambda: asyncio.get_running_loop().time())
        self._dead = Dead(js, target.system, site)
        self.settling = Settling(
            target.system, journal, self.hand, publish, observe, clock=clock, wake=self.wake_at,
            parked=self._dead.copy, posting=self._watch, failing=self._failing,
        )  # fmt: skip
        self._writing = Writing(target, self.settling, publish, prepare, patience, clock)
        self._arrivals = Arrivals(
            target.system, self._routing, target.sink.accepts, self.hand, journal, self.settling, publish,
            self._dead.unreadable,
        )  # fmt: skip
        self.posting = Posting(self)
        self.commands = Commands(self)
        self.opened = asyncio.Event()
        self._timers: list[tuple[float, int, Entry]] = []
        self._numbers = count()
        self._work_to_do = asyncio.Event()
        self._room = asyncio.Event()
        self._going = asyncio.Event()
        self._going.set()
        self._writes: dict[Offer, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._reconnecting: asyncio.Task[None] | None = None
        self._draining = False
        self._lag = 0
        self._condition = Condition.STARTING
        self._reason = "starting"
        self._since = clock()

    @property
    def journal(self) -> Journal:
        """Where outcomes and waiting messages are kept."""
        return self._journal

    @property
    def patience(self) -> Patience:
        """How often and how long things are tried again."""
        return self._patience

    @property
    def routing(self) -> Routing:
        """Which messages are its, and under which rule."""
        return self._routing

    @property
    def writing(self) -> Writing:
        """Speaks with the sink."""
        return self._writing

    @property
    def clock(self) -> Callable[[], datetime]:
        """Tells the time."""
        return self._clock

    async def run(self) -> None:
        """Deliver until cancelled or drained. Raises OtherStream when the stream isn't the journal's."""
        await self._recall()
        tasks = [asyncio.create_task(self._dispatch()), asyncio.create_task(self._keep_alive())]
        try:
            await self._read()
            await self._finish()
            self._set(Condition.STOPPED, "drained")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def drain(self) -> None:
        """Read no more; finish what is being written."""
        self._draining = True
        self._room.set()
        if self._reconnecting is not None:
            self._reconnecting.cancel()

    async def close(self) -> None:
        """Let go of the broker. What was in hand comes again after the next start."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._reader.close()
        self._set(Condition.STOPPED, "closed")

    def pause(self, reason: str) -> None:
        """Write nothing until `resume`."""
        self._going.clear()
        self._set(Condition.PAUSED, reason)

    def resume(self) -> None:
        """Go on after a pause or a halt."""
        self._going.set()
        self._set(Condition.RUNNING, "")
        self.nudge()

    def nudge(self) -> None:
        """There may be work to do."""
        self._work_to_do.set()

    def wake_at(self, entry: Entry) -> None:
        """Look at an entry again at its due time."""
        heapq.heappush(self._timers, (entry.due or 0.0, next(self._numbers), entry))
        self.nudge()

    async def status(self) -> Status:
        """How it is."""
        rows = await self._journal.read(lambda connection: waiting.summary(connection, self.target.system))
        return Status(
            target=self.target.system, condition=self._condition, reason=self._reason, since=self._since,
            lag=self._lag, in_hand=self.hand.live, waiting={kind: number for kind, number, _ in rows},
            last_delivery=self.settling.last_delivery, oldest_waiting=min((since for *_, since in rows), default=None),
        )  # fmt: skip

    async def _recall(self) -> None:
        """What the journal remembers of the time before the stop."""
        entries, intents = await waiting_entries(self._journal, self.target.system, self._clock())
        self._arrivals.intents = intents
        for entry in entries:
            if entry.kind is Wait.POSTING:
                self.posting.watch(entry)
            else:
                self.hand.add(entry)
            if entry.due is not None:
                self.wake_at(entry)

    async def _read(self) -> None:
        attempts = 0
        reopen = True
        while not self._draining:
            try:
                if reopen:
                    await self._open()
                    reopen = False
                await self._read_once()
                attempts = 0
            except OtherStream:
                raise
            except ReadingLost as lost:
                self._alarm(f"reading lost: {lost}; reading again from the journal's position")
                reopen = True
                attempts += 1
                await asyncio.sleep(min(5.0, back_off(attempts, self._patience)) if attempts > 1 else 0)
            except Exception as error:  # noqa: BLE001 - broker or journal: nothing is lost, it is tried again
                attempts += 1
                reopen = True
                self._failing(f"reading failed: {text(error)}")
                await asyncio.sleep(min(5.0, back_off(attempts, self._patience)))

    async def _open(self) -> None:
        self._arrivals.beginnings, after = await open_reading(
            self._journal, self._reader, self.target.system, self._routing
        )
        self.hand.read = max(self.hand.read, after)
        await self._reader.open(self._routing.filter(self._site), after)
        self.opened.set()
        await self.settling.publish_replies()
        if self._going.is_set():
            self._set(Condition.RUNNING, "")

    async def _read_once(self) -> None:
        room = self._patience.window - self.hand.live
        if room <= self._patience.window // 4 or not self._going.is_set():
            self._room.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._room.wait(), self._patience.idle_s)
            return
        fetched = await self._reader.fetch(room)
        if fetched:
            await self._arrivals.take(fetched)
            self._lag = fetched[-1][0].pending
        if not fetched or not self._lag:
            self._lag = 0
            self.hand.catch_up()
        if self._condition is Condition.FAILING:
            self._set(Condition.RUNNING, "")
        self.nudge()

    async def _dispatch(self) -> None:
        while True:
            await self._going.wait()
            self._work_to_do.clear()
            self._ring()
            try:
                await self._load()
            except SQLAlchemyError as error:
                self._failing(f"the waiting room can't be read: {text(error)}")
                await asyncio.sleep(1.0)
            except Exception as error:  # noqa: BLE001 - a fault of our own: what could be read still gets its turn
                self._alarm(f"what waits can't be looked at again: {text(error)}")
            if not self._going.is_set():
                continue
            for offer in list(self.hand.ready):
                self._start_writes(offer)
            self._room.set()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._work_to_do.wait(), self._next_due_s())

    def _next_due_s(self) -> float | None:
        if not self._timers:
            return None
        return max(0.0, self._timers[0][0] - asyncio.get_running_loop().time())

    def _ring(self) -> None:
        """Give what is due its turn."""
        now = asyncio.get_running_loop().time()
        while self._timers and self._timers[0][0] <= now:
            due, _, entry = heapq.heappop(self._timers)
            if entry.due != due:
                continue
            if entry.kind is Wait.POSTING:
                self._start(self.posting.poll(entry))
            elif entry.phase is Phase.STORED and entry.id in self.hand.entries:
                self.hand.turn(entry)

    async def _load(self) -> None:
        """Bring what may go back from the waiting room."""
        queue = self.hand.to_load
        while queue:
            taken = [queue.popleft() for _ in range(min(LOAD, len(queue)))]
            part = [entry for entry in taken if entry.phase is Phase.STORED]
            try:
                messages, newest = await self._journal.read(partial(_waiting, self.target.system, part))
            except SQLAlchemyError:
                queue.extendleft(reversed(taken))
                raise
            for thing, revision in newest.items():
                self.hand.recent_revisions.put(thing, revision)
            refused = Settlement()
            for entry in part:
                if entry.phase is Phase.STORED and entry.id in messages:
                    self._bring(entry, messages[entry.id], refused)
            if refused:
                await self.settling.settle(refused)

    def _bring(self, entry: Entry, message: Message, refused: Settlement) -> None:
        entry.message = message
        if self.hand.outdated(entry):
            entry.phase = Phase.GONE
            refused.endings.append(Ending(entry, Outcome.SUPERSEDED, reason=NEWER))
            return
        try:
            rule = self._routing.rule_for(message, entered=True)
        except MappingError as error:
            rule = str(error)
        if isinstance(rule, str):
            refused.waits.append((entry, ToWait(Wait.PARKED, rule, open=entry.open)))
            return
        entry.phase, entry.rule, entry.offer = Phase.QUEUED, rule, Offer(message.object, message.verb)
        self.hand.turn(entry)

    def _start_writes(self, offer: Offer) -> None:
        accept = self._writing.accept(offer)
        batch, concurrency = _limits(accept)
        ready = self.hand.ready[offer]
        outdated = Settlement()
        while ready and self._writes.get(offer, 0) < concurrency:
            group: list[Entry] = []
            while ready and len(group) < batch:
                entry = ready.popleft()
                if entry.phase is Phase.QUEUED and self.hand.outdated(entry):
                    entry.phase = Phase.GONE
                    outdated.endings.append(Ending(entry, Outcome.SUPERSEDED, reason=NEWER))
                elif entry.phase is Phase.QUEUED:
                    entry.phase = Phase.WRITING
                    group.append(entry)
            if group:
                self._writes[offer] = self._writes.get(offer, 0) + 1
                self._start(self._write(offer, group))
        if not ready:
            del self.hand.ready[offer]
        if outdated:
            self._start(self._settle(outdated))

    async def _write(self, offer: Offer, group: list[Entry]) -> None:
        unsent: list[Entry] = []
        stop: Stop | None = None
        written = asyncio.Event()

        def leave() -> None:
            """Make room for the next write, once."""
            if not written.is_set():
                written.set()
                self._writes[offer] -= 1
                self.nudge()

        try:
            unsent, stop = await self._writing.write(group, offer, leave)
        except Exception as error:  # noqa: BLE001 - a fault of our own stops these messages, not their target
            await self._park(group, f"delivery itself failed: {text(error)}")
        finally:
            leave()
        if stop is not None:
            self.hand.again(unsent)
            if self._going.is_set():
                self._going.clear()
                self._reconnecting = self._start(self._stopped(stop))
        self.nudge()

    async def _settle(self, settlement: Settlement) -> None:
        await self.settling.settle(settlement)
        self.nudge()

    async def _park(self, group: list[Entry], reason: str) -> None:
        left = [entry for entry in group if entry.phase is Phase.WRITING]
        await self.settling.settle(Settlement(waits=[(e, ToWait(Wait.PARKED, reason, open=e.open)) for e in left]))

    async def _stopped(self, stop: Stop) -> None:
        """Nothing is written until the target is back, or a person has acted."""
        attempts = 0
        while not stop.person:
            attempts += 1
            if self._condition is not Condition.PAUSED:
                self._set(Condition.RECONNECTING, stop.reason)
            await asyncio.sleep(min(5.0, back_off(attempts, self._patience)))
            try:
                await (self.target.connect or self.target.sink.connect)()  # type: ignore[attr-defined]
            except Halted as error:
                stop = Stop(text(error), person=True)
            except Exception as error:  # noqa: BLE001 - whatever it is, the target is tried again
                stop = Stop(text(error), person=False)
            else:
                if self._condition is not Condition.PAUSED:
                    self.resume()
                return
        self._set(Condition.HALTED, stop.reason)
        self._alarm(f"halted: {stop.reason}")

    def _start(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._alarm(f"delivery itself failed: {text(error)}")

    async def _finish(self) -> None:
        """Wait for what is being written; what hasn't begun comes again after the next start."""
        self._going.clear()
        if self._tasks:
            await asyncio.wait(set(self._tasks))

    async def _keep_alive(self) -> None:
        """Tell the broker that what is in hand is in hand."""
        while True:
            await asyncio.sleep(self._patience.ack_wait_s / 3)
            for entry in list(self.hand.entries.values()):
                if entry.delivery is not None:
                    with suppress(Exception):
                        await entry.delivery.in_progress()

    def _watch(self, entry: Entry) -> None:
        self.posting.watch(entry)

    def _failing(self, reason: str | None) -> None:
        if reason is not None:
            self._set(Condition.FAILING, reason)
        elif self._condition is Condition.FAILING:
            self._set(Condition.RUNNING, "")

    def _set(self, condition: Condition, reason: str) -> None:
        if condition is not self._condition:
            self._since = self._clock()
        self._condition, self._reason = condition, reason

    def _alarm(self, reason: str) -> None:
        self.settling.tell(Hop(at=self._clock(), target=self.target.system, state=State.ALARM, reason=reason))


def _waiting(
    system: str, entries: list[Entry], connection: Connection
) -> tuple[dict[str, Message], dict[tuple[str, str], int]]:
    """The messages of waiting entries, and the revisions that the target has of what they are about."""
    states = [entry.thing for entry in entries if entry.revision is not None]
    found = waiting.messages(connection, system, [entry.id for entry in entries])
    return found, deliveries.look_up(connection, system, [], states, []).revisions


def _limits(accept: Accept | None) -> tuple[int, int]:
    """How many messages a write may hold and how many writes may be open. Blind ones go one at a time."""
    if accept is None or accept.effect is Effect.BLIND:
        return 1, 1
    return accept.batch, accept.concurrency
