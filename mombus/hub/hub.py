"""The hub: opens its parts in the order they need each other, runs them side by side, closes them in reverse."""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from connectors.connector import ConfigError, Halted, Hosted, RetryableError, Source
from mombus.bus.advisories import watch_advisories
from mombus.bus.connection import connect
from mombus.bus.embedded import EmbeddedBroker
from mombus.bus.errors import BusError
from mombus.bus.intake import Intake
from mombus.bus.known import Known
from mombus.bus.requests import Requests
from mombus.bus.streams import Limits
from mombus.delivery.delivery import Delivery
from mombus.hub import note
from mombus.hub.building import make_prepare, make_sessions, make_targets
from mombus.hub.frontdesk import FrontDesk
from mombus.hub.housekeeping import Housekeeping
from mombus.hub.observing import Observing
from mombus.hub.reading import Reading
from mombus.hub.server import Server
from mombus.index.feeder import Feeder
from mombus.index.tables import index_metadata
from mombus.journal.journal import Journal
from mombus.ownership.aliases import Aliases
from mombus.ownership.owners import Owners

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence

    from starlette.types import ASGIApp

    from connectors.connector import Item, Outcome
    from mombus.bus.connection import Bus
    from mombus.config.model import Config
    from mombus.delivery.target import Hop
    from mombus.hub.session import Session

DRAIN_S = 20.0
CLOSE_S = 5.0
"""How long the systems' goodbyes, and the end of the hub's own parts, may take."""
END_AGAIN_S = 1.0
OPEN_S = 30.0
"""A target that can't be opened for so long is in trouble of its own: the others begin without it."""

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
        journal, index = await _open_journals(config, folder, stack)
        parts = await _make_parts(config, bus=bus, journal=journal, index=index, on_hop=on_hop)
        stack.push_async_callback(parts.close_connectors)
        tasks: list[asyncio.Task[None]] = []
        stack.push_async_callback(_stop, parts.delivery, tasks)
        await parts.start(tasks)
        await parts.desk.listen(bus)
        tasks.append(await server.start(parts.app(config.http.token.get_secret_value() if config.http.token else None)))
        stack.push_async_callback(server.stop)
        note.leave(folder, _note(config, broker_url, server.url))
        stack.callback(note.take_away, folder)
        yield Hub(config=config, server=server, desk=parts.desk, tasks=tasks)


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
        observe=lambda text: observe(what=text),
    ))  # fmt: skip
    await watch_advisories(bus, lambda text: observe(what=text))
    return bus, url


def _token(config: Config) -> str | None:
    return config.bus.token.get_secret_value() if config.bus.token else None


def _note(config: Config, broker_url: str, pages: str) -> note.Note:
    credentials = str(config.bus.credentials.absolute()) if config.bus.credentials else None
    return note.Note(config.plant.site, broker_url, pages, os.getpid(), _token(config), credentials)


async def _open_journals(config: Config, folder: Path, stack: AsyncExitStack) -> tuple[Journal, Journal]:
    store = f"sqlite:///{folder / 'journal.sqlite'}" if config.bus.store == "embedded" else config.bus.store
    journal = await Journal.open(store)
    stack.push_async_callback(journal.close)
    index = await Journal.open(f"sqlite:///{folder / 'index.sqlite'}", schema=index_metadata)
    stack.push_async_callback(index.close)
    return journal, index


