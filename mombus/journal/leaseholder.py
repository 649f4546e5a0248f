"""The leases of one hub: renewed, shared fairly with the other hubs, and given up before anybody else may have them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, TypeVar
from uuid import uuid4

import structlog
from sqlalchemy.exc import SQLAlchemyError

from mombus.journal import leases
from mombus.journal.journal import Journal
from mombus.journal.leases import Held, LeaseLost, Peer, Presence

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sqlalchemy import Connection

Duty: TypeAlias = "Callable[[Lease], Awaitable[None]]"
"""What is done under a lease: until its `ending` is set, and what is in hand is finished."""

T = TypeVar("T")
TTL_S = 5.0
RENEW_S = 1.0
MARGIN_S = 1.0
"""A hub gives up so long before anybody else may take over: what it has sent by then comes first."""
CALM_S = 4.0
"""How long after a takeover nothing is read back: a call that the other hub had begun may still take effect."""
END_S = 30.0
"""How long what is in hand may take when a lease is handed over; what isn't finished then is broken off."""
AGAIN_S = 10.0
"""How long what is broken off may take to clear up; then it is told again, in case it didn't notice."""

log = structlog.get_logger()


def clock() -> float:
    """Seconds that also pass while the machine sleeps, and that nobody sets."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


@dataclass(eq=False)
class Lease:
    """One lease this hub has. `ending` is set when it is to be handed over: finish what is in hand, and return.

    `calm_until` is the moment, by `clock`, before which what an earlier holder left open isn't read back. `broken_off`:
    it wasn't finished, so that a call may still take effect; it runs out then, and its successor waits for calm.
    """

    name: str
    hub: str
    epoch: int
    until: Callable[[], float]
    calm_until: float = 0.0
    ending: asyncio.Event = field(default_factory=asyncio.Event)
    lost: bool = False
    broken_off: bool = False
    task: asyncio.Task[None] | None = None

    @property
    def holds(self) -> bool:
        """True while nobody else can have it: to be asked right before what has an effect."""
        return not self.lost and clock() < self.until()

    def check(self, connection: Connection) -> None:
        """Keep it until this transaction has ended. Raises LeaseLost."""
        leases.check(connection, self.hub, self.name, self.epoch)

    async def calm(self) -> None:
        """Return when what an earlier holder had begun has ended."""
        await asyncio.sleep(max(0.0, self.calm_until - clock()))

    async def over(self) -> None:
        """Return when nothing is done under it any more. Who does something under it doesn't wait for that."""
        if self.task is not None:
            await asyncio.wait({self.task})

    def give_up(self) -> None:
        """It is over: break off what is done under it, once, so that it can clear up."""
        if not self.lost and self.task is not None:
            self.task.cancel()
        self.lost = True


class FencedJournal(Journal):
    """The journal for what is done under a lease: every write is one transaction with the check of the epoch."""

    def __init__(self, journal: Journal, lease: Lease) -> None:
        self._shared = journal
        self._lease = lease

    async def write(self, work: Callable[[Connection], T]) -> T:
        """As Journal.write. Once the lease is lost nothing is written.

        What is done under it is broken off then: there this doesn't return, it is cancelled. Raises LeaseLost for
        anybody else, such as a person's command, when that is over.
        """

        def fenced(connection: Connection) -> T:
            self._lease.check(connection)
            return work(connection)

        try:
            return await self._shared.write(fenced)
        except LeaseLost:
            self._lease.give_up()
            await self._lease.over()
            raise

    async def read(self, work: Callable[[Connection], T]) -> T:
        """As Journal.read."""
        return await self._shared.read(work)

    async def survey(self, work: Callable[[Connection], T], *, patiently: bool = False) -> T:
        """As Journal.survey."""
        return await self._shared.survey(work, patiently=patiently)

    async def close(self) -> None:
        """The journal is everybody's: it stays open."""


class View(NamedTuple):
    """What a look at the leases found."""

    standing: Sequence[Held]
    hubs: Sequence[Peer]


