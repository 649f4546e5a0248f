"""A broker that is there and stores nothing: its disk was full, and it doesn't try again by itself.

One of the hub's own is started again as soon as there is room; somebody else's is named, with what to do.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from mombus.bus.connection import Bus
    from mombus.bus.embedded import EmbeddedBroker
    from mombus.hub.store.disk import Disk

EVERY_S = 2.0
ANSWERS_S = 2.0
PATIENCE = 4
"""So many looks in a row may find that it stores nothing."""
REST_S = 30.0
"""How long a broker that was started again is left in peace."""

log = structlog.get_logger()


class Mending:
    """Watches whether the broker stores. `broker` is the hub's own, if it has one."""

    def __init__(self, bus: Bus, broker: EmbeddedBroker | None, disk: Disk) -> None:
        self._bus = bus
        self._broker = broker
        self._disk = disk

    async def run(self) -> None:
        """Watch for ever. A broker that is frozen as a whole loses its connection before PATIENCE looks are over."""
        frozen = 0
        while True:
            await asyncio.sleep(EVERY_S)
            frozen = frozen + 1 if await self._stores_nothing() else 0
            if frozen > PATIENCE and self._disk.stopped() is None and self._broker is not None:
                log.warning("the broker stores nothing though the disk has room: it is started again")
                await self._broker.restart()
                self._bus.link.confirmed()
                frozen = 0
                await asyncio.sleep(REST_S)

    async def _stores_nothing(self) -> bool:
        from nats.errors import Error  # noqa: PLC0415 - imported where it is used

        link = self._bus.link
        if not link.up:
            return False
        if link.stalled:
            return True
        try:
            async with asyncio.timeout(ANSWERS_S):
                await self._bus.js.account_info()
        except (Error, TimeoutError, ConnectionError):
            if link.up:
                link.stall()
            return link.up
        return False
