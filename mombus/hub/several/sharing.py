"""This hub among several that share one journal: what it does under leases, and who does the rest.

There is a lease for each system: its holder reads it and writes to it, over the one connection. A system that is
written to in shards has a lease for each shard, and one for reading it; each hub that has one of them has a connection.
There is one for the house: expiring requests, hearing their answers, forgetting what is of no use any more. Doors,
pages and the index are every hub's, and so is a spool: what a hub has spooled it hands over itself.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager, suppress
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from mombus import __version__
from mombus.delivery.breaking import break_off
from mombus.hub.reading import FINISH_S
from mombus.journal.inboxes import system_of
from mombus.journal.leaseholder import Leaseholder
from mombus.journal.leases import Presence

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Sequence

    from mombus.config.model import Config, System
    from mombus.hub.connecting import Connecting
    from mombus.hub.handovers import Handovers
    from mombus.hub.spooling import Spooling
    from mombus.journal.journal import Journal
    from mombus.journal.leaseholder import Duty, Lease

READING = "source"
"""The part of a system in shards that is read."""
LOOK_S = 0.5
HOUSE = ":house"
"""The lease for what one hub does for all; a system can't be called that."""


class Sharing:
    """This hub's share of the work. `holder` has its leases."""

    def __init__(
        self, config: Config, journal: Journal, *, handovers: Handovers, connecting: Connecting, spooling: Spooling,
        address: str,
    ) -> None:  # fmt: skip
        self._systems = list(config.systems)
        self._handovers = handovers
        self._connecting = connecting
        self._working = Counter[str]()
        self._coming_and_going = {name: asyncio.Lock() for name in self._systems}
        duties: dict[str, Duty] = {}
        for system in config.systems.values():
            duties.update(self._duties(system))
        duties[HOUSE] = self._keep_house
        said = Presence(
            address=address, plan=plan(config), routes=routes(config), version=__version__, place=spooling.place
        )  # fmt: skip
        self.holder = Leaseholder(journal, duties, said=said, kept=spooling.kept)

    def _duties(self, system: System) -> dict[str, Duty]:
        name = system.name
        if system.shards == 1:
            inbox = name if name in self._handovers.delivery.targets else None
            return {name: partial(self._serve, name, inbox=inbox, reads=True)}
        shards = self._handovers.delivery.inboxes(name)
        return {
            f"{name}:{READING}": partial(self._serve, name, inbox=None, reads=True),
            **{inbox: partial(self._serve, name, inbox=inbox, reads=False) for inbox in shards},
        }

    async def leases_for(self, command: str, about: str, id: str | None) -> Sequence[str]:
        """The leases of those who do a command about a system, and a message with that id or beginning of it."""
        delivery = self._handovers.delivery
        if about not in delivery.targets or delivery.inboxes(about) == [about]:
            return [about]
        if command == "resume":
            return [f"{about}:{READING}", *delivery.inboxes(about)]
        if command != "do" or not id:
            return []
        found = [row.message_id for row in await delivery.waiting(target=about) if row.message_id.startswith(id)]
        return [await delivery.inbox_with(about, found[0])] if len(found) == 1 else []

    async def begin(self) -> None:
        """Before anything else: note where new routes begin, whoever delivers. Raises OtherStream."""
        for system in self._systems:
            await self._leave(system)
        await self._handovers.delivery.begin()

    async def run(self) -> None:
        """Do this hub's share, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.holder.run())
            tasks.create_task(self._handovers.bulk.run_shared(self._here))

    def _here(self) -> list[str | None]:
        kept: list[str | None] = [None] if self.holder.has(HOUSE) else []
        return [*kept, *{system_of(inbox) for inbox in self._handovers.delivery.here}]

    async def end(self) -> None:
        """Finish what is in hand and hand everything over, while `run` goes on."""
        await self.holder.end()

    async def _keep_house(self, lease: Lease) -> None:
        await _until_ending(lease, self._handovers.housework())

    async def _serve(self, system: str, lease: Lease, *, inbox: str | None, reads: bool) -> None:
        """Read a system, deliver from an inbox, or both. Reading stops first; the connection is closed last."""
        async with self._at_work(system):
            delivering = asyncio.create_task(self._deliver(inbox, lease))
            works = [self._handovers.replays.feeding.feed(inbox)] if inbox is not None else []
            if self._connecting.reaches(system):
                works.append(self._connecting.serve(system, lease) if reads else self._connecting.connect(system))
            try:
                await _until_ending(lease, works, delivering)
                await delivering
            finally:
                await break_off(delivering)

    async def _deliver(self, inbox: str | None, lease: Lease) -> None:
        """Deliver from an inbox, but not while hubs disagree about what its target gets."""
        while inbox is not None and not lease.ending.is_set():
            if self.disputed(system_of(inbox)):
                await _ends(lease, LOOK_S)
                continue
            until = asyncio.Event()
            watching = asyncio.create_task(self._watch(system_of(inbox), lease, until))
            try:
                await self._handovers.delivery.serve(inbox, lease, until)
            finally:
                await break_off(watching)
        await lease.ending.wait()

    async def _watch(self, system: str, lease: Lease, until: asyncio.Event) -> None:
        """Set `until` when the lease is to be handed over, or another hub has come that gives the target other things.

        Which of two configurations is the newer one nobody but a person knows: neither writes until all hubs agree.
        """
        while not lease.ending.is_set() and not self.disputed(system):
            await _ends(lease, LOOK_S)
        until.set()

    def disputed(self, system: str) -> Sequence[str]:
        """Where the hubs are that give a target other things, or none at all."""
        mine = self.holder.said.routes.get(system)
        return [
            peer.said.address for peer in self.holder.peers if peer.said.routes.get(system) != mine
        ]  # fmt: skip

    @asynccontextmanager
    async def _at_work(self, system: str) -> AsyncIterator[None]:
        """Who is at work with a system keeps its connection; the last one to go closes it."""
        self._working[system] += 1
        try:
            async with self._coming_and_going[system]:
                pass
            yield
        finally:
            self._working[system] -= 1
            async with self._coming_and_going[system]:
                if not self._working[system]:
                    await self._leave(system)

    async def _leave(self, system: str) -> None:
        if self._connecting.reaches(system):
            await self._connecting.leave(system)


async def _until_ending(
    lease: Lease, works: Sequence[Coroutine[None, None, None]], *watched: asyncio.Task[None]
) -> None:
    """Let works run until the lease is to be handed over. Raises what makes one of them, or of `watched`, end."""
    tasks = [asyncio.create_task(work) for work in works]
    ending: asyncio.Task[Any] = asyncio.create_task(lease.ending.wait())
    try:
        await asyncio.wait({ending, *tasks, *watched}, return_when=asyncio.FIRST_COMPLETED)
        for task in (*tasks, *watched):
            if task.done():
                task.result()
    finally:
        await break_off(ending, *tasks, again_s=2 * FINISH_S)


async def _ends(lease: Lease, within_s: float) -> None:
    """Return when the lease is to be handed over, or after some time."""
    with suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            await lease.ending.wait()


def routes(config: Config) -> dict[str, str]:
    """A digest for each target of what it gets: the routes to it, the objects it owns and is asked about."""
    said: dict[str, list[str]] = {name: [system.kind] for name, system in config.systems.items()}
    for route in config.routes:
        for name in route.to:
            said[name].append(route.model_dump_json(exclude={"to"}))
    for ownership in config.objects:
        if ownership.owner in said:
            said[ownership.owner].append(ownership.object)
    return {name: sha256(str(sorted(what)).encode()).hexdigest()[:16] for name, what in said.items() if len(what) > 1}


def plan(config: Config) -> str:
    """A digest of what hubs that share a journal must agree on: who there is, who owns what, what goes where."""
    kinds = sorted((system.name, system.kind, system.shards) for system in config.systems.values())
    said = config.model_dump_json(include={"plant", "objects", "routes", "aliases"})
    return sha256(f"{kinds}{said}".encode()).hexdigest()[:16]
