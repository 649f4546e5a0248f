"""The doctor's look at the systems and at what the hub stands on, taken now and then while it runs.

What is found is shown on the pages and measured: one place computes it for `mombus doctor`, pages and metrics.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import structlog

from mombus.doctor.check import MOST, Verdict
from mombus.hub.session import Condition

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping, Sequence

    from mombus.config.model import Config
    from mombus.doctor.check import Check
    from mombus.hub.session import Session

FIRST_S, EVERY_S = 20.0, 3600.0

log = structlog.get_logger()


class Examined(NamedTuple):
    """What was found, and when."""

    at: datetime
    checks: Sequence[Check]

    def said(self) -> dict[str, Any]:
        """As it is told to people and to other processes."""
        checks = self.checks
        if len(checks) > MOST:
            checks = sorted(checks, key=lambda check: check.verdict is Verdict.WELL)[:MOST]
        return {"at": self.at.isoformat(), "checks": [check.said() for check in checks]}


class Examining:
    """Looks at the systems that this process is connected to, and at the hub: `hub` has what was found of that."""

    def __init__(self, config: Config, sessions: Mapping[str, Session]) -> None:
        self._config = config
        self._sessions = sessions
        self.hub: Examined | None = None

    async def run(self, *, hub: bool) -> None:
        """Look for ever, with `hub` at the hub as well."""
        await asyncio.sleep(FIRST_S)
        while True:
            if hub:
                await self._look_at_hub()
            for name in self._sessions:
                await self.look(name)
            await asyncio.sleep(EVERY_S)

    async def look(self, system: str) -> None:
        """Look at a system now, if this process is connected to it; its session keeps what was found."""
        from mombus.doctor.doctor import examine_system  # noqa: PLC0415 - TLS and wires, only for who looks

        session = self._sessions.get(system)
        if session is None or session.condition is Condition.ELSEWHERE:
            return
        found = await _found(system, examine_system(self._config, self._config.systems[system]))
        if found is not None:
            session.examined = found.said()

    async def _look_at_hub(self) -> None:
        from mombus.doctor.doctor import examine_hub  # noqa: PLC0415

        self.hub = await _found("the hub", examine_hub(self._config, runs=True)) or self.hub


async def _found(what: str, looking: Awaitable[Sequence[Check]]) -> Examined | None:
    """Nothing that is looked at may end the looking."""
    try:
        return Examined(datetime.now(UTC), await looking)
    except Exception:
        log.exception("can't be looked at", what=what)
        return None


def notices(examined: Mapping[str, Any] | None) -> list[str]:
    """What people should look at of certificates and clocks; what else is wrong is told by how a system is."""
    return [
        f"{check['about']}: {check['text']}: {check['do']}"
        for check in (examined["checks"] if examined else ())
        if check["verdict"] != Verdict.WELL and (check["field"] or check["ahead_s"] is not None)
    ]
