"""The same change at every hub that shares a journal: their files must say the same before any of them takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mombus.plan.comparing import compare
from mombus.plan.fates import Flow
from mombus.plan.picture import KINDS
from mombus.plan.plan import AtHub

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mombus.plan.picture import Picture

SHARED = (*KINDS, "plant")
"""What all hubs must say alike. Where a hub listens and keeps its files is its own."""
MOST_NAMED = 5


def at_hub(address: str, mine: tuple[Picture, Picture], theirs: tuple[Picture, Picture]) -> AtHub:
    """How a change, from the first picture to the second, is at another hub by what its own files say."""
    its = compare(*theirs, Flow())
    wrong = list(its.restart)
    if other := sorted(set(_differing(mine, theirs))):
        more = f" and {len(other) - MOST_NAMED} more" if len(other) > MOST_NAMED else ""
        wrong.append(f"its files say something else of {', '.join(other[:MOST_NAMED])}{more}: give it the same files")
    if wrong:
        return AtHub(address=address, how="refuses", says=tuple(wrong))
    return AtHub(address=address, how="changes" if its.changes else "has it")


def together(flows: Sequence[Flow]) -> Flow:
    """What is on its way by way of all hubs; what waits, and the bookmarks, are in the journal that they share."""
    return Flow(
        on_the_way=_added(flow.on_the_way for flow in flows), waiting=flows[0].waiting,
        spooled=_added(flow.spooled for flow in flows), bookmarked=flows[0].bookmarked,
    )  # fmt: skip


def _added(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for each in counts:
        for name, count in each.items():
            found[name] = found.get(name, 0) + count
    return found


def _differing(mine: tuple[Picture, Picture], theirs: tuple[Picture, Picture]) -> Iterator[str]:
    """What the files say differently, but for a system's settings that differ already: those are each machine's own."""
    for section in SHARED:
        new, others = mine[1].get(section, {}), theirs[1].get(section, {})
        for name in {*new, *others}:
            said = f"{KINDS.get(section, section)} {name}" if section in KINDS else section
            if name not in new or name not in others:
                yield said
                continue
            for field in {*new[name], *others[name]}:
                if new[name].get(field) != others[name].get(field) and not _is_own(section, name, field, mine, theirs):
                    yield f"{said}: {field}"


def _is_own(
    section: str, name: str, field: str, mine: tuple[Picture, Picture], theirs: tuple[Picture, Picture]
) -> bool:  # fmt: skip
    """True for a setting of a system that two hubs run with different values."""
    if section != "systems" or field in ("connector", "shards"):
        return False
    one, other = _field(mine[0], name, field), _field(theirs[0], name, field)
    return name in mine[0]["systems"] and name in theirs[0]["systems"] and one != other


def _field(drawn: Picture, name: str, field: str) -> Any:
    return drawn["systems"].get(name, {}).get(field)
