"""Which item of one list is which of another: by identity, else by what stayed the same between them."""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

    from canonical.difference.found import Found

LARGEST = 200
"""Longer lists, their equal beginnings and ends aside, are compared place by place."""


class Pair(NamedTuple):
    """Positions of one item on both sides, None where it isn't there."""

    before: int | None
    after: int | None


def by_identity(before: Sequence[Hashable | None], after: Sequence[Hashable | None]) -> list[Pair] | None:
    """Pairs of equal identities; None unless each item has one, and each is there once on its side."""
    if any(None in side or len(set(side)) < len(side) for side in (before, after)) or not (before and after):
        return None
    places = {identity: at for at, identity in enumerate(after)}
    pairs = [Pair(at, places.get(identity)) for at, identity in enumerate(before)]
    known = set(before)
    return pairs + [Pair(None, at) for at, identity in enumerate(after) if identity not in known]


def by_content(before: Sequence[str], after: Sequence[str], found: Found) -> Iterator[Pair]:
    """Pairs of items that differ, or are there on one side only; equal ones are left out.

    What was replaced by as many others is paired in order.
    """
    start = _equal(before, after)
    end = _equal(before[start:][::-1], after[start:][::-1])
    was, now = before[start : len(before) - end], after[start : len(after) - end]
    if max(len(was), len(now)) > LARGEST or not found.afford(len(was) * len(now)):
        yield from _side_by_side(start, len(was), start, len(now))
        return
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, was, now, autojunk=False).get_opcodes():
        if tag != "equal":
            yield from _side_by_side(start + i1, i2 - i1, start + j1, j2 - j1)


def _equal(before: Sequence[str], after: Sequence[str]) -> int:
    """How many items are equal from the beginning."""
    count = 0
    for was, now in zip(before, after, strict=False):
        if was != now:
            break
        count += 1
    return count


def _side_by_side(before: int, befores: int, after: int, afters: int) -> Iterator[Pair]:
    for at in range(max(befores, afters)):
        yield Pair(before + at if at < befores else None, after + at if at < afters else None)
