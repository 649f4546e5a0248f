"""The names of inboxes: a target's own name, or, of a target that is delivered to in shards, `target:shard`.

A shard is one partition of the lanes: what is in one lane is always in one shard.
"""

from __future__ import annotations

from canonical.subjects import PARTITIONS, partition


def inbox_of(system: str, shard: int | None) -> str:
    """The inbox of one shard of a target, of the whole target for None. A system's name has no colon."""
    return system if shard is None else f"{system}:{shard}"


def inboxes_of(system: str, shards: int) -> tuple[str, ...]:
    """All inboxes of a target that has so many shards: 1 or PARTITIONS."""
    return (system,) if shards == 1 else tuple(inbox_of(system, shard) for shard in range(PARTITIONS))


def system_of(inbox: str) -> str:
    """The target that an inbox is of."""
    return inbox.partition(":")[0]


def shard_of(lane: str) -> int:
    """The shard that has a lane."""
    return partition(lane)
