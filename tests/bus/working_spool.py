"""A spool at work, for tests."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from mombus.bus.spool import Spool
from mombus.journal.journal import Journal
from mombus.journal.spooled import spool_metadata

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@asynccontextmanager
async def working_spool(file: Path, system: str, **how: Any) -> AsyncIterator[Spool]:
    """The spool of a system, with what that file holds: each time as after a start."""
    kept = await Journal.open(f"sqlite:///{file}", schema=spool_metadata)
    spool = Spool(system, kept, **how)
    await spool.open()
    running = asyncio.create_task(spool.run())
    try:
        yield spool
    finally:
        running.cancel()
        await asyncio.wait({running})
        await kept.close()
