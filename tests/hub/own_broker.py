"""A nats-server that isn't the hub's own."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from hub_plant import until

from mombus.bus.embedded import executable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

FAST = 'jetstream {{ store_dir: "{folder}/js", sync_interval: 2m }}\nport: -1\nhost: 127.0.0.1\n'


@asynccontextmanager
async def broker(folder: Path, security: str = "") -> AsyncIterator[str]:
    """A server with that part of its configuration; yields its URL."""
    settings = written(folder, security)
    server = await asyncio.create_subprocess_exec(
        executable(), "-c", str(settings), stderr=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        ports = folder / f"nats-server_{server.pid}.ports"
        await until(lambda: ports.exists() and ports.stat().st_size > 0)
        yield json.loads(ports.read_text())["nats"][0]
    finally:
        server.terminate()
        await server.wait()


def written(folder: Path, security: str) -> Path:
    """Its configuration file."""
    folder.mkdir()
    settings = folder / "nats.conf"
    settings.write_text(FAST.format(folder=folder) + f'ports_file_dir: "{folder}"\n' + security)
    return settings
