"""The gauges of the metrics, set when somebody asks: systems, doors, spools, disk, what waits and what is behind."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mombus.hub.session import Condition

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mombus.delivery.target import Status
    from mombus.hub.session import Session
    from mombus.web.metrics import Metrics

_NOTHING: Mapping[str, Any] = {"items": 0, "bytes": 0, "since": None, "lost": None}


def measure(
    metrics: Metrics, *, sessions: Iterable[Session], statuses: Iterable[Status], broker_up: bool, disk_free: int
) -> None:
    """Set them all. `statuses` is one for each target; what isn't there any more has no series."""
    metrics.broker_up.set(1 if broker_up else 0)
    metrics.disk_free.set(disk_free)
    for session in sessions:
        up = session.condition is Condition.OK
        metrics.system_up.labels(session.system, session.kind).set(1 if up else 0)
        for why, count in (session.door() or {"refused": {}})["refused"].items():
            metrics.door_refused.labels(session.system, why).set(count)
        _spool(metrics, session.system, session.spool() or _NOTHING)
    metrics.waiting.clear()
    for status in statuses:
        _target(metrics, status)


def _spool(metrics: Metrics, system: str, spool: Mapping[str, Any]) -> None:
    """What a spool holds and has lost."""
    metrics.spool_items.labels(system).set(spool["items"])
    metrics.spool_bytes.labels(system).set(spool["bytes"])
    metrics.spool_age.labels(system).set(_age_s(spool["since"]))
    metrics.spool_lost.labels(system).set(spool["lost"]["count"] if spool["lost"] else 0)


def _target(metrics: Metrics, status: Status) -> None:
    for kind, count in status.waiting.items():
        metrics.waiting.labels(status.target, str(kind)).set(count)
    metrics.lag.labels(status.target).set(status.lag + status.in_hand)
    metrics.oldest.labels(status.target).set(_age_s(status.oldest_waiting))


def _age_s(since: datetime | str | None) -> float:
    """For how long, 0 for never."""
    then = datetime.fromisoformat(since) if isinstance(since, str) else since
    return max(0.0, (datetime.now(UTC) - then).total_seconds()) if then else 0.0
