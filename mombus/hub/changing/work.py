"""What works under one configuration: opened and closed as a whole, while the broker and the HTTP server stay."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from starlette.types import ASGIApp

    from mombus.bus.connection import Bus
    from mombus.config.model import Config
    from mombus.delivery.delivery import Delivery
    from mombus.hub.apart.far_desk import FarDesk
    from mombus.hub.apart.remote import RemoteSession
    from mombus.hub.desk.frontdesk import FrontDesk
    from mombus.hub.desk.planning import Planning
    from mombus.hub.session import Session
    from mombus.hub.several.neighbours import Neighbours
    from mombus.hub.spooling import Spooling
    from mombus.journal.journal import Journal


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """What the part `delivery` has.

    `far` are the systems whose connectors run in other processes, `neighbours` the other hubs of its journal, if it is
    shared. `ended` tells what handovers to a system ended at a time, for the index to read.
    """

    bus: Bus
    journal: Journal
    delivery: Delivery
    planning: Planning
    spooling: Spooling
    far: Mapping[str, RemoteSession]
    neighbours: Neighbours | None
    ended: Callable[[str, datetime], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Everything but the broker and the HTTP server. `core` is None where the hub itself is another process.

    `sessions` are the systems whose connectors run in this one.
    """

    config: Config
    desk: FrontDesk | FarDesk
    app: ASGIApp
    tasks: Sequence[asyncio.Task[None]]
    sessions: Mapping[str, Session]
    core: Core | None

    async def finish(self, within_s: float) -> None:
        """Deliver no more, and finish what is being written; what systems say is still stored."""
        delivering = [task for task in self.tasks if task.get_name() == "delivery"]
        if self.core is not None and delivering:
            self.core.delivery.drain()
            await asyncio.wait(delivering, timeout=within_s)
