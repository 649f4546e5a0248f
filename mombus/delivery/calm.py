"""When what a target hasn't taken may be written again: not while it may still act on an earlier call.

A call may end without its answer: it took too long, the line was cut, the hub was killed. The target doesn't know,
works on, and takes effect seconds later. What is read back as absent until then proves nothing, so it is read back
again and again, and is written again only when the call ended `Target.calm_s` ago. Its lane waits that long;
the others go on. What is found is done at once.

Time is the event loop's, since a clock may be set while a hub is down: what an earlier process began, in whatever
hub, ended before this one began at the latest, and counts from there. A connector's process that goes on when its
hub is gone says that it can't tell yet.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from mombus.delivery.lanes import Entry

SELDOM_S = 5.0
"""How often at least it is asked whether the target has taken it meanwhile."""


@dataclass(frozen=True, slots=True)
class NotYet:
    """The target hasn't taken it so far, but may still: it is asked again after so many seconds."""

    again_s: float


class Calm:
    """The calm of one target. Call `begin` before the first of its entries is written."""

    def __init__(self, calm_s: float, first_s: float, now: Callable[[], float]) -> None:
        self._calm_s = calm_s
        self._first_s = first_s
        self._now = now
        self._begun = math.inf

    def begin(self) -> None:
        """Whoever wrote before writes no more."""
        self._begun = self._now()

    def ended(self, entry: Entry, *, answered: bool) -> None:
        """A call about an entry has ended; once it is answered the target has done with it."""
        entry.ended = -math.inf if answered else self._now()

    def left(self, entry: Entry) -> NotYet | None:
        """What it means if the target, asked now, hasn't taken an entry: not yet, or None, never."""
        passed_s = self._now() - (self._begun if entry.ended is None else entry.ended)
        left_s = self._calm_s - passed_s
        return NotYet(min(left_s, SELDOM_S, max(self._first_s, passed_s))) if left_s > 0 else None
