"""Lock keys: what must not be written to a target at the same time, though no lane orders it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from canonical.objects import id_of
from canonical.references import references

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from mombus.delivery.lanes import Entry


EVERY = "*"
"""The key of what may name anything: nothing else that has keys is written beside it."""


class Locks:
    """The keys of what is being written to one target.

    Two revisions of one thing always exclude one another; of the objects that `by` gives for an entry, two messages
    that name the same one.
    An entry takes all of its keys or none, and gives them back when its write is over, so that nothing can wait in a
    circle. They are in memory only: after a kill nothing is being written by the hub.
    """

    def __init__(self, by: Callable[[Entry], Collection[str]]) -> None:
        self._by = by
        self._held: set[str] = set()

    def take(self, entry: Entry, claimed: set[str]) -> bool:
        """Take the keys of an entry if all are free and none is in `claimed`; else its keys are claimed for it.

        Who asks in order, with one set of claims, gives every key to those who wait for it in order.
        """
        keys = self._keys(entry)
        if not _meet(keys, self._held) and not _meet(keys, claimed):
            self._held |= keys
            return True
        claimed |= keys
        return False

    def release(self, entry: Entry) -> None:
        """Its write is over."""
        self._held -= self._keys(entry)

    def _keys(self, entry: Entry) -> frozenset[str]:
        if entry.locks is None:
            entry.locks = frozenset(self._found(entry))
        return entry.locks

    def _found(self, entry: Entry) -> Iterable[str]:
        if entry.revision is not None:
            yield f"{entry.object}:{entry.key}"
        by = self._by(entry)
        if entry.object in by:
            yield f"{entry.object}:{id_of(entry.key)}"
        if by and entry.in_hand.claim is not None:
            yield EVERY  # its body is kept apart, and fetched only when it is written
        elif by and entry.in_hand.content:
            with suppress(ValueError):  # a body that isn't the object's is refused when it is written
                for reference in references(entry.in_hand.body):
                    if reference.object in by:
                        yield f"{reference.object}:{reference.id}"


def _meet(keys: Collection[str], others: Collection[str]) -> bool:
    if not keys or not others:
        return False
    return EVERY in keys or EVERY in others or not set(keys).isdisjoint(others)
