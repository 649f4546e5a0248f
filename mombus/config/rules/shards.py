"""Targets in shards: only where hubs share a journal, and where nothing has to be in order beyond its one lane."""

from __future__ import annotations

from typing import TYPE_CHECKING

from canonical.objects import CATALOGUE, Kind, data_object
from connectors.connector import Parallel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from canonical.objects import DataObject
    from mombus.config.draft import Draft
    from mombus.config.finding import Findings

WHOLE = "leave `shards` out"


def shards_are_shared(draft: Draft, findings: Findings) -> None:
    """Shards are for several hubs."""
    for name in _sharded(draft):
        if draft.bus is not None and not draft.bus.shared:
            message = "shards are shared out among hubs, and this journal is one hub's"
            _error(draft, findings, name, message, f"name a PostgreSQL database in bus.store, or {WHOLE}")


def connector_can_be_several(draft: Draft, findings: Findings) -> None:
    """Each hub with a shard has a connection of its own."""
    for name in _sharded(draft):
        if name in draft.connectors and not isinstance(draft.connectors[name], Parallel):
            message = f"connector '{draft.systems[name].kind}' can't be connected to '{name}' from several hubs at once"
            _error(draft, findings, name, message, WHOLE)


def nothing_goes_across_shards(draft: Draft, findings: Findings) -> None:
    """Shards know nothing of one another: no rate for all of them, and no lock keys."""
    for name in _sharded(draft):
        system = draft.systems[name]
        taken = any(accept.serialise_by for accept in draft.accepts(name).values())
        if system.rate_per_s is not None:
            message = "a rate can't be kept by shards that write apart"
            _error(draft, findings, name, message, f"leave `rate` out, or {WHOLE}")
        if system.serialise_by or taken:
            whose = "" if system.serialise_by else "its connector's "
            message = f"{whose}lock keys (serialise_by) can't be kept by shards that write apart"
            _error(draft, findings, name, message, WHOLE if taken else f"leave `serialise_by` out, or {WHOLE}")


def sharded_objects_stay_in_their_lane(draft: Draft, findings: Findings) -> None:
    """What a target in shards gets is in one lane; a state in the same one always, so that revisions keep order."""
    for name in _sharded(draft):
        routed = {route.object for route, _ in draft.routes if name in route.to}
        for object_ in sorted(
            (routed | {one.object for one, _ in draft.objects if one.owner == name}) & set(CATALOGUE)
        ):
            wrong = _strays(data_object(object_))
            if wrong:
                message = f"{object_} can't go to a target in shards: {wrong}, and shards write apart"
                _error(draft, findings, name, message, WHOLE)


def _sharded(draft: Draft) -> Iterator[str]:
    return (name for name, system in draft.systems.items() if system.shards > 1)


def _strays(row: DataObject) -> str | None:
    """Why an object may be in more lanes than one."""
    if any("*" in path for _, path in row.lanes):
        return "a message may be in several lanes"
    parts = {path for part in row.key for path in part.split("|")}
    if row.kind is Kind.STATE and not (len(row.lanes) == 1 and row.lanes[0][1] in parts):
        return "a newer revision may be in another lane"
    return None


def _error(draft: Draft, findings: Findings, name: str, message: str, hint: str) -> None:
    findings.error(draft.mark("systems", name, "shards"), f"systems.{name}.shards", message, hint)


RULES = (
    shards_are_shared, connector_can_be_several, nothing_goes_across_shards, sharded_objects_stay_in_their_lane,
)  # fmt: skip
