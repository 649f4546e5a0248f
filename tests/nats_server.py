"""A nats-server of a test, by a configuration file of its own, on a port that the system picks."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from mombus.bus.embedded import executable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

START_S = 90.0


@asynccontextmanager
async def nats_server(configuration: Path) -> AsyncIterator[str]:
    """Run it; yields its URL when it listens. The configuration names no port, or -1; its log is beside it."""
    folder = configuration.parent
    with configuration.open("a") as file:
        file.write(f'\nports_file_dir: "{folder}"\n')
    with configuration.with_suffix(".log").open("w") as log:
        server = await asyncio.create_subprocess_exec(executable(), "-c", str(configuration), stdout=log, stderr=log)
    try:
        async with asyncio.timeout(START_S):
            ports = folder / f"nats-server_{server.pid}.ports"
            while not (ports.exists() and ports.stat().st_size):
                assert server.returncode is None, configuration.with_suffix(".log").read_text()
                await asyncio.sleep(0.02)
        yield json.loads(ports.read_text())["nats"][0]
    finally:
        if server.returncode is None:
            server.terminate()
        await server.wait()
