"""What becomes of the messages that are on their way while a configuration is changed for another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from mombus.plan.consumers import rules, targets
from mombus.plan.plan import Fate, Told

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mombus.plan.picture import Picture

DECIDE = "let {0} get it first, or decide with `mombus apply`: --skip {0} or --keep {0}"


class Waits(Told):
    """How many messages of one object wait for a target for one reason."""

    target: str
    object: str
    kind: str
    count: int


class Flow(Told):
    """What is on its way: not yet read or in hand, by target; waiting; and what is in the spools, by system.

    `bookmarked` are the systems that are read on from where they were left off.
    """

    on_the_way: dict[str, int] = Field(default_factory=dict)
    waiting: tuple[Waits, ...] = ()
    spooled: dict[str, int] = Field(default_factory=dict)
    bookmarked: tuple[str, ...] = ()


def fates(before: Picture, after: Picture, flow: Flow) -> Iterator[Fate]:
    """What becomes of what is on its way to targets for which something changes."""
    for target in targets(before):
        gone = target not in targets(after)
        if not gone and _same(before, after, target):
            continue
        if flow.on_the_way.get(target):
            yield _on_the_way(target, flow.on_the_way[target], gone=gone)
        for waits in flow.waiting:
            if waits.target == target and (fate := _waiting(before, after, waits, gone=gone)) is not None:
                yield fate
    for system, count in flow.spooled.items():
        if system not in after["systems"]:
            text = f"handed over first; if that can't be, {DECIDE.format(system)}, and it stays on disk"
            yield Fate(target=system, what="from it, in its spool", count=count, becomes="old rules", text=text)


def left_over(before: Picture, after: Picture, flow: Flow) -> Iterator[Fate]:
    """What waits for systems that neither configuration has."""
    for waits in flow.waiting:
        if waits.target not in before["systems"] and waits.target not in after["systems"]:
            text = f"no such system is declared: it stays until one is, or `mombus apply --skip {waits.target}`"
            yield Fate(target=waits.target, what=_what(waits), count=waits.count, becomes="stays", text=text)


def _on_the_way(target: str, count: int, *, gone: bool) -> Fate:
    text = "delivered first, by the rules that hold now; " + (
        f"if {target} doesn't take it in time, the configuration stays as it is" if gone
        else f"what {target} doesn't take in time goes by the new rules"
    )  # fmt: skip
    return Fate(target=target, what="stored, not yet delivered", count=count, becomes="old rules", text=text)


def _waiting(before: Picture, after: Picture, waits: Waits, *, gone: bool) -> Fate | None:
    target, what = waits.target, _what(waits)
    if gone:
        text = f"nobody would deliver it: {DECIDE.format(target)}"
        return Fate(target=target, what=what, count=waits.count, becomes="orphaned", text=text, decide=True)
    old, new = (_about(rules(drawn, target), waits.object) for drawn in (before, after))
    if old and not new:
        text = f"stays; when its turn comes it is parked for a person, because no route brings {waits.object} there"
        return Fate(target=target, what=what, count=waits.count, becomes="stays", text=text)
    if old != new or before["systems"][target] != after["systems"][target]:
        text = "stays in the waiting room, and goes by the new rules and settings when its turn comes"
        return Fate(target=target, what=what, count=waits.count, becomes="new rules", text=text)
    return None


def _about(found: dict[str, dict[str, object]], name: str) -> list[object]:
    return [fields for rule, fields in found.items() if rule.removeprefix("requests for ").partition(" #")[0] == name]


def _same(before: Picture, after: Picture, target: str) -> bool:
    return before["systems"][target] == after["systems"][target] and rules(before, target) == rules(after, target)


def _what(waits: Waits) -> str:
    return f"{waits.object}, {waits.kind}"
