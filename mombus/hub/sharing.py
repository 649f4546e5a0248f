"""This hub among several that share one journal: what it does under leases, and who does the rest.

There is a lease for each system: its holder reads it and writes to it, over the one connection. There is one for the
house: expiring requests, hearing their answers, forgetting what is of no use any more. Doors, pages and the index are
every hub's, and so is a spool: what a hub has spooled it hands over itself.
"""

from __future__ import annotations

import asyncio
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from mombus.journal.leaseholder import Leaseholder

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from mombus.config.model import Config
    from mombus.hub.connecting import Connecting
    from mombus.hub.handovers import Handovers
    from mombus.journal.journal import Journal
    from mombus.journal.leaseholder import Duty, Lease

HOUSE = ":house"
"""The lease for what one hub does for all; a system can't be called that."""


class Sharing:
    """This hub's share of the work. `holder` has its leases."""

    def __init__(
        self, config: Config, journal: Journal, *, handovers: Handovers, connecting: Connecting, address: str
    ) -> None:
        self._systems = list(config.systems)
        self._handovers = handovers
        self._connecting = connecting
        duties: dict[str, Duty] = {name: partial(self._serve, name) for name in self._systems}
        duties[HOUSE] = self._keep_house
        self.holder = Leaseholder(journal, duties, address=address, plan=plan(config))

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
        return [*kept, *self._handovers.delivery.here]

    async def end(self) -> None:
        """Finish what is in hand and hand everything over, while `run` goes on."""
        await self.holder.end()

    async def _keep_house(self, lease: Lease) -> None:
        await _until_ending(lease, self._handovers.housework())

    async def _serve(self, system: str, lease: Lease) -> None:
        """Read a system and deliver to it. Reading stops first; the connection is closed last."""
        delivering = asyncio.create_task(self._deliver(system, lease))
        works = [self._handovers.replays.feed(system)] if self._is_target(system) else []
        if self._connecting.reaches(system):
            works.append(self._connecting.serve(system))
        try:
            await _until_ending(lease, works, delivering)
            await delivering
        finally:
            delivering.cancel()
            await asyncio.gather(delivering, return_exceptions=True)
            await self._leave(system)

    async def _deliver(self, system: str, lease: Lease) -> None:
        if self._is_target(system):
            await self._handovers.delivery.serve(system, lease)
        else:
            await lease.ending.wait()

    def _is_target(self, system: str) -> bool:
        return system in self._handovers.delivery.targets

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
        for unfinished in (ending, *tasks):
            unfinished.cancel()
        await asyncio.gather(ending, *tasks, return_exceptions=True)


def plan(config: Config) -> str:
    """A digest of what hubs that share a journal must agree on: who there is, who owns what, what goes where."""
    kinds = sorted((system.name, system.kind) for system in config.systems.values())
    said = config.model_dump_json(include={"plant", "objects", "routes", "aliases"})
    return sha256(f"{kinds}{said}".encode()).hexdigest()[:16]
