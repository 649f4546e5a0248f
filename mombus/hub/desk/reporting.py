"""What the hub says of itself: one plain status for pages, commands and monitors."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from canonical.objects import shown_key
from mombus import __version__
from mombus.hub.desk import waits
from mombus.hub.desk.undelivered import AWAY
from mombus.hub.examining import notices
from mombus.hub.session import Condition
from mombus.index.rhythm import Rhythm

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping, Sequence

    from connectors.connector import Probe
    from mombus.config.model import Config
    from mombus.delivery.in_hand import InHand
    from mombus.delivery.target import Status
    from mombus.hub.session import Session
    from mombus.index.flows import Flow, Flows
    from mombus.journal.causes import Cause
    from mombus.journal.selection import Group

SHOWN = 20

_NOTHING = {"per_minute": 0, "total": 0, "last": None, "state": "", "reason": None}


def system_row(session: Session, probe: Probe, status: Status | None, flows: Flows) -> dict[str, Any]:
    """One system: how it is and why, when it last said something, how much goes in and out per minute."""
    now = datetime.now(UTC)
    health, reason = _health(session, probe, status)
    heard = [time for time in (session.last_data, probe.last_data) if time]
    said, got = flows.said.get(session.system, Rhythm()), flows.got.get(session.system, Rhythm())
    return {
        "name": session.system, "kind": session.kind, "health": health, "reason": reason,
        "condition": status.condition if status else None,
        "since": session.since.isoformat(), "last_data": max(heard).isoformat() if heard else None,
        "in_per_minute": _sum(flows.incoming, session.system, now),
        "out_per_minute": _sum(flows.outgoing, session.system, now),
        "lag": status.lag + status.in_hand if status else 0, "late": status.late if status else 0,
        "in_hand": [_in_hand(one) for one in status.unsent] if status else [],
        "waiting": dict(status.waiting) if status else {},
        "last_delivery": _iso(status.last_delivery) if status else None,
        "oldest_waiting": _iso(status.oldest_waiting) if status else None,
        "door": session.door(), "longest_pause_in_s": said.longest_s(now), "longest_pause_out_s": got.longest_s(now),
        "silent_s": said.silent_s(now) if health == "ok" else None, "examined": session.examined,
    }  # fmt: skip


def _in_hand(one: InHand) -> dict[str, Any]:
    return {**asdict(one), "since": one.since.isoformat(), "seqs": list(one.seqs), "lanes": list(one.lanes)}


def _health(session: Session, probe: Probe, status: Status | None) -> tuple[str, str]:
    if session.condition is Condition.HALTED or (status and status.condition == "halted"):
        return "halted", session.reason or (status.reason if status else "")
    if session.condition in {Condition.DOWN, Condition.ELSEWHERE}:
        return session.condition.value, session.reason
    if status and status.condition in {"reconnecting", "failing"}:
        return "down", f"{status.condition}: {status.reason}"
    return probe.health.value, probe.reason or (status.reason if status and status.condition != "stopped" else "")


def _sum(flows: Mapping[tuple[str, str], Flow], system: str, now: datetime) -> int:
    return sum(flow.rate.per_minute(now) for (_, name), flow in flows.items() if name == system)


def outgoing_rows(flows: Flows) -> list[dict[str, Any]]:
    """What went where by way of this hub."""
    return [{"object": name, "target": target, **_flow(flow)} for (name, target), flow in flows.outgoing.items()]


def flow_rows(
    config: Config, flows: Flows, outgoing: Mapping[tuple[str, str], Mapping[str, Any]], waiting: Iterable[Group]
) -> list[dict[str, Any]]:
    """One row per declared handover, and per flow that was seen without one (requests, replies, signals).

    `outgoing` is by object and target what went there by way of all hubs, as `outgoing_rows`.
    """
    owner = {ownership.object: ownership.owner for ownership in config.objects}
    declared = {(route.object, target): None for route in config.routes for target in route.to}
    stuck: dict[tuple[str, str], int] = {}
    for group in waiting:
        stuck[group.object, group.target] = stuck.get((group.object, group.target), 0) + group.count
    shown = {**declared, **dict.fromkeys(outgoing)}
    rows = [
        _flow_row(name, _sender(owner.get(name), target), target, outgoing.get((name, target)), stuck)
        for name, target in shown
    ]
    routed = {name for name, _ in shown}
    rows += [
        _flow_row(name, source, None, _flow(flow), stuck)
        for (name, source), flow in flows.incoming.items()
        if name not in routed
    ]
    return rows


def _sender(owner: str | None, target: str) -> str:
    """Who an object comes from: its owner, or, when it goes to its owner, those who ask."""
    return "who asks" if owner == target else owner or "-"


def _flow_row(
    object: str, source: str, target: str | None, flow: Mapping[str, Any] | None,
    stuck: Mapping[tuple[str, str], int],
) -> dict[str, Any]:  # fmt: skip
    return {
        **(flow or _NOTHING), "object": object, "source": source, "target": target,
        "waiting": stuck.get((object, target or ""), 0),
    }  # fmt: skip


def _flow(flow: Flow) -> dict[str, Any]:
    return {
        "per_minute": flow.rate.per_minute(datetime.now(UTC)), "total": flow.rate.total, "last": _iso(flow.last),
        "state": flow.state, "reason": flow.reason,
    }  # fmt: skip


def message_rows(flows: Flows, arrivals: Mapping[str, Mapping[str, str]]) -> list[dict[str, Any]]:
    """The last messages, newest first, with how they went: `arrivals` is message id → target → state."""
    return [
        {
            "at": seen.at.isoformat(), "id": seen.message_id, "object": seen.object, "verb": seen.verb,
            "key": shown_key(seen.object, seen.key), "source": seen.source, "lane": seen.lane,
            "arrivals": dict(arrivals.get(seen.message_id, {})),
        }
        for seen in list(flows.last)[: -SHOWN - 1 : -1]
    ]  # fmt: skip


def trouble(
    systems: Sequence[Mapping[str, Any]], waiting: Sequence[Cause], *, broker: str, disagreements: int,
    kept: int, hubs: Sequence[str], answers: Mapping[str, str | None],
) -> dict[str, list[str]]:  # fmt: skip
    """What a person should look at, as the status has it: `trouble`, and `besides` of it.

    `hubs`: what there is about the hubs, their disks and spools. `answers`: who answers for each object.
    """
    first = [f"the broker: {broker}"] if broker else []
    first += hubs
    ill = _ill(row for row in systems if not (broker and row.get("condition") == "failing"))
    shown = [line for row in systems for line in notices(row.get("examined"))]
    shown += [row["door"]["trouble"] for row in systems if row["door"] and row["door"]["trouble"]]
    stuck = [line for cause in waiting if (line := waits.trouble(cause, answers))]
    last = [
        f"{row['late']} in hand for {row['name']} {'is' if row['late'] == 1 else 'are'} late"
        for row in systems if row["late"] and row["health"] not in AWAY
    ]  # fmt: skip
    if disagreements:
        last.append(f"{disagreements} open disagreement{'' if disagreements == 1 else 's'}: `mombus disagreements`")
    if kept:
        last.append(f"{kept} item{'' if kept == 1 else 's'} that could not be taken in: `mombus kept`")
    return {"trouble": [*first, *ill, *shown, *stuck, *last], "besides": [*first, *shown, *last]}


def _ill(systems: Iterable[Mapping[str, Any]]) -> list[str]:
    """Which systems aren't well, those with one reason together."""
    found: dict[tuple[str, str], list[str]] = {}
    lack: Counter[tuple[str, str]] = Counter()
    late: Counter[tuple[str, str]] = Counter()
    for row in systems:
        if row["health"] != "ok":
            why = row["health"], row["reason"]
            found.setdefault(why, []).append(row["name"])
            if row["health"] in AWAY:
                lack[why] += row["lag"]
                late[why] += row["late"]
    return [
        f"{listed(names)} {'is' if len(names) == 1 else 'are'} {why[0]}: {why[1]}{_lacking(lack[why], late[why])}"
        for why, names in found.items()
    ]


def _lacking(number: int, late: int) -> str:
    if not number:
        return ""
    return f"; {number} message{' waits' if number == 1 else 's wait'} for it{f', {late} late' if late else ''}"


def listed(names: Sequence[str]) -> str:
    """Names as people list them."""
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def unready(statuses: Iterable[Status], routed: Container[str]) -> dict[str, str]:
    """Deliveries that don't work, those with one reason together. What isn't `routed` to gets answers only."""
    found: dict[tuple[str, str], list[str]] = {}
    for status in statuses:
        if status.condition == "failing":
            what = "delivery" if status.target in routed else "answers"
            names = found.setdefault((what, status.reason), [])
            names += [] if status.target in names else [status.target]
    return {f"{what} to {listed(names)}": reason for (what, reason), names in found.items()}


def summary(site: str, **parts: Any) -> dict[str, Any]:
    """The whole status."""
    return {"at": datetime.now(UTC).isoformat(), "site": site, "version": __version__, **parts}


def _iso(time: datetime | None) -> str | None:
    return time.isoformat() if time else None
