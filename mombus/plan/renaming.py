"""A system that goes and one that comes may be the same by another name: what that would do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from canonical.objects import Kind, data_object
from mombus.plan.picture import ARROW

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from mombus.plan.picture import Picture
    from mombus.plan.plan import Change


def renamed(
    changes: Sequence[Change], before: Picture, after: Picture, bookmarked: Collection[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Hints on what may be a new name only, and why that can't be: what was told would be told once more.

    `bookmarked` are the systems that are read on from where they were left off; another name knows nothing of that.
    """
    hints, repeats = [], []
    for gone, new in _pairs(changes, before, after):
        twice = sorted(_facts_twice(gone, new, before, after)) if gone in bookmarked else []
        if twice:
            repeats.append(
                f"{new} is read at the address of {gone}, from the beginning: what {gone} has told already would be "
                f"told again and take effect once more ({', '.join(twice)}). Keep the name {gone}; if a second effect "
                f"is meant, remove {gone} first, and add {new} by a change of its own"
            )
        else:
            hints.append(
                f"{gone} is removed and {new} added with the same connector. If {new} is {gone} by another name, it "
                f"begins anew all the same: it knows nothing of what {gone} got and doesn't get what waits for it. "
                f"Keep the name {gone}, or let it get what waits first"
            )
    return tuple(hints), tuple(repeats)


def _pairs(changes: Sequence[Change], before: Picture, after: Picture) -> Iterator[tuple[str, str]]:
    systems = [change for change in changes if change.kind == "system"]
    for gone in (change.what for change in systems if change.how == "removed"):
        for new in (change.what for change in systems if change.how == "added"):
            if before["systems"][gone].get("connector") == after["systems"][new].get("connector"):
                yield gone, new


def _facts_twice(gone: str, new: str, before: Picture, after: Picture) -> Iterator[str]:
    """The routes by which facts of the one go, and go of the other from the same address. States replace themselves."""
    address = before["systems"][gone].get("url")
    if address is None or after["systems"][new].get("url") != address:
        return
    both = _owned(before, gone) & _owned(after, new)
    for route in after["routes"]:
        name = route.partition(ARROW)[0]
        if name in both and route in before["routes"] and data_object(name).kind is Kind.FACT:
            yield route


def _owned(drawn: Picture, system: str) -> frozenset[str]:
    return frozenset(
        name.partition(" of ")[0] for name, fields in drawn["objects"].items() if fields.get("owner") == system
    )
