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
from mombus.hub.changing.applying import Applying
from mombus.hub.changing.changing import Changing
from mombus.hub.changing.trying import connect_first
from mombus.hub.changing.work import Core, Work
from mombus.hub.connecting import Connecting
from mombus.hub.desk.planning import Planning
from mombus.hub.examining import Examining
from mombus.hub.handovers import exchanges_limit, make_handovers, open_journals, open_overhearing
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
from mombus.hub.store.stores import Stores
from mombus.ownership.owners import Owners
from mombus.plan.apart import settings
from mombus.plan.files import contents
from mombus.tracing.tracing import Exporting, Tracing
from mombus.web.front import Front

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine, Mapping, Sequence

    from fastapi import FastAPI

    from mombus.bus.connection import Bus
    from mombus.config.model import Config
    from mombus.delivery.delivery import Delivery
    from mombus.delivery.target import Hop
    from mombus.hub.changing.here import Origin
    from mombus.hub.connecting import TakesIn
    from mombus.hub.desk.frontdesk import FrontDesk
    from mombus.hub.session import Session
    from mombus.hub.spooling import Spooling

DRAIN_S = 20.0
CLOSE_S = 5.0
"""How long the systems' goodbyes, and the end of the hub's own tasks, may take."""

log = structlog.get_logger()


class Hub:
    """A running hub, made by `open_hub`. `url` is where its pages are."""

    def __init__(
        self, server: Server, changing: Changing, applying: Applying, serving: asyncio.Task[None]
    ) -> None:  # fmt: skip
        self.url = server.url
        self._changing = changing
        self._applying = applying
        self._serving = serving

    @property
    def config(self) -> Config:
        """What it works under now."""
        return self._changing.work.config

    @property
    def desk(self) -> FrontDesk | FarDesk:
        """Who answers for it now: another one after a change of the configuration."""
        return self._changing.work.desk

    @property
    def files(self) -> Sequence[str]:
        """All files that were looked at when its configuration was read the last time."""
        return self._applying.files

    def reload(self, who: str, why: str) -> bool:
        """Take over what its files say now, in its own time; False if it has none, or a change is under way."""
        return self._applying.reload(who, why)

    async def run(self) -> None:
        """Run until cancelled. Raises what made one of its parts end: the hub can't work without it."""
        await self._changing.run(self._serving)


@asynccontextmanager
async def open_hub(
    config: Config,
    *,
    parts: Parts = EVERYTHING,
    on_hop: Callable[[Hop], None] | None = None,
    origin: Origin | None = None,
) -> AsyncIterator[Hub]:
    """Start a hub, or parts of one; leaving the context drains it: what is being written is finished, the rest stays.

    `on_hop` is told of every hop of every message. `origin` is where the configuration was read from: it is read again
    from there by `mombus apply` and reload.
    Raises BusError, AddressInUse, CertificateError, ConfigError, KindError, PartsError.
    """
    parts.check(config)
    folder = folder_of(config)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    async with AsyncExitStack() as stack:
        server = Server(config.http)
        stack.push_async_callback(server.stop)
        broker = await _open_broker(config, folder, stack)
        front = Front()
        hull: _Hull
        changing = Changing(lambda config, first=(): _open_work(config, hull, first), front)
        applying = Applying(changing, origin, parts)
        hull = _Hull(parts, broker, server, applying, on_hop)
        stack.push_async_callback(changing.close)
        await changing.open(config)
        serving = await server.start(front)
        stack.push_async_callback(server.stop)
        stack.push_async_callback(applying.close)
        applying.tidy()
        if parts.delivery:
            stack.callback(note.take_away, folder)
        yield Hub(server, changing, applying, serving)


class _Hull(NamedTuple):
    """What stays as it is while the configuration changes."""

    parts: Parts
    broker: EmbeddedBroker | None
    server: Server
    applying: Applying
    on_hop: Callable[[Hop], None] | None


@asynccontextmanager
async def _open_work(config: Config, hull: _Hull, first: Collection[str]) -> AsyncIterator[Work]:
    """Everything under one configuration; the systems named `first` are connected before anything else begins."""
    parts, server = hull.parts, hull.server
    async with AsyncExitStack() as stack:
        bus = await stack.enter_async_context(_connected(config, parts, hull.broker))
        tasks: list[asyncio.Task[None]] = []
        if parts.delivery:
            opened = await _open_delivery(config, hull, bus, stack, tasks, first)
        else:
            opened = await _open_apart(config, parts, bus, stack, tasks, first)
        notices = [server.notices, hull.applying.notices, opened.heard]
        app = _app(config, hull, opened, lambda: [line for told in notices for line in told()])
        if parts.delivery:
            broker_url = hull.broker.url if hull.broker else config.bus.broker
            neighbours = opened.core.neighbours if opened.core else None
            note.leave(folder_of(config), _note(config, broker_url, server.url, neighbours.hub if neighbours else None))
        yield Work(config=config, desk=opened.desk, app=app, tasks=tasks, sessions=opened.sessions, core=opened.core)