class _Parts:
    """Everything of a hub that runs."""

    def __init__(
        self, *, sessions: Mapping[str, Session], intake: Intake, delivery: Delivery, requests: Requests,
        feeder: Feeder, observing: Observing, desk: FrontDesk, housekeeping: Housekeeping,
    ) -> None:  # fmt: skip
        self.sessions = sessions
        self.intake = intake
        self.delivery = delivery
        self.requests = requests
        self.feeder = feeder
        self.observing = observing
        self.desk = desk
        self.housekeeping = housekeeping

    async def start(self, tasks: list[asyncio.Task[None]]) -> None:
        """Begin everything that runs for ever; nothing is read before the targets' routes have begun."""
        tasks.append(asyncio.create_task(self.delivery.run(), name="delivery"))
        await _first_of(self.delivery.opened(), tasks[0])
        running = {
            "requests": self.requests.run(), "index": self.feeder.run(), "observing": self.observing.run(),
            "housekeeping": self.housekeeping.run(),
        }  # fmt: skip
        for name, session in self.sessions.items():
            if isinstance(session.connector, Source):
                running[f"reading {name}"] = Reading(
                    session, session.connector, accept=partial(self.intake.accept, name),
                    bookmark=partial(self.intake.bookmark, name),
                ).run()  # fmt: skip
            else:
                running[f"connecting {name}"] = _connect_first(session)
        tasks += [asyncio.create_task(run, name=name) for name, run in running.items()]

    def app(self, token: str | None) -> ASGIApp:
        """The HTTP application with the doors of the hosted connectors; the rest of it asks for `token`."""
        from mombus.web.app import make_app  # noqa: PLC0415 - heavy, only a running hub needs it

        doors = {
            session.connector.path: session.connector.app(partial(self._deliver, session))
            for session in self.sessions.values()
            if isinstance(session.connector, Hosted)
        }
        return make_app(self.desk, doors, token)

    async def close_connectors(self) -> None:
        """Say goodbye to every system."""
        closing = [asyncio.create_task(s.connector.close(), name=s.system) for s in self.sessions.values()]
        if closing:
            _, late = await asyncio.wait(closing, timeout=CLOSE_S)
            for task in late:
                log.warning("a system wasn't left in time", system=task.get_name(), seconds=CLOSE_S)
                task.cancel()

    async def _deliver(self, session: Session, item: Item) -> Sequence[Outcome]:
        session.heard()
        try:
            return await self.intake.accept(session.system, item)
        except BusError as error:
            raise RetryableError(f"it can't be stored now: {error}") from error


async def _first_of(ready: Coroutine[None, None, None], running: asyncio.Task[None]) -> None:
    """Wait until it is ready, at most OPEN_S. Raises what makes `running` end before."""
    waiting = asyncio.create_task(ready)
    try:
        done, _ = await asyncio.wait({waiting, running}, timeout=OPEN_S, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
    if running in done:
        running.result()


async def _connect_first(session: Session) -> None:
    """A system that is only written to is connected once; its inbox connects it again after that."""
    pause_s = 0.2
    while session.opened == 0:
        try:
            await session.connect(0)
        except (Halted, ConfigError) as error:
            log.error("system halted", system=session.system, reason=str(error))
            await session.halt(str(error))
        except Exception as error:  # noqa: BLE001 - one system's fault never stops another's
            log.warning("system down", system=session.system, reason=str(error))
        await asyncio.sleep(pause_s)
        pause_s = min(5.0, pause_s * 2)
    await asyncio.Event().wait()


async def _make_parts(
    config: Config, *, bus: Bus, journal: Journal, index: Journal, on_hop: Callable[[Hop], None] | None
) -> _Parts:
    site = config.plant.site
    owners = Owners(config.objects, config.plant.equipment)
    aliases = Aliases(config.aliases, journal)
    requests = Requests(bus, journal, observe=lambda text: log.warning("request", what=text))
    intake = Intake(bus=bus, journal=journal, owners=owners, aliases=aliases, requests=requests, site=site)
    await aliases.catch_up()
    await intake.start()
    sessions = make_sessions(config, owners)
    policies = {ownership.object: ownership.references for ownership in config.objects}
    known = Known(bus, site, policies, config.plant.equipment)
    observing = Observing(aliases=aliases, intake=intake, on_hop=on_hop)
    delivery = Delivery(
        js=bus.js, journal=journal, site=site, publish=bus.publish,
        targets=make_targets(
            config, sessions.values(), owners, take_in=intake.accept, requests=requests, bus=bus
        ),
        observe=observing.hop, prepare=make_prepare(aliases, known, requests),
    )  # fmt: skip
    observing.delivery = delivery
    feeder = Feeder(bus.js, index, observing.stored)
    desk = FrontDesk(
        config=config, bus=bus, journal=journal, index=index, sessions=sessions, intake=intake, delivery=delivery,
        observing=observing,
    )  # fmt: skip
    housekeeping = Housekeeping(bus=bus, journal=journal, index=index, aliases=aliases, intake=intake)
    return _Parts(
        sessions=sessions, intake=intake, delivery=delivery, requests=requests, feeder=feeder, observing=observing,
        desk=desk, housekeeping=housekeeping,
    )  # fmt: skip


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
