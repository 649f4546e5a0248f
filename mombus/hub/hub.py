"""The hub: composed of its parts, opened in the order they need each other, closed in reverse.

connectors   speaks with the systems: reads them, has their doors (`connecting.py`)
delivery     keeps the handovers: intake, journal, inboxes, index, and what is known of them (`handovers.py`)
web          the pages and the API (`mombus/web/`)

One process has all of them.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from mombus.bus.advisories import watch_advisories
from mombus.bus.connection import connect
from mombus.bus.embedded import EmbeddedBroker
from mombus.bus.streams import Limits
from mombus.hub import note
from mombus.hub.building import make_sessions
from mombus.hub.connecting import Connecting
from mombus.hub.handovers import make_handovers, open_journals
from mombus.hub.server import Server
from mombus.hub.spooling import open_spools
from mombus.hub.storage import Storage
from mombus.ownership.owners import Owners

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from fastapi import FastAPI

    from mombus.bus.connection import Bus
    from mombus.config.model import Config
    from mombus.delivery.delivery import Delivery
    from mombus.delivery.target import Hop
    from mombus.hub.frontdesk import FrontDesk
    from mombus.hub.handovers import Handovers
    from mombus.hub.spooling import Spooling

DRAIN_S = 20.0
CLOSE_S = 5.0
"""How long the systems' goodbyes, and the end of the hub's own tasks, may take."""
END_AGAIN_S = 1.0

log = structlog.get_logger()


class Hub:
    """A running hub, made by `open_hub`. `url` is where its pages are, `desk` answers for it."""

    def __init__(self, *, config: Config, server: Server, desk: FrontDesk, tasks: Sequence[asyncio.Task[None]]) -> None:
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
async def open_hub(config: Config, *, on_hop: Callable[[Hop], None] | None = None) -> AsyncIterator[Hub]:
    """Start a hub; leaving the context drains it: what is being written is finished, the rest stays stored.

    `on_hop` is told of every hop of every message. Raises BusError, AddressInUse, ConfigError, KindError.
    """
    folder = _folder(config)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    async with AsyncExitStack() as stack:
        server = Server(config.http)
        stack.push_async_callback(server.stop)
        bus, broker_url = await _open_bus(config, folder, stack)
        journal, index = await open_journals(config, folder, stack)
        owners = Owners(config.objects, config.plant.equipment)
        sessions = make_sessions(config, owners)
        storage = Storage()
        handovers = await make_handovers(
            config, bus=bus, journal=journal, index=index, owners=owners, sessions=sessions, storage=storage,
            on_hop=on_hop,
        )  # fmt: skip
        spooling = await stack.enter_async_context(open_spools(
            folder, {name: system.spool for name, system in config.systems.items()}, handovers.intake
        ))  # fmt: skip
        storage.spools = spooling.states
        connecting = Connecting(sessions, spooling)
        stack.push_async_callback(lambda: connecting.close(CLOSE_S))
        tasks: list[asyncio.Task[None]] = []
        stack.push_async_callback(_stop, handovers.delivery, tasks)
        await _start(handovers, spooling, connecting, tasks)
        await handovers.desk.listen(bus)
        tasks.append(await server.start(_app(config, handovers.desk, connecting)))
        stack.push_async_callback(server.stop)
        note.leave(folder, _note(config, broker_url, server.url))
        stack.callback(note.take_away, folder)
        yield Hub(config=config, server=server, desk=handovers.desk, tasks=tasks)


async def _start(
    handovers: Handovers, spooling: Spooling, connecting: Connecting, tasks: list[asyncio.Task[None]]
) -> None:
    """Begin everything that runs for ever; nothing is read before the targets' routes have begun."""
    tasks.append(asyncio.create_task(handovers.delivery.run(), name="delivery"))
    await handovers.begin(tasks[0])
    running = {**handovers.running(), **spooling.running(), **connecting.running()}
    tasks += [asyncio.create_task(run, name=name) for name, run in running.items()]


def _app(config: Config, desk: FrontDesk, connecting: Connecting) -> FastAPI:
    """The HTTP application with the doors of the hosted connectors; the rest of it asks for the token."""
    from mombus.web.app import make_app  # noqa: PLC0415 - heavy, only a running hub needs it

    return make_app(desk, connecting.doors(), config.http.token.get_secret_value() if config.http.token else None)


def _folder(config: Config) -> Path:
    return (config.folder / config.bus.folder).absolute()


async def _open_bus(config: Config, folder: Path, stack: AsyncExitStack) -> tuple[Bus, str]:
    observe = partial(log.warning, "broker")
    url = config.bus.broker
    if url == "embedded":
        broker = EmbeddedBroker(folder / "broker", observe=lambda text: observe(what=text))
        await stack.enter_async_context(broker)
        url = broker.url
    bus = await stack.enter_async_context(connect(
        url, token=_token(config), credentials=config.bus.credentials, limits=Limits(),
        observe=lambda text: observe(what=text), largest_body_bytes=config.bus.largest_body_bytes,
    ))  # fmt: skip
    await watch_advisories(bus, lambda text: observe(what=text))
    return bus, url


def _token(config: Config) -> str | None:
    return config.bus.token.get_secret_value() if config.bus.token else None


def _note(config: Config, broker_url: str, pages: str) -> note.Note:
    credentials = str(config.bus.credentials.absolute()) if config.bus.credentials else None
    return note.Note(config.plant.site, broker_url, pages, os.getpid(), _token(config), credentials)


async def _stop(delivery: Delivery, tasks: Sequence[asyncio.Task[None]]) -> None:
    """Stop reading, let delivery finish what it is writing, then end the rest."""
    for task in tasks:
        if task.get_name() != "delivery":
            task.cancel()
    delivery.drain()
    running = [task for task in tasks if task.get_name() == "delivery"]
    if running and (await asyncio.wait(running, timeout=DRAIN_S))[1]:
        log.warning("delivery didn't finish in time; what was in hand comes again", seconds=DRAIN_S)
        await delivery.close()
    await _end(tasks)


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    """End them. One that doesn't notice is told again: a wait that is just over may swallow a cancellation."""
    left = set(tasks)
    until = asyncio.get_running_loop().time() + max(CLOSE_S, 2 * END_AGAIN_S)
    while left and asyncio.get_running_loop().time() < until:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=END_AGAIN_S)
    for task in left:
        log.error("a part of the hub doesn't end", part=task.get_name())
