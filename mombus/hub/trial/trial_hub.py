"""A hub for one case: the running hub's intake, journal, inboxes and what follows from them, on an empty broker.

It lacks what a case doesn't need: doors, pages, spools, housekeeping. It is quiet when every message on the bus has
been dealt with by every inbox that wants it, and nothing more follows; that is looked at, not guessed from the time.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from canonical.subjects import ROOT
from connectors.connector import ConnectorError
from mombus.bus.connection import connect
from mombus.bus.streams import MOM, SIGNALS, Limits
from mombus.delivery.breaking import break_off
from mombus.delivery.commands import Command
from mombus.delivery.routing import Routing
from mombus.delivery.target import Patience
from mombus.hub.handovers import make_handovers, open_journals
from mombus.hub.session import Session
from mombus.hub.store.belonging import Belonging
from mombus.hub.store.disk import Disk
from mombus.hub.store.storage import Storage
from mombus.hub.store.stores import Stores
from mombus.index.tables import messages
from mombus.journal import aliases

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from pathlib import Path

    from sqlalchemy import Connection

    from canonical.message import Message
    from connectors.connector import Item, Outcome
    from mombus.bus.connection import Bus
    from mombus.config.model import Config
    from mombus.delivery.target import Hop, Status
    from mombus.hub.handovers import Handovers
    from mombus.hub.trial.stand_in import Played
    from mombus.journal.journal import Journal
    from mombus.journal.waiting import Waiting
    from mombus.ownership.owners import Owners

NEVER_S = 3600.0
"""Nothing is tried again by itself within a case: it would depend on how fast the machine is."""
QUIET_S = 45.0
LOOK_S = 0.003
WHO = "route test"


class NotQuietError(Exception):
    """Something goes on and on, or doesn't go on."""


class TrialHub:
    """One case's hub. `hops` are all that happened at targets, in order; `said` all that was stored."""

    def __init__(
        self, *, bus: Bus, journal: Journal, index: Journal, handovers: Handovers, routings: Mapping[str, Routing],
        hops: Sequence[Hop], sessions: Mapping[str, Session],
    ) -> None:  # fmt: skip
        self.hops = hops
        self.said: list[Message] = []
        self.journal = journal
        self._bus = bus
        self._index = index
        self._handovers = handovers
        self._routings = routings
        self._sessions = sessions
        self._read = {MOM: 0, SIGNALS: 0}

    async def take(self, system: str, item: Item) -> Sequence[Outcome]:
        """As the hub takes in what a system says. Raises BusError."""
        return await self._handovers.intake.accept(system, item)

    async def retry(self, system: str) -> None:
        """A person has everything tried again that waits at a target, and lets it go on if it stands still.

        A connection that was lost is opened anew for that: by itself it would be in some seconds.
        """
        session = self._sessions[system]
        with suppress(ConnectorError):
            await session.connect(session.opened)
        delivery = self._handovers.delivery
        for row in await delivery.waiting(target=system):
            await delivery.do(Command.RETRY, system, row.message_id, who=WHO, why="retry")
        delivery.resume(system)

    async def quiet(self) -> None:
        """Return when nothing more happens. Raises NotQuietError, saying where something does."""
        try:
            async with asyncio.timeout(QUIET_S):
                while await self._goes_on():  # noqa: ASYNC110 - journal, broker and index have to be asked
                    await asyncio.sleep(LOOK_S)
        except TimeoutError:
            raise NotQuietError(f"after {QUIET_S:g} s it still goes on: {await self._where()}") from None

    async def waiting(self) -> list[Waiting]:
        """What waits at the targets."""
        return await self._handovers.delivery.waiting()

    async def learned(self, system: str, object: str, native: str) -> str | None:
        """What a system's number for a thing stands for, once it was learned."""
        return await self.journal.read(partial(aliases.canonical, system=system, object=object, native=native))

    async def standing(self) -> Mapping[str, Status]:
        """How each target stands."""
        return {status.target: status for status in await self._handovers.delivery.status()}

    def wanted(self, message: Message) -> list[str]:
        """The targets that deal with a stored message, if only to find that it isn't theirs."""
        return [system for system, routing in self._routings.items() if routing.wants(message.subject)]

    async def _goes_on(self) -> bool:
        """Look once, in the order in which one thing follows from another."""
        before = (len(self.hops), await self._read_on())
        if (self._undone() or self._handovers.delivery.busy) and not await self._stands():
            return True
        if await self._index.read(_indexed) < self._read[MOM]:
            return True
        await self._handovers.observing.caught_up()
        return before != (len(self.hops), await self._read_on()) or self._handovers.delivery.busy

    def _undone(self) -> set[str]:
        """The targets that haven't said what they make of something."""
        told = {(hop.target, hop.message_id) for hop in self.hops}
        return {
            system
            for message in self.said
            if message.subject.startswith(f"{ROOT}.")
            for system in self.wanted(message)
            if (system, message.id) not in told
        }

    async def _stands(self) -> bool:
        """True if whoever is not done stands still: it is down, halted or closed."""
        if self._handovers.delivery.busy:
            return False
        standing = await self.standing()
        return all(
            standing[system].condition in {"reconnecting", "halted", "closed"} and standing[system].in_hand
            for system in self._undone()
        )

    async def _where(self) -> str:
        standing = await self.standing()
        told = [f"{name} {one.condition}, {one.in_hand} in hand" for name, one in standing.items() if one.in_hand]
        return "; ".join([*told, *(f"{name} has not said what it makes of it" for name in sorted(self._undone()))])

    async def _read_on(self) -> int:
        """Read what was stored since it was read last; returns how much that is in all."""
        for stream in self._read:
            while (message := await self._bus.at(stream, self._read[stream] + 1)) is not None:
                self._read[stream] += 1
                self.said.append(await self._bus.whole(message))
        return len(self.said)


