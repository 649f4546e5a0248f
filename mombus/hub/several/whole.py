"""The whole of several hubs, from what each tells of itself: the first is the one that was asked, the others follow."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Any

from mombus.hub.several.shards import together
from mombus.hub.spooling import kept_line, lost_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import tzinfo

ELSEWHERE = "elsewhere"

Told = dict[str, Any]


def systems(hubs: Sequence[Told]) -> list[Told]:
    """Each system as the hubs see it that have it, or some of its shards; `hub` is where others are.

    How one is whose connector is a process of its own every hub sees; what is behind for it only who delivers to it.
    Its door is every hub's: what went on there is counted together.
    """
    own, *others = hubs
    here = {row["name"]: row for row in own["systems"]}
    theirs: dict[str, list[Told]] = {}
    doors: dict[str, list[Told]] = {}
    for hub in hubs:
        for row in hub["systems"]:
            doors.setdefault(row["name"], []).append(row["door"])
            if hub in others and row["health"] != ELSEWHERE:
                theirs.setdefault(row["name"], []).append({**row, "hub": hub["address"]})
    found = [_system(here.get(name), theirs.get(name, [])) for name in {**here, **theirs}]
    return [{**row, "door": _door([door for door in doors[row["name"]] if door])} for row in found]


def flows(hubs: Sequence[Told]) -> dict[tuple[str, str], Told]:
    """By object and target what went there by way of all hubs, and how the last one went."""
    found: dict[tuple[str, str], Told] = {}
    for row in (row for hub in hubs for row in hub["flows"]):
        way = row["object"], row["target"]
        before = found.get(way)
        found[way] = row if before is None else _flow(before, row)
    return found


def arrivals(hubs: Sequence[Told]) -> dict[str, dict[str, str]]:
    """How the last messages went: message id → target → state; one that was delivered is, whatever happened before."""
    found: dict[str, dict[str, str]] = {}
    for hub in hubs:
        for id, states in hub["arrivals"].items():
            mine = found.setdefault(id, {})
            mine.update({target: state for target, state in states.items() if mine.get(target) != "delivered"})
    return found


def rows(hubs: Sequence[Told], silent: Sequence[Told]) -> list[Told]:
    """One row per hub: where, since when, what it has, its disk and stores; those that don't answer come last."""
    names = ("address", "since", "version", "leases", "disk", "stores", "examined", "spools")
    return [{"answers": True} | {name: hub[name] for name in names} for hub in hubs] + list(silent)


def trouble(hubs: Sequence[Told], silent: Sequence[Told], zone: tzinfo) -> list[str]:
    """What a person should look at, of all hubs: one sentence each, the worst first; its times as in `zone`."""
    lines = [_silent(hub, zone) for hub in silent]
    for number, hub in enumerate(hubs):
        where = f"the hub at {hub['address']}: " if number else ""
        spools = hub["spools"]
        lines += [_of(spool, where) + lost_line(spool, zone) for spool in spools if spool["lost"]]
        lines += [where + line for line in hub["trouble"]]
        lines += [_of(spool, where) + kept_line(spool, zone) for spool in spools if spool["items"]]
    return list(dict.fromkeys(lines))


def _of(spool: Told, where: str) -> str:
    """What is on the disk of a connector's process every hub tells."""
    return f"{spool['system']}, in its own process: " if spool["apart"] else f"{where}{spool['system']}: "


def _system(own: Told | None, theirs: Sequence[Told]) -> Told:
    if own is not None and not theirs:
        return own
    told = [own, *theirs] if own is not None and own["health"] != ELSEWHERE else [*theirs]
    if "shards" in told[0]:
        return together(told)
    return dict(next((row for row in told if row["condition"] is not None), told[0]))


def _door(doors: Sequence[Told]) -> Told | None:
    if len(doors) < 2:
        return doors[0] if doors else None
    refused = sum((Counter(door["refused"]) for door in doors), Counter[str]())
    last = [door["last_refused"] for door in doors if door["last_refused"]]
    return {
        **doors[0], "locked": any(door["locked"] for door in doors), "let_in": sum(door["let_in"] for door in doors),
        "refused": dict(refused), "last_refused": max(last, key=lambda one: one.get("at", ""), default=None),
        "trouble": next((door["trouble"] for door in doors if door["trouble"]), None),
    }  # fmt: skip


def _flow(one: Told, other: Told) -> Told:
    later = max(one, other, key=lambda row: row["last"] or "")
    return {**later, **{name: one[name] + other[name] for name in ("per_minute", "total")}}


def _silent(hub: Mapping[str, Any], zone: tzinfo) -> str:
    heard, kept = datetime.fromisoformat(hub["heard"]), hub["kept"]
    since = f"{heard.astimezone(zone):%Y-%m-%d %H:%M:%S}"
    line = f"the hub at {hub['address']} doesn't answer since {since}: {hub['reason']}"
    if not kept:
        return line
    return (
        f"{line}; {kept} item{' is' if kept == 1 else 's are'} in the spools on its disk: start it again, or move its "
        "`spool.sqlite` into the folder of a new hub and start that"
    )
