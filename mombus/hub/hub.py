"""The hub: composed of its parts, opened in the order they need each other, closed in reverse.

connectors   speaks with the systems: reads them, has their doors (`connecting.py`)
delivery     keeps the handovers: intake, journal, inboxes, index, and what is known of them (`handovers.py`)
web          the pages and the API (`mombus/web/`)

One process has all of them, or some (`parts.py`): then they meet over NATS alone. What a connector reads goes to the
intake of the hub (`far_intake.py`), the hub writes to it as to any connector (`remote.py`, `serving.py`), and the pages
ask the hub's commands (`far_desk.py`). Only the part `delivery` has a journal, and a note for commands to find it.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import structlog

from mombus.bus.advisories import watch_advisories
from mombus.bus.connection import connect
from mombus.bus.embedded import EmbeddedBroker
from mombus.bus.streams import Limits
from mombus.delivery.breaking import AGAIN_S, break_off
from mombus.hub import note
from mombus.hub.apart.far_desk import FarDesk
from mombus.hub.apart.far_intake import FarIntake, IntakeDoor
from mombus.hub.apart.serving import Serving
from mombus.hub.building import make_far_sessions, make_sessions
from mombus.hub.connecting import Connecting
from mombus.hub.desk.planning import Planning
from mombus.hub.handovers import make_handovers, open_journals
from mombus.hub.parts import EVERYTHING, Parts
from mombus.hub.server import Server
from mombus.hub.several.neighbours import Neighbours
from mombus.hub.several.sharing import HOUSE, Sharing
from mombus.hub.spooling import lost_line, open_spools
from mombus.hub.store.belonging import Belonging
from mombus.hub.store.disk import Disk
from mombus.hub.store.gate import Gate
from mombus.hub.store.mending import Mending
from mombus.hub.store.storage import Storage
from mombus.ownership.owners import Owners
from mombus.plan.picture import contents
from mombus.tracing.tracing import Exporting, Tracing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence

    from fastapi import FastAPI

    from mombus.bus.connection import Bus
    from mombus.config.model import Config
    from mombus.delivery.delivery import Delivery
    from mombus.delivery.target import Hop
    from mombus.hub.connecting import TakesIn
    from mombus.hub.desk.frontdesk import FrontDesk
    from mombus.hub.session import Session
    from mombus.hub.spooling import Spooling

DRAIN_S = 20.0
CLOSE_S = 5.0
"""How long the systems' goodbyes, and the end of the hub's own tasks, may take."""

log = structlog.get_logger()


class Hub:
    """A running hub, made by `open_hub`. `url` is where its pages are, `desk` answers for it."""

    def __init__(
        self, *, config: Config, server: Server, desk: FrontDesk | FarDesk, tasks: Sequence[asyncio.Task[None]]
    ) -> None:
        self.config = config
        self.url = server.url
        self.desk = desk
        self._tasks = tasks

    async def run(self) -> None:
        """Run until cancelled. Raises what made one of its parts end: the hub can't work without it."""
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()


@asynccontextmanager
async def open_hub(
    config: Config, *, parts: Parts = EVERYTHING, on_hop: Callable[[Hop], None] | None = None
) -> AsyncIterator[Hub]:
    """Start a hub, or parts of one; leaving the context drains it: what is being written is finished, the rest stays.

    `on_hop` is told of every hop of every message. Raises BusError, AddressInUse, CertificateError, ConfigError,
    KindError, PartsError.
    """
    parts.check(config)
    folder = folder_of(config)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    async with AsyncExitStack() as stack:
        server = Server(config.http)
        stack.push_async_callback(server.stop)
        bus, broker = await open_bus(config, folder, stack, parts)
        tasks: list[asyncio.Task[None]] = []
        if parts.delivery:
            opened = await _open_delivery(config, parts, bus, broker, stack, tasks, on_hop, server)
        else:
            opened = await _open_apart(config, parts, bus, stack, tasks)
        app = _app(config, parts, opened, lambda: [*server.notices(), *opened.heard()])
        tasks.append(await server.start(app))
        stack.push_async_callback(server.stop)
        if parts.delivery:
            note.leave(folder, _note(config, broker.url if broker else config.bus.broker, server.url))
            stack.callback(note.take_away, folder)
        yield Hub(config=config, server=server, desk=opened.desk, tasks=tasks)


class _Opened(NamedTuple):
    """What runs in this process: its connections, and who answers for the hub, here or far away.

    `heard` tells what is wrong among several hubs.
    """

    connecting: Connecting
    desk: FrontDesk | FarDesk
    ready: Callable[[], Awaitable[Mapping[str, str]]]
    heard: Callable[[], Sequence[str]]