@asynccontextmanager
async def open_trial(
    config: Config, owners: Owners, *, broker: str, folder: Path, stand_ins: Mapping[str, Played],
    now: datetime | None,
) -> AsyncIterator[TrialHub]:  # fmt: skip
    """A hub on an empty broker, whose streams are gone when it is left. Raises BusError."""
    async with AsyncExitStack() as stack:
        bus = await stack.enter_async_context(connect(
            broker, name="mombus test", limits=Limits.of(config.bus.keep, None, 1),
            largest_body_bytes=config.bus.largest_body_bytes,
        ))  # fmt: skip
        stack.push_async_callback(_wipe, bus)
        journal, index = await open_journals(config, folder, stack)
        sessions = {name: Session(name, config.systems[name].kind, one.connector) for name, one in stand_ins.items()}
        hops: list[Hop] = []
        handovers = await make_handovers(
            config, bus=bus, journal=journal, index=index, owners=owners, sessions=sessions, on_hop=hops.append,
            storage=_storage(config, folder, bus, journal), clock=_clock(now),
            patience=Patience(first_s=NEVER_S, most_s=NEVER_S),
        )  # fmt: skip
        tasks = [asyncio.create_task(handovers.delivery.run(), name="delivery")]
        stack.push_async_callback(_end, handovers, tasks)
        for session in sessions.values():
            stack.push_async_callback(session.connector.close)
            with suppress(ConnectorError):
                await session.connect(0)
        await handovers.begin(tasks[0])
        tasks += [asyncio.create_task(run, name=name) for name, run in handovers.watching().items()]
        tasks += [asyncio.create_task(run) for run in handovers.housework()]
        yield TrialHub(
            bus=bus, journal=journal, index=index, handovers=handovers, hops=hops, sessions=sessions,
            routings={name: Routing(handovers.delivery.target(name)) for name in handovers.delivery.targets},
        )  # fmt: skip


def _storage(config: Config, folder: Path, bus: Bus, journal: Journal) -> Storage:
    disk = Disk(folder, warn=config.bus.disk_warn, stop=config.bus.disk_stop)
    belonging = Belonging(bus.js, journal, config.plant.site)
    return Storage(disk, bus.js, belonging, Stores(folder, bus.js, {}))


def _clock(now: datetime | None) -> Callable[[], datetime]:
    """The time of the case, which goes on from `now`."""
    if now is None:
        return partial(datetime.now, UTC)
    began = datetime.now(UTC)
    return lambda: now + (datetime.now(UTC) - began)


def _indexed(connection: Connection) -> int:
    return connection.execute(select(func.max(messages.c.seq))).scalar() or 0


async def _wipe(bus: Bus) -> None:
    for info in await bus.js.streams_info():
        await bus.js.delete_stream(str(info.config.name))


async def _end(handovers: Handovers, tasks: Sequence[asyncio.Task[None]]) -> None:
    await break_off(*tasks)
    await handovers.delivery.close()
