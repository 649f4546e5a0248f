"""Everything that is looked at, in the order in which one would mend it."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

from mombus.doctor.certificates import declared
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
    hub, *systems = await asyncio.gather(
        examine_hub(config, runs=runs), *(examine_system(config, system) for system in config.systems.values())
    )
    return [*hub, *(check for checks in systems for check in checks)]


async def examine_hub(config: Config, *, runs: bool) -> list[Check]:
    """This machine, and a broker and a database of one's own. `runs`: a hub of this configuration runs here."""
    folder = (config.folder / config.bus.folder).absolute()
    named = os.environ.get("MOMBUS_SECRETS")
    secrets = [config.folder / "secrets", *([Path(named)] if named else []), Path("/run/secrets")]
    found = await asyncio.to_thread(lambda: list(machine(config, folder, secrets, runs=runs)))
    looking = [broker(config.bus)] if config.bus.broker != EMBEDDED else []
    looking += [database(config.bus)] if config.bus.store != EMBEDDED else []
    if config.http.oidc:
        looking.append(reached("identity provider", config.http.oidc.issuer, config.http.oidc.ca))
    if config.traces.endpoint:
        looking.append(reached("traces", config.traces.endpoint, config.traces.ca))
    for checks in await asyncio.gather(*map(_all, looking)):
        found += checks
    return found


async def examine_system(config: Config, system: System) -> list[Check]:
    """Its certificates, whether it can be reached and whose clock it has; one that only comes to us has no address."""
    about = f"system {system.name}"
    found = await asyncio.to_thread(lambda: list(declared(about, system.config, config.folder)))
    ca = getattr(system.config, "ca_file", None) or getattr(system.config, "ca", None)
    for url in str(getattr(system.config, "url", "")).split(","):
        if "://" in url:
            found += await _all(reached(about, url.strip(), config.folder / ca if ca else None))
    return found


async def _all(checks: AsyncIterator[Check]) -> Sequence[Check]:
    return [check async for check in checks]