async def _open_delivery(  # noqa: PLR0917 - wired in one place
    config: Config, parts: Parts, bus: Bus, broker: EmbeddedBroker | None, stack: AsyncExitStack,
    tasks: list[asyncio.Task[None]], on_hop: Callable[[Hop], None] | None, server: Server,
) -> _Opened:  # fmt: skip
    """The hub itself, with the connectors that run here; those that run elsewhere are reached over the bus."""
    journal, index = await open_journals(config, folder_of(config), stack)
    owners = Owners(config.objects, config.plant.equipment)
    here = make_sessions(config, owners, parts)
    far = make_far_sessions(config, owners, parts, bus.client)
    belonging = Belonging(bus.js, journal, config.plant.site)
    await belonging.check()
    stack.push_async_callback(belonging.close)
    storage = Storage(_disk(config), bus.js, belonging)
    handovers = await make_handovers(
        config, bus=bus, journal=journal, index=index, owners=owners, storage=storage,
        sessions={name: {**here, **far}[name] for name in config.systems}, on_hop=on_hop,
    )  # fmt: skip
    if config.traces.endpoint is not None:
        exporting = Exporting(config.traces)
        stack.push_async_callback(asyncio.to_thread, exporting.close)
        handovers.observing.tracing = Tracing(
            site=config.plant.site, share=config.traces.share, keep=exporting.keep
        )  # fmt: skip
    for session in far.values():
        session.tell_refusals(handovers.refusals.tell)
    gate = Gate(handovers.intake, bus.link, storage.disk.stopped, handovers.refusals.tell)
    spooling = await _open_spooling(config, here, gate, storage.disk, stack)
    digests = await asyncio.to_thread(contents, config)
    handovers.desk.take(
        Planning(config, digests, journal=journal, delivery=handovers.delivery, spooling=spooling)
    )  # fmt: skip
    connecting = Connecting(here, spooling)
    stack.push_async_callback(lambda: connecting.close(CLOSE_S))
    sharing = None
    if config.bus.shared:
        sharing = Sharing(
            config, journal, handovers=handovers, connecting=connecting, spooling=spooling, address=server.url
        )  # fmt: skip
        handovers.desk.meet(Neighbours(bus, config.plant.site, sharing))
        handovers.replays.hub = sharing.holder.hub
        handovers.observing.is_first = partial(sharing.holder.has, HOUSE)
    stack.push_async_callback(_stop, tasks, handovers.delivery, sharing)
    if sharing is not None:
        await sharing.begin()
        working = {**handovers.watching(), "sharing": sharing.run()}
    else:
        tasks.append(asyncio.create_task(handovers.delivery.run(), name="delivery"))
        await handovers.begin(tasks[0])
        working = {**handovers.running(), **connecting.running()}
    watching = {f"watching {name}": session.watch() for name, session in far.items()}
    _begin(tasks, {**storage.running(), "broker": Mending(bus, broker, storage.disk).run()})
    _begin(tasks, {**working, **spooling.running(), **watching})
    if not parts.whole:
        door = IntakeDoor(bus.client, config.plant.site, gate, frozenset(config.systems))
        await door.start()
        stack.push_async_callback(door.stop, CLOSE_S)
    desk = handovers.desk
    desk.overview.address, desk.overview.notices = server.url, server.notices
    await desk.listen(bus)
    return _Opened(connecting, desk, desk.ready, desk.heard)


async def _open_apart(
    config: Config, parts: Parts, bus: Bus, stack: AsyncExitStack, tasks: list[asyncio.Task[None]]
) -> _Opened:
    """Connectors, pages, or both, of a hub that is another process."""
    site = config.plant.site
    sessions = make_sessions(config, Owners(config.objects, config.plant.equipment), parts)
    intake = FarIntake(bus.client, site)
    disk = _disk(config)
    spooling = await _open_spooling(config, sessions, intake, disk, stack)
    connecting = Connecting(sessions, spooling)
    stack.push_async_callback(lambda: connecting.close(CLOSE_S))
    stack.push_async_callback(_stop, tasks)
    serving = Serving(bus.client, site, sessions, lambda: disk.stopped() or disk.warning())
    await serving.start()
    stack.push_async_callback(serving.stop, DRAIN_S)
    _begin(tasks, {"disk": disk.run(), **spooling.running(), **connecting.running()})

    async def ready() -> Mapping[str, str]:
        """The hub takes in what the systems of this process say, and nothing of it is lost."""
        wrong = {f"handing over for {name}": await intake.unready(name) for name in sessions}
        lost = [f"{state.system}: {lost_line(state.said())}" for state in spooling.states() if state.lost]
        return {
            what: reason or "" for what, reason in (*wrong.items(), ("spool", "; ".join(lost)), ("disk", disk.full()))
        }

    return _Opened(connecting, FarDesk(bus.client, site), ready, tuple)


