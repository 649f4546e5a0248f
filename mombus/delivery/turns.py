"""Whose turn it is: starts the writes that may be open at a target, and looks after them until they are settled."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from connectors.connector import Effect
from mombus.delivery.breaking import break_off
from mombus.delivery.lanes import Entry, Phase
from mombus.delivery.loading import NEWER
from mombus.delivery.settling import Ending, Settlement
from mombus.delivery.verdict import Stop, ToWait, text
from mombus.journal.deliveries import Outcome
from mombus.journal.waiting import Wait

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable, Coroutine

    from connectors.connector import Accept, Offer
    from mombus.delivery.gate import Gate
    from mombus.delivery.hand import Hand
    from mombus.delivery.loading import Loading
    from mombus.delivery.locks import Locks
    from mombus.delivery.open_writes import OpenWrites
    from mombus.delivery.settling import Settling
    from mombus.delivery.standing import Standing
    from mombus.delivery.waking import Waking
    from mombus.delivery.writing import Writing

AGAIN_S = 1.0
"""When it is tried again after a fault."""
LOOK_S = 10.0
"""How often it is looked whether a closed target is open: the clock may be set."""


class Turns:
    """Gives the entries of one target their turns. `poll` asks about one that awaits posting; `alarm` tells people.

    `room` is set when there is room in hand to read more.
    """

    def __init__(
        self, *, hand: Hand, writing: Writing, settling: Settling, loading: Loading, standing: Standing, waking: Waking,
        gate: Gate, locks: Locks, open_writes: OpenWrites, poll: Callable[[Entry], Coroutine[None, None, None]],
        alarm: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._hand = hand
        self._writing = writing
        self._settling = settling
        self._loading = loading
        self._standing = standing
        self._waking = waking
        self._gate = gate
        self._locks = locks
        self._poll = poll
        self._alarm = alarm
        self._open_writes = open_writes
        self._tasks: set[asyncio.Task[None]] = set()
        self._resting = False
        self.room = asyncio.Event()

    async def run(self) -> None:
        """Give turns until cancelled."""
        while True:
            try:
                await self._round()
            except Exception as error:  # noqa: BLE001 - a fault of our own: who stopped giving turns would be missed late
                reason = f"delivery itself failed: {text(error)}"
                self._alarm(reason)
                self._standing.failing(reason)
                await asyncio.sleep(AGAIN_S)

    async def _round(self) -> None:
        """Look at all that may go, and wait until there may be more."""
        await self._standing.going.wait()
        if (closing := self._gate.closing()) is not None:
            self._standing.close_until(closing)
            await asyncio.sleep(max(0.0, min(LOOK_S, self._gate.seconds_left(closing))))
            return
        self._waking.begin()
        self._ring()
        await self._load()
        if not self._standing.going.is_set():
            return
        held_back_s = self._start_writes()
        self.room.set()
        self._resting = True
        await self._waking.wait(held_back_s)
        self._resting = False

    @property
    def busy(self) -> bool:
        """True while something is looked at, written or settled, or is about to be."""
        at_work = self._tasks or self._hand.to_load or self._hand.ready
        return bool(at_work) or self._waking.nudged or not self._resting

    async def finish(self) -> None:
        """Begin nothing any more and wait for what is being written; the rest comes again after the next start."""
        self._standing.going.clear()
        if self._tasks:
            await asyncio.wait(set(self._tasks))

    async def close(self) -> None:
        """Break off what is being written."""
        await break_off(*self._tasks)

    def _ring(self) -> None:
        """Give what is due its turn."""
        for entry in self._waking.due():
            if entry.kind is Wait.POSTING:
                self._start(self._poll(entry))
            elif entry.phase is Phase.STORED and entry.id in self._hand.entries:
                self._hand.turn(entry)

    async def _load(self) -> None:
        try:
            await self._loading.load()
        except SQLAlchemyError as error:
            self._standing.failing(f"the waiting room can't be read: {text(error)}")
            await asyncio.sleep(AGAIN_S)
        except Exception as error:  # noqa: BLE001 - a fault of our own: what could be read still gets its turn
            self._alarm(f"what waits can't be looked at again: {text(error)}")

    def _start_writes(self) -> float | None:
        """Start what may be written now; returns after how many seconds the rate lets more through, if it held back."""
        ready, claimed, ending = self._hand.ready, set[str](), Settlement()
        held_back = False
        for offer in sorted(ready, key=lambda offer: ready[offer][0].seq):
            batch, concurrency = _limits(self._writing.accept(offer))
            while ready[offer] and self._open_writes.room(offer, concurrency, self._waking.nudge):
                room = self._gate.room(batch)
                group = self._group(ready[offer], room, claimed, ending) if room else []
                held_back = held_back or not room
                if not group:
                    break
                self._gate.passed(len(group))
                self._begin(offer, group)
            if not ready[offer]:
                del ready[offer]
        if ending:
            self._start(self._settle(ending))
        self._standing.open("kept to its rate" if held_back else "")
        return self._gate.next_s() if held_back else None

    def _group(self, ready: deque[Entry], most: int, claimed: set[str], ending: Settlement) -> list[Entry]:
        """The next entries to write together, no two with one lock key; those that can't go yet keep their place."""
        group: list[Entry] = []
        locked: list[Entry] = []
        while ready and len(group) < most and not (group and (_is_large(group[-1]) or _is_large(ready[0]))):
            entry = ready.popleft()
            if entry.phase is not Phase.QUEUED or self._goes_another_way(entry, ending):
                continue
            if self._locks.take(entry, claimed):
                entry.phase = Phase.WRITING
                group.append(entry)
            else:
                locked.append(entry)
        ready.extendleft(reversed(locked))
        return group

    def _goes_another_way(self, entry: Entry, ending: Settlement) -> bool:
        """True if an entry isn't to be written now: a newer revision is there, or something must be posted first."""
        if self._hand.outdated(entry):
            entry.phase = Phase.GONE
            ending.endings.append(Ending(entry, Outcome.SUPERSEDED, reason=NEWER))
            return True
        first = self._hand.owing.before(entry, entry.rule.after) if entry.rule is not None else None
        if first is None or entry.waived:
            return False
        entry.phase = Phase.STORED
        self._hand.wait_for(entry, first.id)
        reason = f"after {first.object} {first.key}, which isn't posted yet"
        ending.waits.append((entry, ToWait(Wait.AFTER, reason, open=entry.open)))
        return True

    def _begin(self, offer: Offer, group: list[Entry]) -> None:
        """Begin a write; others have room when it is written, and surely when it has ended, begun or not."""
        written = asyncio.Event()
        self._open_writes.begin(offer)

        def leave() -> None:
            if not written.is_set():
                written.set()
                self._open_writes.end(offer)
                for entry in group:
                    self._locks.release(entry)
                self._waking.nudge()

        self._start(self._write(offer, group, leave)).add_done_callback(lambda _: leave())

    async def _write(self, offer: Offer, group: list[Entry], written: Callable[[], None]) -> None:
        unsent: list[Entry] = []
        stop: Stop | None = None
        try:
            unsent, stop = await self._writing.write(group, offer, written)
        except Exception as error:  # noqa: BLE001 - a fault of our own stops these messages, not their target
            await self._park(group, f"delivery itself failed: {text(error)}")
        if stop is not None:
            self._hand.again(unsent)
            self._standing.stop(stop)
        self._waking.nudge()

    async def _settle(self, settlement: Settlement) -> None:
        await self._settling.settle(settlement)
        self._waking.nudge()

    async def _park(self, group: list[Entry], reason: str) -> None:
        left = [entry for entry in group if entry.phase is Phase.WRITING]
        await self._settling.settle(Settlement(waits=[(e, ToWait(Wait.PARKED, reason, open=e.open)) for e in left]))

    def _start(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._alarm(f"delivery itself failed: {text(error)}")


def _is_large(entry: Entry) -> bool:
    """True for a message whose body is kept apart: it is written alone, so that one such body is in memory at once."""
    return entry.message is not None and entry.message.claim is not None


def _limits(accept: Accept | None) -> tuple[int, int]:
    """How many messages a write may hold and how many writes may be open. Blind ones go one at a time."""
    if accept is None or accept.effect is Effect.BLIND:
        return 1, 1
    return accept.batch, accept.concurrency
