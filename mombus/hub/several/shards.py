"""A system that is written to in shards, by this hub or by several: how it is, as one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mombus.delivery.target import Condition

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mombus.delivery.target import Status

_WORST = (
    Condition.HALTED, Condition.FAILING, Condition.RECONNECTING, Condition.CLOSED,
    Condition.STARTING, Condition.STOPPED, Condition.RUNNING,
)  # fmt: skip
_SICKEST = ("halted", "down", "starting", "degraded", "ok")
_LATEST = ("last_data", "last_delivery")
_LONGEST = ("longest_pause_in_s", "longest_pause_out_s")
_ADDED = ("out_per_minute", "lag", "late")


def by_target(statuses: Iterable[Status]) -> dict[str, Status]:
    """Each target with how its inboxes here are, taken together: the worst of them, and all that is in hand."""
    found: dict[str, list[Status]] = {}
    for status in statuses:
        found.setdefault(status.target, []).append(status)
    return {target: _one(shards) for target, shards in found.items()}


def together(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One system as several hubs see it that have some of its shards each. What it says each of them sees.

    A hub that isn't told of its shards yet has it whole.
    """
    worst = min(rows, key=lambda row: _SICKEST.index(row["health"]))
    told = {
        **worst, **{name: sum(row[name] for row in rows) for name in _ADDED},
        **{name: max((row[name] for row in rows if row[name]), default=None) for name in (*_LATEST, *_LONGEST)},
        "shards": sum(row.get("shards", 1) for row in rows),
        "in_per_minute": max(row["in_per_minute"] for row in rows),
        "in_hand": [one for row in rows for one in row["in_hand"]],
    }  # fmt: skip
    addresses = sorted({row["hub"] for row in rows if "hub" in row})
    return {**told, "hub": ", ".join(addresses)} if addresses else told


def _one(shards: Sequence[Status]) -> Status:
    """What waits is the target's, whichever shard tells it."""
    worst = min(shards, key=lambda status: _WORST.index(status.condition))
    return replace(
        worst, lag=sum(one.lag for one in shards), in_hand=sum(one.in_hand for one in shards),
        unsent=[one for shard in shards for one in shard.unsent],
        last_delivery=max((one.last_delivery for one in shards if one.last_delivery), default=None),
    )  # fmt: skip
