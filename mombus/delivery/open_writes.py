"""The writes that are open at one target: its shards in this hub share one connection, and what that may carry."""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from connectors.connector import Offer


class OpenWrites:
    """Counts the open writes of each offer. An inbox that finds no room is nudged when there is some."""

    def __init__(self) -> None:
        self._open: Counter[Offer] = Counter()
        self._nudges: set[Callable[[], None]] = set()

    def room(self, offer: Offer, most: int, nudge: Callable[[], None]) -> bool:
        """True if fewer than `most` are open; else `nudge` is called once one more may be."""
        if self._open[offer] < most:
            return True
        self._nudges.add(nudge)
        return False

    def begin(self, offer: Offer) -> None:
        """One more is open."""
        self._open[offer] += 1

    def end(self, offer: Offer) -> None:
        """One is over. Who waits is nudged at random: the first one gets it, and nobody is always the last."""
        self._open[offer] -= 1
        nudges, self._nudges = list(self._nudges), set()
        random.shuffle(nudges)
        for nudge in nudges:
            nudge()