class Leaseholder:
    """Takes this hub's fair share of the duties' leases and does each duty as long as it has its lease.

    A duty gets its lease, returns soon after `ending` is set, and is cancelled when the lease is lost. `said` is what
    the other hubs are told of this one, `kept` how many items are in its spools.
    """

    def __init__(
        self, journal: Journal, duties: Mapping[str, Duty], *, said: Presence, kept: Callable[[], int] = lambda: 0
    ) -> None:
        self.hub = uuid4().hex[:12]
        self.said = said
        self._journal = journal
        self._duties = duties
        self._kept = kept
        self._until = 0.0
        self._mine: dict[str, Lease] = {}
        self._handing: set[asyncio.Task[None]] = set()
        self._leaving = self._left = False
        self._view = View((), ())

    @property
    def peers(self) -> Sequence[Peer]:
        """The hubs that live, this one included, as of the last look."""
        return [peer for peer in self._view.hubs if peer.live]

    @property
    def silent(self) -> Sequence[Peer]:
        """The hubs that ended without a word, as of the last look."""
        return [peer for peer in self._view.hubs if not peer.live]

    @property
    def names(self) -> Sequence[str]:
        """The leases this hub has."""
        return sorted(self._mine)

    def has(self, name: str) -> bool:
        """True while this hub has the lease."""
        return name in self._mine

    async def holders(self, names: Collection[str]) -> list[Peer]:
        """The hubs that have these leases now."""
        view = await self._journal.read(_view)
        found = {one.hub for one in view.standing if one.name in names and one.live}
        return [peer for peer in view.hubs if peer.live and peer.hub in found]

    async def known(self) -> Sequence[Peer]:
        """All hubs, as they stand in the journal now."""
        return (await self._journal.read(_view)).hubs

    async def holding(self, names: Collection[str]) -> dict[str, tuple[str, int] | None]:
        """The hub that has each lease now, with its epoch; None where nobody has."""
        held = {one.name: (one.hub, one.epoch) for one in (await self._journal.read(_view)).standing if one.live}
        return {name: held.get(name) for name in names}

    async def run(self) -> None:
        """Renew, take and hand over until cancelled; then break off what is left."""
        guard = asyncio.create_task(self._guard())
        try:
            while True:
                try:
                    await self._tick()
                except SQLAlchemyError as error:
                    log.error("leases can't be renewed", reason=str(error).splitlines()[0])
                await asyncio.sleep(RENEW_S)
        finally:
            guard.cancel()
            for lease in list(self._mine.values()):
                lease.give_up()

    async def end(self) -> None:
        """Finish what is in hand and hand everything over, while `run` goes on renewing; then take nothing more."""
        self._leaving = True
        await asyncio.gather(*(self._hand_over(lease) for lease in list(self._mine.values())))
        self._left = True
        try:
            await self._journal.write(lambda connection: leases.leave(connection, self.hub))
        except SQLAlchemyError as error:
            log.warning("leases run out by themselves", reason=str(error).splitlines()[0])

    async def _tick(self) -> None:
        if self._left:
            return
        asked = clock()
        self._view = await self._journal.write(self._renewed)
        self._until = asked + TTL_S - MARGIN_S
        epochs = {one.name: one.epoch for one in self._view.standing if one.live and one.hub == self.hub}
        for lease in list(self._mine.values()):
            if epochs.get(lease.name) != lease.epoch:
                lease.give_up()
        if not self._leaving:
            await self._take()
            self._give()

    def _renewed(self, connection: Connection) -> View:
        leases.renew(connection, self.hub, self.said, self._kept(), list(self._mine), TTL_S)
        return _view(connection)

    def _share(self) -> int:
        """How many leases are this hub's fair share, rounded up."""
        return -(-len(self._duties) // max(1, len(self.peers)))

    async def _take(self) -> None:
        held = {one.name: one for one in self._view.standing}
        free = [name for name in self._duties if name not in self._mine and not _is_live(held.get(name))]
        wanted = free[: max(0, self._share() - len(self._mine))]
        if not wanted:
            return

        def take(connection: Connection) -> dict[str, int | None]:
            return {name: leases.take(connection, self.hub, name, TTL_S) for name in sorted(wanted)}

        for name, epoch in (await self._journal.write(take)).items():
            if epoch is not None:
                calm = 0.0 if _was_let_go(name, self._view.standing) else clock() + CALM_S
                self._begin(Lease(name, self.hub, epoch, lambda: self._until, calm))

    def _begin(self, lease: Lease) -> None:
        self._mine[lease.name] = lease
        lease.task = asyncio.create_task(self._do(lease), name=f"lease {lease.name}")

    async def _do(self, lease: Lease) -> None:
        """Do the duty; when it ends by itself the lease is let go, when it is broken off or fails it runs out."""
        log.info("lease taken", lease=lease.name, epoch=lease.epoch)
        try:
            await self._duties[lease.name](lease)
        except asyncio.CancelledError:
            lease.broken_off = True
            if not lease.lost and not lease.ending.is_set():
                raise
        except Exception:
            lease.broken_off = True
            log.exception("what is done under a lease failed", lease=lease.name)
            await asyncio.sleep(RENEW_S)
        finally:
            try:
                await self._let_go(lease)
            finally:
                del self._mine[lease.name]

    async def _let_go(self, lease: Lease) -> None:
        if lease.lost:
            log.warning("lease lost", lease=lease.name, epoch=lease.epoch)
        if lease.lost or lease.broken_off:
            return
        try:
            await self._journal.write(lambda c: leases.let_go(c, self.hub, lease.name, lease.epoch))
        except SQLAlchemyError as error:
            log.warning("a lease runs out by itself", lease=lease.name, reason=str(error).splitlines()[0])

    def _give(self) -> None:
        """Hand over what is more than the fair share: there are others to take it."""
        staying = [lease for lease in self._mine.values() if not lease.ending.is_set()]
        for lease in staying[self._share() :]:
            handing = asyncio.create_task(self._hand_over(lease))
            self._handing.add(handing)
            handing.add_done_callback(self._handing.discard)

    async def _hand_over(self, lease: Lease) -> None:
        lease.ending.set()
        if lease.task is not None and (await asyncio.wait({lease.task}, timeout=END_S))[1]:
            log.warning("broken off to hand it over", lease=lease.name, seconds=END_S)
            lease.task.cancel()
            while (await asyncio.wait({lease.task}, timeout=AGAIN_S))[1]:
                lease.task.cancel()

    async def _guard(self) -> None:
        """Give up when renewing doesn't work in time: from then on another hub may take over."""
        while True:
            await asyncio.sleep(max(0.01, self._until - clock()) if self._mine else RENEW_S)
            if clock() >= self._until:
                for lease in list(self._mine.values()):
                    lease.give_up()


def _is_live(held: Held | None) -> bool:
    return held is not None and held.live


def _was_let_go(name: str, standing: Sequence[Held]) -> bool:
    """True if nobody was broken off under that lease, or under one for another sharing out of the same system."""
    return all(one.let_go for one in standing if one.name == name or leases.exclude(one.name, name))


def _view(connection: Connection) -> View:
    return View(leases.standing(connection), leases.known(connection))
