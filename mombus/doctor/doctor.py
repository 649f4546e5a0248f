"""Everything that is looked at, in the order in which one would mend it."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

from mombus.doctor.machine import machine
from mombus.doctor.reaching import reached
from mombus.doctor.stores import broker, database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from mombus.config.model import Config, System
    from mombus.doctor.check import Check

EMBEDDED = "embedded"


async def examine(config: Config, *, runs: bool = False) -> list[Check]:
    """Every check. Nothing is changed anywhere, and no system is asked anything but the time."""
    folder = (config.folder / config.bus.folder).absolute()
    named = os.environ.get("MOMBUS_SECRETS")
    secrets = [config.folder / "secrets", *([Path(named)] if named else [])]
    found = await asyncio.to_thread(lambda: list(machine(config, folder, secrets, runs=runs)))
    looking = [broker(config.bus)] if config.bus.broker != EMBEDDED else []
    looking += [database(config.bus)] if config.bus.store != EMBEDDED else []
    looking += [_system(config, system) for system in config.systems.values()]
    for checks in await asyncio.gather(*map(_all, looking)):
        found += checks
    return found


async def _all(checks: AsyncIterator[Check]) -> Sequence[Check]:
    return [check async for check in checks]


async def _system(config: Config, system: System) -> AsyncIterator[Check]:
    """Where it is; one that only comes to us has no address."""
    for url in str(getattr(system.config, "url", "")).split(","):
        if "://" not in url:
            continue
        ca = getattr(system.config, "ca_file", None) or getattr(system.config, "ca", None)
        async for check in reached(f"system {system.name}", url.strip(), config.folder / ca if ca else None):
            yield check
