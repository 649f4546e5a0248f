"""Where `mombus run` reads its configuration again: when it is told to by SIGHUP, or when its files change."""

from __future__ import annotations

import asyncio
import signal
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mombus.cli.asking import whoami
from mombus.cli.check import DEFAULT
from mombus.config.loader import Loaded, load
from mombus.config.scrubbing import secrets_of
from mombus.delivery.breaking import break_off

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from mombus.config.model import Config
    from mombus.config.needs import Needs
    from mombus.config.scrubbing import Scrubber
    from mombus.hub.changing.here import Origin
    from mombus.hub.hub import Hub

LOOK_S = 1.0


def origin_of(
    files: list[Path] | None, needs: Needs, credentials: Path | None, loaded: Loaded, scrubber: Scrubber
) -> Origin:
    """Where a configuration was read from; new secrets are kept out of the logs from when they are read."""
    from mombus.hub.changing.here import Origin  # noqa: PLC0415 - heavy

    paths = files or [DEFAULT]

    def again() -> Loaded:
        found = load(paths, needs=needs)
        if found.config is None:
            return found
        scrubber.learn(secrets_of(found.config))
        return Loaded(with_credentials(found.config, credentials), found.findings, found.files)

    return Origin(tuple(path.absolute() for path in paths), loaded.files, again)


def with_credentials(config: Config, credentials: Path | None) -> Config:
    """The configuration with other credentials for the broker, if there are some."""
    if credentials is None:
        return config
    return config.model_copy(
        update={"bus": config.bus.model_copy(update={"credentials": credentials.absolute()})}
    )  # fmt: skip


@asynccontextmanager
async def reloading(hub: Hub, *, watch: bool) -> AsyncIterator[None]:
    """Let SIGHUP make the hub read its files again, and with `watch` every change of them."""
    loop, told = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGHUP, told.set)
    tasks = [asyncio.create_task(_listen(hub, told)), *([asyncio.create_task(_watch(hub))] if watch else [])]
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)
        await break_off(*tasks)


async def _listen(hub: Hub, told: asyncio.Event) -> None:
    """Who is told while a change is under way reads again after it: the files may have changed since it read them."""
    while True:
        await told.wait()
        told.clear()
        while not hub.reload(whoami(), "told to read its files again (SIGHUP)"):  # noqa: ASYNC110 - seldom
            await asyncio.sleep(LOOK_S)


async def _watch(hub: Hub) -> None:
    """A change is taken when it has stood for a look: an editor may be writing still."""
    taken = seen = await asyncio.to_thread(_state, hub.files)
    while True:
        await asyncio.sleep(LOOK_S)
        now = await asyncio.to_thread(_state, hub.files)
        if now == seen != taken and hub.reload(whoami(), "its files have changed"):
            taken = seen
        seen = now


def _state(files: Sequence[str]) -> list[tuple[int, int] | None]:
    found: list[tuple[int, int] | None] = []
    for file in files:
        try:
            state = Path(file).stat()
        except OSError:
            found.append(None)
        else:
            found.append((state.st_mtime_ns, state.st_size))
    return found
