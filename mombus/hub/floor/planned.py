"""Whether a stop was planned, as far as somebody said so on the bus or the plant's calendar tells.

What is said counts in this order: the reason list (`reason_code`: planned), the category of the stop's own reason, a
window in which the equipment can't work (`capability`: Unattainable), the shifts. What nobody said stays unsaid.
"""

from __future__ import annotations

from bisect import bisect_right
from enum import StrEnum
from operator import itemgetter
from typing import TYPE_CHECKING

from canonical.isa95.events import Downtime, ReasonCode
from canonical.isa95.work import WorkCapability

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from canonical.isa95.work import CalendarEntry
    from mombus.hub.floor.reading import Fact

OBJECTS = ("reason_code", "capability")
"""What tells of it on the bus."""
SHIFT = "shift"


class Kind(StrEnum):
    """Whether a stop was planned."""

    PLANNED = "planned"
    UNPLANNED = "unplanned"
    OUTSIDE = "outside shifts"
    """No shift of the calendar ran, and nobody said more."""
    UNSAID = "not said"


class Plans:
    """What was said of plans: reasons by their id, windows of capabilities, and the plant's calendar.

    `partial` is true if more was said of them than was read.
    """

    def __init__(
        self, stated: Iterable[Fact], calendar: Sequence[CalendarEntry], *, partial: bool = False
    ) -> None:  # fmt: skip
        self.partial = partial
        bodies = [fact.message.body for fact in stated]
        self._reasons = {body.id: body for body in bodies if isinstance(body, ReasonCode)}
        self._windows: dict[str | None, list[WorkCapability]] = {}
        for body in bodies:
            if isinstance(body, WorkCapability) and body.capability_type == "Unattainable":
                self._windows.setdefault(body.equipment_id, []).append(body)
        self._shifts = joined((entry.start_time, entry.end_time) for entry in calendar if entry.entry_type == SHIFT)

    def reason_name(self, id: str) -> str | None:
        """What the reason list calls a reason; None if it doesn't say."""
        listed = self._reasons.get(id)
        return listed.description if listed is not None else None

    def kind(self, stop: Downtime, now: datetime) -> Kind:
        """What is known of a stop."""
        reason = stop.reason
        if reason is not None and reason.id in self._reasons:
            return Kind.PLANNED if self._reasons[reason.id].planned is True else Kind.UNPLANNED
        category = (reason.category or "").casefold() if reason is not None else ""
        if category.startswith(("planned", "unplanned")):
            return Kind.PLANNED if category.startswith("planned") else Kind.UNPLANNED
        windows = self._windows.get(stop.equipment_id, ())
        if any(window.start_time <= stop.start_time < window.end_time for window in windows):
            return Kind.PLANNED
        return Kind.OUTSIDE if self._outside(stop.start_time, stop.end_time or now) else Kind.UNSAID

    def _outside(self, start: datetime, end: datetime) -> bool:
        """True if no shift ran; not for times before and after what the calendar says anything of."""
        if not self._shifts or start < self._shifts[0][0] or end > self._shifts[-1][1]:
            return False
        next_one = bisect_right(self._shifts, start, key=itemgetter(0))
        if self._shifts[next_one - 1][1] > start:
            return False
        return next_one == len(self._shifts) or self._shifts[next_one][0] >= end


def joined(spans: Iterable[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    """Spans in their order, those that touch or overlap as one: years of shifts are looked through for each stop."""
    found: list[tuple[datetime, datetime]] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found