class _Opened(NamedTuple):
    """What runs in this process: its connections, and who answers for the hub, here or far away.

    `heard` tells what is wrong among several hubs.
    """

    connecting: Connecting
    sessions: Mapping[str, Session]
    desk: FrontDesk | FarDesk
    ready: Callable[[], Awaitable[Mapping[str, str]]]
    heard: Callable[[], Sequence[str]]
    core: Core | None = None


async def _open_delivery(  # noqa: PLR0917 - wired in one place
    config: Config, hull: _Hull, bus: Bus, stack: AsyncExitStack, tasks: list[asyncio.Task[None]],
    first: Collection[str],
) -> _Opened:  # fmt: skip
    """The hub itself, with the connectors that run here; those that run elsewhere are reached over the bus."""
    parts, server, applying = hull.parts, hull.server, hull.applying
    journal, index = await open_journals(config, folder_of(config), stack)
    owners = Owners(config.objects, config.plant.equipment)
    here = make_sessions(config, owners, parts)
    far = make_far_sessions(config, owners, parts, bus.client)
    belonging = Belonging(bus.js, journal, config.plant.site)
    await belonging.check()
    stack.push_async_callback(belonging.close)
    storage = Storage(_disk(config), bus.js, belonging, _stores(config, bus))
    handovers = await make_handovers(
        config, bus=bus, journal=journal, index=index, owners=owners, storage=storage,
        sessions={name: {**here, **far}[name] for name in config.systems}, on_hop=hull.on_hop,
        overhearing=await open_overhearing(config, folder_of(config), stack),
    )  # fmt: skip
    handovers.observing.metrics.config_reload_failed.set_function(lambda: float(applying.failed))
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
    planning = Planning(
        config, await asyncio.to_thread(contents, config), journal=journal, delivery=handovers.delivery,
        spooling=spooling, applying=applying,
    )  # fmt: skip
    handovers.desk.take(planning)
    connecting = Connecting(here, spooling)
    stack.push_async_callback(lambda: connecting.close(CLOSE_S))
    await connect_first(here[name] for name in first if name in here)
    examining = Examining(config, here)
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
    _begin(tasks, {**storage.running(), "broker": Mending(bus, hull.broker, storage.disk).run()})
    _begin(tasks, {**working, **spooling.running(), **watching, "examining": examining.run(hub=True)})
    if not parts.whole:
        door = IntakeDoor(bus.client, config.plant.site, gate, frozenset(config.systems))
        await door.start()
        stack.push_async_callback(door.stop, CLOSE_S)
    desk = handovers.desk
    _tell(desk, hull, examining)
    await desk.listen(bus)
    core = Core(
        bus=bus, journal=journal, delivery=handovers.delivery, planning=planning, spooling=spooling,
        far=far, neighbours=desk.neighbours, ended=handovers.outcomes.ended,
    )  # fmt: skip
    return _Opened(connecting, here, desk, desk.ready, desk.heard, core)


def _tell(desk: FrontDesk, hull: _Hull, examining: Examining) -> None:
    """What the desk tells of the process around it."""
    server, applying = hull.server, hull.applying
    desk.overview.address = server.url
    desk.overview.notices = lambda: [*server.notices(), *applying.notices()]
    desk.overview.examined = lambda: examining.hub
    desk.systems.look = examining.look


async def _open_apart(  # noqa: PLR0917 - wired in one place
    config: Config, parts: Parts, bus: Bus, stack: AsyncExitStack, tasks: list[asyncio.Task[None]],
    first: Collection[str],
) -> _Opened:  # fmt: skip
    """Connectors, pages, or both, of a hub that is another process."""
    site, zone = config.plant.site, config.plant.timezone
    sessions = make_sessions(config, Owners(config.objects, config.plant.equipment), parts)
    intake = FarIntake(bus.client, site)
    disk = _disk(config)
    spooling = await _open_spooling(config, sessions, intake, disk, stack)
    connecting = Connecting(sessions, spooling)
    stack.push_async_callback(lambda: connecting.close(CLOSE_S))
    stack.push_async_callback(_stop, tasks)
    await connect_first(sessions[name] for name in first if name in sessions)
    serving = Serving(
        bus.client, site, sessions, settings(config), disk=lambda: disk.stopped() or disk.warning()
    )  # fmt: skip
    await serving.start()
    stack.push_async_callback(serving.stop, DRAIN_S)
    examining = Examining(config, sessions).run(hub=False)
    _begin(tasks, {"disk": disk.run(), "examining": examining, **spooling.running(), **connecting.running()})

    async def ready() -> Mapping[str, str]:
        """The hub takes in what the systems of this process say, and nothing of it is lost."""
        wrong = {f"handing over for {name}": await intake.unready(name) for name in sessions}
        lost = [f"{state.system}: {lost_line(state.said(), zone)}" for state in spooling.states() if state.lost]
        return {
            what: reason or "" for what, reason in (*wrong.items(), ("spool", "; ".join(lost)), ("disk", disk.full()))
        }

    return _Opened(connecting, sessions, FarDesk(bus.client, site), ready, tuple)


