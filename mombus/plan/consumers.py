"""What changes at the broker: the consumers of each target, and where each of the things they read begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from canonical.objects import Kind, data_object
from mombus.journal.inboxes import inboxes_of
from mombus.plan.picture import ARROW, WRITTEN_TO
from mombus.plan.plan import ConsumerChange

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mombus.plan.picture import Picture

READS_ON = "goes on where it is"


def rules(drawn: Picture, target: str) -> dict[str, dict[str, object]]:
    """The routes to a target and the objects it owns and is asked about, each with what counts for delivery."""
    routed: dict[str, dict[str, object]] = {}
    for name, fields in drawn["routes"].items():
        object_, _, end = name.partition(ARROW)
        system, _, number = end.partition(" ")
        if system == target:
            routed[f"{object_} {number}".rstrip()] = dict(fields)
    owned = {name.partition(" of ")[0] for name, fields in drawn["objects"].items() if fields.get("owner") == target}
    return routed | {f"requests for {name}": {} for name in sorted(owned)}


def targets(drawn: Picture) -> list[str]:
    """The systems that are written to, or that are asked about what they own."""
    return [system for system, fields in drawn["systems"].items() if fields[WRITTEN_TO] or rules(drawn, system)]


def consumers(before: Picture, after: Picture) -> Iterator[ConsumerChange]:
    """The targets whose consumers change."""
    old, new = targets(before), targets(after)
    for target in [*old, *(name for name in new if name not in old)]:
        names = _names(after if target in new else before, target)
        if target not in new:
            yield ConsumerChange(target=target, names=names, how="removed")
        elif target not in old:
            yield ConsumerChange(target=target, names=names, how="added", begins=_begins({}, rules(after, target)))
        elif names != _names(before, target) or rules(before, target) != rules(after, target):
            begins = _begins(rules(before, target), rules(after, target))
            yield ConsumerChange(target=target, names=names, how="changed", begins=begins)


def _names(drawn: Picture, target: str) -> tuple[str, ...]:
    inboxes = inboxes_of(target, int(drawn["systems"][target].get("shards", 1)))
    return tuple(f"to-{inbox}" for inbox in inboxes)


def _begins(old: dict[str, dict[str, object]], new: dict[str, dict[str, object]]) -> tuple[str, ...]:
    had = {name.partition(" #")[0] for name in old}
    return (
        *(f"{name}: {READS_ON if name.partition(' #')[0] in had else _begin(name, fields)}"
          for name, fields in new.items()),
        *(f"{name}: not read any more" for name in old if name.partition(" #")[0] not in new and name not in new),
    )  # fmt: skip


def _begin(name: str, fields: dict[str, object]) -> str:
    start = fields.get("start", "snapshot")
    if name.startswith("requests for ") or start == "now":
        return "from now on"
    if start == "snapshot":
        state = data_object(name.partition(" #")[0]).kind is Kind.STATE
        return "with the latest of each" if state else "from now on"
    return f"with what was stored since {start}"
