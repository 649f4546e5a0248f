"""How the disk is used: watched, kept from filling up, and told to people with what to do."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from mombus.bus.room import Room, make_room
from mombus.config.size import Size

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    from nats.js import JetStreamContext

    from mombus.hub.store.belonging import Belonging
    from mombus.hub.store.disk import Disk
    from mombus.hub.store.stores import Stores
    from mombus.hub.store.trail import Trail

EVERY_S, SOON_S = 5.0, 0.2

log = structlog.get_logger()


class Storage:
    """The disk, what each store uses of it, the room in MOM, and whether journal and broker belong together."""

    def __init__(self, disk: Disk, js: JetStreamContext, belonging: Belonging, stores: Stores) -> None:
        self.disk = disk
        self.stores = stores
        self._js = js
        self._belonging = belonging
        self._room = Room(0, -1)

    @property
    def trail(self) -> Trail:
        """What the broker remembers of the audit trail."""
        return self._belonging.trail

    def running(self) -> Mapping[str, Coroutine[None, None, None]]:
        """What runs for ever, by name."""
        return {
            "disk": self.disk.run(), "stores": self.stores.run(), "room": self._keep_room(),
            "belonging": self._belonging.run(),
        }  # fmt: skip

    def dependencies(self) -> dict[str, str]:
        """Everything that taking in needs here, with the reason why it can't be; none when it can."""
        found = {"store": self._belonging.wrong, "disk": self.disk.stopped(), "stream MOM": self._full()}
        return {where: reason or "" for where, reason in found.items()}

    def wrong(self) -> dict[str, str]:
        """What keeps the hub from taking in, by where."""
        return {where: reason for where, reason in self.dependencies().items() if reason}

    def trouble(self) -> list[str]:
        """One sentence each, the worst first."""
        lines = [f"{where}: {reason}" for where, reason in self.wrong().items()]
        warnings = {"audit trail": self._belonging.trail.wrong, "disk": self.disk.warning()}
        return lines + [f"{where}: {warning}" for where, warning in warnings.items() if warning]

    def _full(self) -> str | None:
        if not self._room.full:
            return None
        used, limit, _, reader = self._room
        return (
            f"{Size(used)} of {Size(limit)} are used, and its oldest messages are still to be read by {reader}: "
            "see why that target is behind (`mombus status`), or raise `bus: {keep: {mom_size: …}}`"
        )

    async def _keep_room(self) -> None:
        from nats.errors import Error  # noqa: PLC0415 - imported where it is used

        while True:
            try:
                self._room = await make_room(self._js)
            except (Error, TimeoutError, ConnectionError) as error:
                log.debug("MOM can't be looked at", reason=str(error) or type(error).__name__)
            else:
                if self._room.dropped:
                    log.warning("MOM is nearly full: the oldest made room", messages=self._room.dropped)
            await asyncio.sleep(SOON_S if self._room.dropped else EVERY_S)
