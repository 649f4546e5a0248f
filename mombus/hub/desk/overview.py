"""How one hub is: its systems, flows, disk and spools, as it tells them to its own pages and to other hubs."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mombus import __version__
from mombus.hub.desk import reporting
from mombus.hub.examining import notices
from mombus.hub.several.shards import by_target

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mombus.config.model import Config
    from mombus.delivery.delivery import Delivery
    from mombus.hub.examining import Examined
    from mombus.hub.observing import Observing
    from mombus.hub.session import Session
    from mombus.hub.store.storage import Storage


class Overview:
    """One hub, as it sees itself. `address` is where its pages are, `leases` tells those it has, if it has neighbours.

    `notices` tells what else a person should look at, `examined` what the doctor found of what the hub stands on.
    """

    def __init__(
        self, *, config: Config, sessions: Mapping[str, Session], delivery: Delivery, observing: Observing,
        storage: Storage,
    ) -> None:  # fmt: skip
        self._config = config
        self._sessions = sessions
        self._delivery = delivery
        self._observing = observing
        self._storage = storage
        self._since = datetime.now(UTC)
        self.address = ""
        self.leases: Callable[[], Sequence[str]] = tuple
        self.notices: Callable[[], Sequence[str]] = tuple
        self.examined: Callable[[], Examined | None] = lambda: None

    async def own(self) -> dict[str, Any]:
        """All of it, as plain data."""
        systems, flows, disk = await self.systems(), self._observing.flows, self._storage.disk
        examined = self.examined()
        told = examined.said() if examined else None
        return {
            "address": self.address, "since": self._since.isoformat(), "version": __version__,
            "leases": list(self.leases()), "disk": {**disk.said(), "reason": disk.stopped() or disk.warning()},
            "stores": self._storage.stores.said(), "examined": told,
            "spools": self._spools(), "systems": systems, "flows": reporting.outgoing_rows(flows),
            "arrivals": {id: dict(states) for id, states in flows.arrivals.items()},
            "trouble": [*self._storage.trouble(), *self._disks_apart(), *self.notices(), *_of_others(told)],
        }  # fmt: skip

    async def systems(self) -> list[dict[str, Any]]:
        """The systems as this hub sees them."""
        said, probes = await asyncio.gather(
            self._delivery.status(), asyncio.gather(*(session.seen() for session in self._sessions.values()))
        )
        statuses = by_target(said)
        rows = [
            reporting.system_row(session, probe, statuses.get(name), self._observing.flows)
            for (name, session), probe in zip(self._sessions.items(), probes, strict=True)
        ]
        for row in rows:
            if self._config.systems[row["name"]].shards > 1:
                row["shards"] = sum(status.target == row["name"] for status in said)
        return rows

    def _spools(self) -> list[dict[str, Any]]:
        """Those of this hub's disk, and of the disks of connectors in other processes: `apart`."""
        told = [(session, session.spool()) for session in self._sessions.values()]
        return [{**spool, "apart": session.apart} for session, spool in told if spool is not None]

    def _disks_apart(self) -> list[str]:
        told = [(session, session.disk()) for session in self._sessions.values() if session.apart]
        return [f"disk of the process of {session.system}: {reason}" for session, reason in told if reason]


def _of_others(examined: Mapping[str, Any] | None) -> list[str]:
    """Of broker and store; the pages' own certificate is watched by who serves them."""
    return [line for line in notices(examined) if not line.startswith("pages: ")]