async def _open_spooling(
    config: Config, sessions: Mapping[str, Session], intake: TakesIn, disk: Disk, stack: AsyncExitStack
) -> Spooling:
    """The spools of this process's systems; processes that share a folder share its file, each with rows of its own."""
    limits = {name: config.systems[name].spool for name in sessions}
    spooling = await stack.enter_async_context(open_spools(folder_of(config), limits, intake, disk.full))
    for name, session in sessions.items():
        session.spooled = partial(spooling.state, name)
    return spooling


def _disk(config: Config) -> Disk:
    return Disk(folder_of(config), warn=config.bus.disk_warn, stop=config.bus.disk_stop)


def _begin(tasks: list[asyncio.Task[None]], running: Mapping[str, Coroutine[None, None, None]]) -> None:
    tasks += [asyncio.create_task(run, name=name) for name, run in running.items()]


def _app(config: Config, parts: Parts, opened: _Opened, notices: Callable[[], Sequence[str]]) -> FastAPI:
    """The HTTP application with the doors of the hosted connectors; the rest of it asks who is there."""
    from mombus.web.app import make_app, make_part_app  # noqa: PLC0415 - heavy, only a running hub needs it

    doors = opened.connecting.doors()
    token = config.http.token.get_secret_value() if config.http.token else None
    if not parts.web:
        return make_part_app(opened.ready, doors, open_to_all=token is None, notices=notices)
    return make_app(
        opened.desk, doors, token, names=config.http.names, notices=notices, site=config.plant.site,
        accounts=True,
    )  # fmt: skip


def folder_of(config: Config) -> Path:
    """Where the hub keeps its files."""
    return (config.folder / config.bus.folder).absolute()


async def open_bus(
    config: Config, folder: Path, stack: AsyncExitStack, parts: Parts
) -> tuple[Bus, EmbeddedBroker | None]:
    """Connect to the broker; its own one is started first, if the hub has one."""
    observe = partial(log.warning, "broker")
    broker, disk_bytes = None, None
    if config.bus.broker == "embedded":
        broker = EmbeddedBroker(folder / "broker", observe=lambda text: observe(what=text))
        await stack.enter_async_context(broker)
        disk_bytes = shutil.disk_usage(folder).total
    limits = Limits.of(config.bus.keep, disk_bytes, config.bus.replicas) if parts.delivery else None
    bus = await stack.enter_async_context(connect(
        broker.url if broker else config.bus.broker, name=f"mombus {parts}", token=_token(config),
        credentials=config.bus.credentials, ca=config.bus.ca, limits=limits,
        observe=lambda text: observe(what=text), largest_body_bytes=config.bus.largest_body_bytes,
    ))  # fmt: skip
    if parts.delivery:
        await watch_advisories(bus, lambda text: observe(what=text))
    return bus, broker


def _token(config: Config) -> str | None:
    return config.bus.token.get_secret_value() if config.bus.token else None


def _note(config: Config, broker_url: str, pages: str) -> note.Note:
    credentials, ca = (str(path.absolute()) if path else None for path in (config.bus.credentials, config.bus.ca))
    return note.Note(config.plant.site, broker_url, pages, os.getpid(), _token(config), credentials, ca)


async def _stop(
    tasks: Sequence[asyncio.Task[None]], delivery: Delivery | None = None, sharing: Sharing | None = None
) -> None:
    """Stop reading, let delivery finish what it is writing, then end the rest."""
    if sharing is not None:
        await sharing.end()
    for task in tasks:
        if task.get_name() != "delivery":
            task.cancel()
    if delivery is not None:
        await _drain(delivery, [task for task in tasks if task.get_name() == "delivery"])
    await _end(tasks)


async def _drain(delivery: Delivery, running: Sequence[asyncio.Task[None]]) -> None:
    delivery.drain()
    if running and (await asyncio.wait(running, timeout=DRAIN_S))[1]:
        log.warning("delivery didn't finish in time; what was in hand comes again", seconds=DRAIN_S)
        await delivery.close()


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    """End them, in bounded time."""
    left = await break_off(*tasks, within_s=max(CLOSE_S, 2 * AGAIN_S))
    for task in left:
        log.error("a part of the hub doesn't end", part=task.get_name())