async def _open_spooling(
    config: Config, sessions: Mapping[str, Session], intake: TakesIn, disk: Disk, stack: AsyncExitStack
) -> Spooling:
    """The spools of this process's systems; processes that share a folder share its file, each with rows of its own."""
    limits = {name: config.systems[name].spool for name in sessions}
    spooling = await stack.enter_async_context(open_spools(folder_of(config), limits, intake, disk.full))
    for name, session in sessions.items():
        session.spooled = partial(spooling.state, name)
    return spooling


def _stores(config: Config, bus: Bus) -> Stores:
    """What each may take: spools what their systems allow, exchanges what is kept of them."""
    folder = folder_of(config)
    limits = {
        "spool": sum(system.spool for system in config.systems.values()),
        "exchanges": exchanges_limit(config, folder),
    }  # fmt: skip
    return Stores(folder, bus.js, limits)


def _disk(config: Config) -> Disk:
    return Disk(folder_of(config), warn=config.bus.disk_warn, stop=config.bus.disk_stop)


def _begin(tasks: list[asyncio.Task[None]], running: Mapping[str, Coroutine[None, None, None]]) -> None:
    tasks += [asyncio.create_task(run, name=name) for name, run in running.items()]


def _app(config: Config, hull: _Hull, opened: _Opened, notices: Callable[[], Sequence[str]]) -> FastAPI:
    """The HTTP application with the doors of the hosted connectors; the rest of it asks who is there."""
    from mombus.web.app import make_app, make_part_app  # noqa: PLC0415 - heavy, only a running hub needs it

    doors = opened.connecting.doors()
    if not hull.parts.web:
        locked = config.http.token or config.http.accounts or config.http.oidc
        return make_part_app(opened.ready, doors, open_to_all=not locked, notices=notices)
    token = config.http.token.get_secret_value() if config.http.token else None
    hsts = config.http.hsts if config.http.certificate else None
    return make_app(
        opened.desk, doors, token, names=config.http.names, notices=notices, site=config.plant.site,
        zone=config.plant.timezone, accounts=True, oidc=config.http.oidc, hsts=hsts,
    )  # fmt: skip


def folder_of(config: Config) -> Path:
    """Where the hub keeps its files."""
    return (config.folder / config.bus.folder).absolute()


async def open_bus(config: Config, folder: Path, stack: AsyncExitStack, parts: Parts) -> Bus:
    """Connect to the broker; its own one is started first, if the hub has one."""
    return await stack.enter_async_context(_connected(config, parts, await _open_broker(config, folder, stack)))


async def _open_broker(config: Config, folder: Path, stack: AsyncExitStack) -> EmbeddedBroker | None:
    if config.bus.broker != "embedded":
        return None
    broker = EmbeddedBroker(folder / "broker", observe=_observe)
    return await stack.enter_async_context(broker)


@asynccontextmanager
async def _connected(config: Config, parts: Parts, broker: EmbeddedBroker | None) -> AsyncIterator[Bus]:
    disk_bytes = shutil.disk_usage(folder_of(config)).total if broker else None
    limits = Limits.of(config.bus.keep, disk_bytes, config.bus.replicas) if parts.delivery else None
    async with connect(
        broker.url if broker else config.bus.broker, name=f"mombus {parts}", token=_token(config),
        credentials=config.bus.credentials, ca=config.bus.ca, limits=limits, observe=_observe,
        largest_body_bytes=config.bus.largest_body_bytes,
    ) as bus:  # fmt: skip
        if parts.delivery:
            await watch_advisories(bus, _observe)
        yield bus


def _observe(what: str) -> None:
    log.warning("broker", what=what)


def _token(config: Config) -> str | None:
    return config.bus.token.get_secret_value() if config.bus.token else None


def _note(config: Config, broker_url: str, pages: str, hub: str | None) -> note.Note:
    credentials, ca = (str(path.absolute()) if path else None for path in (config.bus.credentials, config.bus.ca))
    zone = config.plant.timezone.key
    return note.Note(config.plant.site, zone, broker_url, pages, os.getpid(), _token(config), credentials, ca, hub)


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
