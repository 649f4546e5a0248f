"""What systems that are away haven't got: it goes by itself, in its order, as soon as they can be given it."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Any

from mombus.hub.desk.waits import LANES, ORDER, calling

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    Told = Mapping[str, Any]

AWAY = {"down": "is down", "halted": "is halted"}
"""Why nothing goes to a system, as people say it."""


def undelivered(
    systems: Iterable[Told], contacts: Mapping[str, str | None], orders: Mapping[int, Sequence[str]], now: datetime
) -> list[dict[str, Any]]:
    """One row for each system that is away while something is there for it, the oldest first.

    `orders` are those that messages name, by their sequence; where none is known, lanes are told.
    """
    rows = [
        _row(system, contacts.get(system["name"]), orders, now)
        for system in systems if system["health"] in AWAY and system["in_hand"]
    ]  # fmt: skip
    return sorted(rows, key=lambda row: str(row["since"]))


def ill(systems: Iterable[Told], contacts: Mapping[str, str | None], besides: Iterable[Told]) -> list[dict[str, Any]]:
    """One row for each system that isn't well, but for those that are told of `besides`, as by `undelivered`."""
    told = {row["target"] for row in besides}
    return [
        {**system, "do": seen_to(system, contacts.get(system["name"]))}
        for system in systems if system["health"] != "ok" and system["name"] not in told
    ]  # fmt: skip


def touched(one: Told, orders: Mapping[int, Sequence[str]]) -> list[str]:
    """The orders that the first messages in hand of one object are about, else their lanes."""
    named = [order for seq in one["seqs"] for order in orders.get(seq, ())]
    return list(dict.fromkeys(named or (lane.removeprefix(ORDER) for lane in one["lanes"])))


def _row(system: Told, contact: str | None, orders: Mapping[int, Sequence[str]], now: datetime) -> dict[str, Any]:
    held = system["in_hand"]
    since = min(datetime.fromisoformat(one["since"]) for one in held)
    about = list(dict.fromkeys(order for one in held for order in touched(one, orders)))
    return {
        "target": system["name"], "health": system["health"], "reason": system["reason"],
        "count": max(system["lag"], sum(one["count"] for one in held)), "late": sum(one["late"] for one in held),
        "since": since.isoformat(), "age_s": max(0.0, (now - since).total_seconds()),
        "objects": dict(_by_object(held, "count")), "orders": about[:LANES],
        "orders_total": max(len(about), *_by_object(held, "lanes_total").values()), "do": _do(system, contact),
    }  # fmt: skip


def _by_object(held: Iterable[Told], what: str) -> Counter[str]:
    """A target in shards has several rows of one object, none of them of the same lanes."""
    found: Counter[str] = Counter()
    for one in held:
        found[one["object"]] += one[what]
    return found


def _do(system: Told, contact: str | None) -> str:
    go = ": they go by themselves then, in their order" if _mends_itself(system) else ": they go then, in their order"
    return f"{seen_to(system, contact)}{go}"


def seen_to(system: Told, contact: str | None) -> str:
    """What may be done about a system that isn't well, and who may help."""
    name, call = system["name"], calling(contact)
    if not _mends_itself(system):
        return f"mend the cause{call}, then `mombus resume {name}`"
    if system["condition"] == "failing":
        return "nothing, until that works again"
    if system["health"] == "elsewhere":
        return "nothing: another hub has it"
    return f"get {name} to answer{call}" if system["health"] == "down" else f"see what is wrong with {name}{call}"


def _mends_itself(system: Told) -> bool:
    return "halted" not in {system["health"], system["condition"]}
