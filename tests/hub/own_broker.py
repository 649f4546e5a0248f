"""A nats-server that isn't the hub's own."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from nats_server import nats_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

FAST = 'jetstream {{ store_dir: "{folder}/js", sync_interval: 2m }}\nport: -1\nhost: 127.0.0.1\n'


@asynccontextmanager
async def broker(folder: Path, security: str = "") -> AsyncIterator[str]:
    """A server with that part of its configuration; yields its URL."""
    async with nats_server(_written(folder, security)) as url:
        yield url


def _written(folder: Path, security: str) -> Path:
    """Its configuration file."""
    folder.mkdir()
    settings = folder / "nats.conf"
    settings.write_text(FAST.format(folder=folder) + security)
    return settings
