"""The gauges of the metrics, set when somebody asks: systems, doors, spools, disk, what waits and what is behind."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mombus.hub.session import Condition
from mombus.journal import disagreements, parked, selection

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import Connection

    from mombus.delivery.target import Status
    from mombus.hub.examining import Examined
    from mombus.hub.session import Session
    from mombus.hub.store.storage import Storage
    from mombus.index.flows import Flows
    from mombus.journal.selection import Group
    from mombus.web.metrics import Metrics

_NOTHING: Mapping[str, Any] = {"items": 0, "bytes": 0, "since": None, "lost": None}


@dataclass(frozen=True, slots=True)
class Open:
    """What the journal has open: waiting messages grouped, kept items by system and kind, disagreements by object."""

    waiting: Sequence[Group]
    kept: Mapping[tuple[str, str], int]
    disagreements: Mapping[str, int]


def what_is_open(connection: Connection, now: datetime) -> Open:
    """Read it."""
    kept = parked.groups(connection, system=None, kind=None, reason=None, before=None)
    return Open(
        selection.groups(connection, selection.Selection(), now),
        {(system, kind): count for system, kind, count, _ in kept}, disagreements.count_by_object(connection, now),
    )  # fmt: skip


def measure(
    metrics: Metrics, *, sessions: Sequence[Session], statuses: Iterable[Status], open: Open | None, broker_up: bool,
    storage: Storage, flows: Flows, hub: Examined | None, spools: Mapping[str, int],
) -> None:  # fmt: skip
    """Set them all. `statuses` is one for each target; what isn't there any more has no series.

    `open` is None while the journal's database doesn't answer. `hub` is what the doctor found of the hub, `spools` how
    much each system's may hold.
    """
    metrics.broker_up.set(1 if broker_up else 0)
    metrics.journal_up.set(0 if open is None else 1)
    _stores(metrics, storage)
    _open(metrics, open)
    _examined(metrics, [hub.said() if hub else None, *(session.examined for session in sessions)])
    for session in sessions:
        _state(metrics, session, flows)
        metrics.spool_limit.labels(session.system).set(spools[session.system])
        for why, count in (session.door() or {"refused": {}})["refused"].items():
            metrics.door_refused.labels(session.system, why).set(count)
        _spool(metrics, session.system, session.spool() or _NOTHING)
    for gauge in (metrics.waiting, metrics.lag, metrics.oldest, metrics.last_delivery):
        gauge.clear()
    for status in statuses:
        _target(metrics, status)


def _open(metrics: Metrics, open: Open | None) -> None:
    for gauge in (metrics.route_waiting, metrics.route_oldest, metrics.route_late, metrics.kept, metrics.disagreements):
        gauge.clear()
    if open is None:
        return
    for group in open.waiting:
        route = group.target, group.object
        metrics.route_waiting.labels(*route).inc(group.count)
        metrics.route_late.labels(*route).inc(group.late)
    for route, since in _oldest(open.waiting).items():
        metrics.route_oldest.labels(*route).set(_age_s(since))
    for (system, kind), count in open.kept.items():
        metrics.kept.labels(system, kind).set(count)
    for name, count in open.disagreements.items():
        metrics.disagreements.labels(name).set(count)


def _oldest(waiting: Iterable[Group]) -> dict[tuple[str, str], datetime]:
    found: dict[tuple[str, str], datetime] = {}
    for group in waiting:
        route = group.target, group.object
        found[route] = min(found.get(route, group.oldest), group.oldest)
    return found


def _stores(metrics: Metrics, storage: Storage) -> None:
    disk = storage.disk.said()
    metrics.disk_free.set(disk["free"])
    metrics.disk_size.set(disk["total"])
    metrics.disk_stop.set(disk["stop"])
    metrics.store_bytes.clear()
    for store in storage.stores.found:
        metrics.store_bytes.labels(store.name).set(store.used)
        if store.limit is not None:
            metrics.store_limit.labels(store.name).set(store.limit)


def _examined(metrics: Metrics, examined: Iterable[Mapping[str, Any] | None]) -> None:
    """Certificates and clocks; of several certificates in one place the one that ends first."""
    metrics.certificate_end.clear()
    metrics.clock_ahead.clear()
    ends: dict[tuple[str, str], datetime] = {}
    for check in (check for one in examined if one for check in one["checks"]):
        if check["ends"]:
            at, named = datetime.fromisoformat(check["ends"]), (check["about"], check["field"])
            ends[named] = min(at, ends.get(named, at))
        if check["ahead_s"] is not None:
            metrics.clock_ahead.labels(check["about"]).set(check["ahead_s"])
    for named, at in ends.items():
        metrics.certificate_end.labels(*named).set(at.timestamp())


def _state(metrics: Metrics, session: Session, flows: Flows) -> None:
    metrics.system_up.labels(session.system, session.kind).set(1 if session.condition is Condition.OK else 0)
    for condition in Condition:
        metrics.system_state.labels(session.system, condition.value).set(1 if session.condition is condition else 0)
    if session.last_data is not None:
        metrics.last_data.labels(session.system).set(session.last_data.timestamp())
    rhythm = flows.said.get(session.system)
    silent_s = rhythm.silent_s(datetime.now(UTC)) if rhythm and session.condition is Condition.OK else None
    metrics.silent.labels(session.system).set(silent_s or 0)


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
    for unsent in status.unsent:
        metrics.route_late.labels(status.target, unsent.object).inc(unsent.late)
    metrics.oldest.labels(status.target).set(_age_s(status.oldest_waiting))
    if status.last_delivery is not None:
        metrics.last_delivery.labels(status.target).set(status.last_delivery.timestamp())


def _age_s(since: datetime | str | None) -> float:
    """For how long, 0 for never."""
    then = datetime.fromisoformat(since) if isinstance(since, str) else since
    return max(0.0, (datetime.now(UTC) - then).total_seconds()) if then else 0.0
