"""Delivery: an inbox per target, run side by side; a target that stands still stops no other."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from mombus.bus.commands import NotHereError
from mombus.delivery.breaking import break_off
from mombus.delivery.commands import Command, Done, Record
from mombus.delivery.inbox import Inbox
from mombus.delivery.leased import LeasedSink
from mombus.delivery.open_writes import OpenWrites
from mombus.delivery.opening import note_beginnings
from mombus.delivery.reader import Reader
from mombus.delivery.target import Condition, Patience
from mombus.journal import audit, waiting
from mombus.journal.inboxes import inbox_of, shard_of, system_of
from mombus.journal.leaseholder import FencedJournal
from mombus.journal.leases import LeaseLost

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from nats.js import JetStreamContext

    from mombus.delivery.in_hand import Unsent
    from mombus.delivery.replaying import Replaying
    from mombus.delivery.target import Hop, Observe, Overhear, Prepare, Publish, Status, Target
    from mombus.journal.journal import Journal
    from mombus.journal.leaseholder import Lease
    from mombus.journal.waiting import Wait, Waiting


RECALL_S = 5.0
"""How long what a person asks waits for an inbox that has just begun to know what waits."""


class UnknownTargetError(LookupError):
    """No target has that name."""


class BetweenHubsError(UnknownTargetError, NotHereError):
    """Another hub has the target, or will have it in some seconds."""


def _unobserved(_hop: Hop) -> None:
    """Nobody listens."""


class Delivery:
    """Everything that is written to systems.

    `publish` stores replies; `prepare` puts a message in a target's words (outbound aliases, references) or says what
    is missing; `observe` is told of every hop, `overhear` of what
    goes over the wires. Sinks are connected by the caller before `run`. With `shared` other hubs
    deliver from the same journal: each inbox is served under a lease, by `serve`.
    """

    def __init__(
        self, *, js: JetStreamContext, journal: Journal, site: str, targets: Sequence[Target], publish: Publish,
        observe: Observe = _unobserved, prepare: Prepare | None = None, patience: Patience | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC), shared: bool = False,
        overhear: Overhear | None = None,
    ) -> None:  # fmt: skip
        self._journal = journal
        self._patience = patience or Patience()
        self._js = js
        self._targets = {target.inbox: target for target in targets}
        self._open_writes: defaultdict[str, OpenWrites] = defaultdict(OpenWrites)
        self._make = partial(
            Inbox, js=js, site=site, publish=publish, observe=observe, prepare=prepare, patience=self._patience,
            clock=clock, overhear=overhear,
        )  # fmt: skip
        self._inboxes: dict[str, Inbox] = {}
        if not shared:
            self._inboxes = {target.inbox: self._inbox_for(target, journal) for target in targets}
        self._ending = asyncio.Event()

    async def run(self) -> None:
        """Deliver until drained or cancelled. Raises OtherStream when the broker's stream isn't the journal's."""
        runs = [asyncio.create_task(inbox.run(), name=f"inbox {name}") for name, inbox in list(self._inboxes.items())]
        ending = asyncio.create_task(self._ending.wait())
        try:
            done, _ = await asyncio.wait({ending, *runs}, return_when=asyncio.FIRST_EXCEPTION)
            for ended in done:
                ended.result()
        finally:
            await break_off(ending, *runs)

    async def begin(self) -> None:
        """Note where new routes begin, before anything is read and whoever delivers. Raises OtherStream."""
        await note_beginnings(self._journal, Reader(self._js, "-", self._patience), list(self._targets.values()))

    async def serve(self, name: str, lease: Lease, until: asyncio.Event) -> None:
        """Deliver to one inbox under a lease `until` it is to be left; then finish what is being written.

        Cancelled when the lease is lost: what is being written is broken off then.
        """
        target = self._targets[name]
        leased = replace(target, sink=LeasedSink(target.sink, lease))
        inbox = self._inboxes[name] = self._inbox_for(leased, FencedJournal(self._journal, lease))
        running = asyncio.create_task(inbox.run(), name=f"inbox {name}")
        ending = asyncio.create_task(until.wait())
        try:
            await asyncio.wait({running, ending}, return_when=asyncio.FIRST_COMPLETED)
            inbox.drain()
            await running
        finally:
            try:
                await break_off(running, ending)
                await inbox.close()
            finally:
                del self._inboxes[name]

    @property
    def targets(self) -> Collection[str]:
        """Every system that is delivered to."""
        return {target.system for target in self._targets.values()}

    def target(self, system: str) -> Target:
        """A system as it is delivered to; of one with shards any of them. Raises UnknownTargetError."""
        return self._targets[self.inboxes(system)[0]]

    @property
    def here(self) -> Collection[str]:
        """The inboxes that this process delivers from now."""
        return list(self._inboxes)

    def inboxes(self, target: str) -> Sequence[str]:
        """The inboxes of a target: one, or one per shard. Raises UnknownTargetError."""
        found = [name for name, one in self._targets.items() if one.system == target]
        if not found:
            known = ", ".join(sorted(self.targets))
            raise UnknownTargetError(f"'{target}' is no target; the targets are {known}")
        return found

    async def inbox_with(self, target: str, message_id: str) -> str:
        """The inbox of a target that a waiting message is in; any if it doesn't wait. Raises UnknownTargetError."""
        inboxes = self.inboxes(target)
        if len(inboxes) > 1:
            row = await self._journal.read(lambda connection: waiting.one(connection, target, message_id))
            if row is not None:
                return inbox_of(target, shard_of(row.lanes[0]))
        return next((name for name in inboxes if name in self._inboxes), inboxes[0])

    async def opened(self) -> None:
        """Return once every target's routes have begun: what is stored from then on reaches it."""
        for inbox in list(self._inboxes.values()):
            await inbox.opened.wait()

    @property
    def busy(self) -> bool:
        """True while any inbox here is writing, or about to."""
        return any(inbox.busy for inbox in list(self._inboxes.values()))

    async def stored(self) -> int:
        """The sequence of the last message that is stored."""
        last, _ = await Reader(self._js, "-", self._patience).facts()
        return last

    async def has_done(self, target: str, seq: int) -> bool:
        """True if no inbox of a target here has anything stored up to `seq` to read or in hand. What waits may be."""
        here = [inbox for inbox in list(self._inboxes.values()) if inbox.target.system == target]
        return all(await asyncio.gather(*(inbox.has_done(seq) for inbox in here)))

    def works(self, target: str) -> bool:
        """True if an inbox of a target here goes on by itself: not while the system is down, closed or halted."""
        here = [inbox for inbox in self._inboxes.values() if inbox.target.system == target]
        return any(inbox.standing.condition is Condition.RUNNING for inbox in here)

    def drain(self) -> None:
        """Read no more and finish what is being written; `run` returns when that is done."""
        self._ending.set()
        for inbox in list(self._inboxes.values()):
            inbox.drain()

    async def close(self) -> None:
        """Let go at once. What was in hand comes again after the next start."""
        self._ending.set()
        await asyncio.gather(*(inbox.close() for inbox in list(self._inboxes.values())))

    async def status(self) -> list[Status]:
        """How every inbox here is."""
        return await asyncio.gather(*(inbox.status() for inbox in list(self._inboxes.values())))

    def unsent(self, ids: Collection[str]) -> list[Unsent]:
        """Which of these messages are in hand here and weren't given to a target yet."""
        return [one for inbox in list(self._inboxes.values()) for one in inbox.unsent(ids)]

    async def waiting(
        self, *, target: str | None = None, kind: Wait | None = None, lane: str | None = None, limit: int | None = None
    ) -> list[Waiting]:
        """What waits, in the order it came, with reason and since when."""
        return await self._journal.survey(
            lambda connection: waiting.rows(connection, target=target, kind=kind, lane=lane, limit=limit)
        )

    async def do(
        self, command: Command, target: str, message_id: str, *, who: str, why: str, document: str | None = None,
        record: Record = audit.note,
    ) -> Done:  # fmt: skip
        """Do what a person decided about a waiting message, `record` writes it down. Raises UnknownTargetError.

        Where another hub gets the target meanwhile, or nobody has it yet, BetweenHubsError: it wasn't done then.
        """
        inbox = self._inbox(await self.inbox_with(target, message_id))
        try:
            async with asyncio.timeout(RECALL_S):
                await inbox.recalled.wait()
        except TimeoutError:
            raise BetweenHubsError(f"'{target}' is only being taken up: try again in some seconds") from None
        try:
            return await inbox.commands.do(
                command, message_id, who=who, why=why, document=document, record=record
            )  # fmt: skip
        except LeaseLost as lost:
            raise BetweenHubsError(f"another hub takes '{target}' over just now: try again in some seconds") from lost

    async def arrived(self, object: str, id: str, target: str | None = None) -> None:
        """`object` `id` is known now (at `target`, or everywhere): what waits for it is looked at again."""
        for inbox in list(self._inboxes.values()):
            if target in {None, inbox.target.system}:
                await inbox.commands.arrived(object, id)

    def replaying(self, inbox: str) -> Replaying:
        """The replays of an inbox. Raises UnknownTargetError."""
        return self._inbox(inbox).replaying

    async def looked_at(self, inbox: str) -> Replaying:
        """The replays of an inbox, to judge by and for nothing else: of one that another hub has, as its journal says.

        Raises UnknownTargetError.
        """
        if inbox in self._inboxes:
            return self._inboxes[inbox].replaying
        self.inboxes(system_of(inbox))
        still = self._inbox_for(self._targets[inbox], self._journal)
        await still.look()
        return still.replaying

    def resume(self, target: str) -> None:
        """Go on after a halt whose cause is gone. Raises UnknownTargetError."""
        for inbox in self._all_here(target):
            inbox.resume()

    def _inbox_for(self, target: Target, journal: Journal) -> Inbox:
        return self._make(target, journal=journal, open_writes=self._open_writes[target.system])

    def _all_here(self, target: str) -> Sequence[Inbox]:
        """The inboxes of a target that are here, at least one. Raises UnknownTargetError."""
        here = [self._inboxes[name] for name in self.inboxes(target) if name in self._inboxes]
        return here or [self._inbox(self.inboxes(target)[0])]

    def _inbox(self, name: str) -> Inbox:
        if name not in self._inboxes:
            self.inboxes(system_of(name))
            text = f"another hub has '{name}', or will have it in some seconds: try again then"
            raise BetweenHubsError(text)
        return self._inboxes[name]
