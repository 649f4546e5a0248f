"""One system's connection, shared by its source and its sink: who finds it lost first opens it again for both."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import structlog

from connectors.connector import Health, Probe

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from connectors.connector import Connector
    from mombus.bus.spool import SpoolState
    from mombus.web.doorkeeper import Doorkeeper

PROBE_S = 1.0
QUIET_S = 60.0
"""How long the same loss of a connection isn't logged again."""

log = structlog.get_logger()


class Condition(StrEnum):
    """How a system's connection is."""

    STARTING = "starting"
    OK = "ok"
    DOWN = "down"
    HALTED = "halted"
    """Nothing works until a person acts."""
    ELSEWHERE = "elsewhere"
    """Another hub has the connection."""


class Session:
    """The connection of one system.

    `condition` and `reason` are what people see; `since` is when the condition began, `last_data` when it last said
    something. `doorkeeper` is who lets it in, where it comes to us. `left` is how often it had been opened when another
    hub got it. `spooled` tells of its spool if that holds or has lost anything; `apart`: this is in another process.
    """

    apart = False
    examined: Mapping[str, Any] | None = None
    """What the doctor found when it looked last, as `Examined.said`."""

    def __init__(self, system: str, kind: str, connector: Connector) -> None:
        self.system = system
        self.kind = kind
        self.connector = connector
        self.left = 0
        self.condition = Condition.STARTING
        self.reason = "not connected yet"
        self.since = datetime.now(UTC)
        self.last_data: datetime | None = None
        self.doorkeeper: Doorkeeper | None = None
        self.spooled: Callable[[], SpoolState | None] = lambda: None
        self.resumed = asyncio.Event()
        self._lock = asyncio.Lock()
        self._opened = 0
        self._loss_told, self._loss_told_at, self._lost_told = "", 0.0, False

    @property
    def opened(self) -> int:
        """How often the connection was opened: give it to `connect` to open it only if nobody else has since."""
        return self._opened

    @property
    def connected(self) -> bool:
        """True once it was opened here; one that only comes to us says something all the same."""
        return self._opened > self.left

    async def connect(self, seen: int) -> None:
        """Open the connection, unless it was opened again since it was `seen`. Raises as Connector.connect."""
        async with self._lock:
            if seen != self._opened:
                return
            try:
                await self.connector.connect()
            except Exception as error:
                self.mark(Condition.DOWN, str(error) or type(error).__name__)
                raise
            self._opened += 1
            self.mark(Condition.OK, "")

    def mark(self, condition: Condition, reason: str) -> None:
        """Note how the connection is. That it is lost, for another reason, or back is logged once, not at each try."""
        if (condition, reason) == (self.condition, self.reason):
            return
        self._log(condition, reason)
        if condition is not self.condition:
            self.since = datetime.now(UTC)
        self.condition, self.reason = condition, reason

    def _log(self, condition: Condition, reason: str) -> None:
        """One that is opened again and again, and lost each time, is told once in QUIET_S."""
        now = time.monotonic()
        if condition is Condition.DOWN and (reason != self._loss_told or now - self._loss_told_at > QUIET_S):
            log.warning("system down", system=self.system, reason=reason)
            self._loss_told, self._loss_told_at, self._lost_told = reason, now, True
        elif condition is Condition.OK and self._lost_told:
            log.warning("system up", system=self.system, down_s=round((datetime.now(UTC) - self.since).total_seconds()))
            self._lost_told = False

    def heard(self) -> None:
        """The system said something."""
        self.last_data = datetime.now(UTC)
        if self.condition not in {Condition.HALTED, Condition.ELSEWHERE}:
            self.mark(Condition.OK, "")

    async def halt(self, reason: str) -> None:
        """Wait until a person lets the system work again."""
        self.mark(Condition.HALTED, reason)
        self.resumed.clear()
        await self.resumed.wait()

    async def resume(self) -> None:
        """A person says that it may work again."""
        self.resumed.set()

    async def probe(self) -> Probe:
        """How it is: asked of the connector while it is connected."""
        if self.condition is not Condition.OK:
            return Probe(Health.DOWN, self.reason)
        try:
            async with asyncio.timeout(PROBE_S):
                return await self.connector.probe()
        except TimeoutError:
            return Probe(Health.DEGRADED, f"no answer to a probe within {PROBE_S:.0f} s")

    async def seen(self) -> Probe:
        """How it is, without waiting for another process: as `probe`, or as its own process said last."""
        return await self.probe()

    def door(self) -> Mapping[str, Any] | None:
        """How it goes at its door, as `Doorkeeper.status`; None for a system that doesn't come to us."""
        return self.doorkeeper.status() if self.doorkeeper else None

    def spool(self) -> Mapping[str, Any] | None:
        """How its spool is, as `SpoolState.said`; None if that holds and has lost nothing."""
        state = self.spooled()
        return state.said() if state is not None else None

    def disk(self) -> str | None:
        """What people should know of the disk of its process, if that is another one than the hub's."""
        return None

    async def said(self) -> dict[str, Any]:
        """How it is, as it is told to another process."""
        probe = await self.probe()
        heard = max((at for at in (self.last_data, probe.last_data) if at), default=None)
        return {
            "condition": self.condition, "reason": self.reason or probe.reason,
            "last_data": heard.isoformat() if heard else None, "health": probe.health,
            "door": self.door(), "spool": self.spool(), "examined": self.examined,
        }  # fmt: skip


def reconnecting(session: Session) -> Callable[[], Awaitable[None]]:
    """How a target opens its connection again: not if its source has, since the target had to the last time."""
    seen = 0

    async def connect() -> None:
        nonlocal seen
        await session.connect(seen)
        seen = session.opened

    return connect
