"""Whether a stop was planned, as far as somebody said so on the bus or the plant's calendar tells.

What is said counts in this order: the reason list (`reason_code`: planned), the category of the stop's own reason, a
window in which the equipment can't work (`capability`: Unattainable), the shifts. What nobody said stays unsaid.
"""

from __future__ import annotations

from enum import StrEnum
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
    """What was said of plans: reasons by their id, windows of capabilities, and the plant's calendar."""

    def __init__(self, stated: Iterable[Fact], calendar: Sequence[CalendarEntry]) -> None:
        bodies = [fact.message.body for fact in stated]
        self._reasons = {body.id: body.planned is True for body in bodies if isinstance(body, ReasonCode)}
        self._windows = [
            body for body in bodies if isinstance(body, WorkCapability) and body.capability_type == "Unattainable"
        ]
        self._shifts = [entry for entry in calendar if entry.entry_type == SHIFT]

    def kind(self, stop: Downtime, now: datetime) -> Kind:
        """What is known of a stop."""
        reason = stop.reason
        if reason is not None and reason.id in self._reasons:
            return Kind.PLANNED if self._reasons[reason.id] else Kind.UNPLANNED
        category = (reason.category or "").casefold() if reason is not None else ""
        if category.startswith(("planned", "unplanned")):
            return Kind.PLANNED if category.startswith("planned") else Kind.UNPLANNED
        if any(
            window.equipment_id == stop.equipment_id and window.start_time <= stop.start_time < window.end_time
            for window in self._windows
        ):
            return Kind.PLANNED
        return Kind.OUTSIDE if self._outside(stop.start_time, stop.end_time or now) else Kind.UNSAID

    def _outside(self, start: datetime, end: datetime) -> bool:
        """True if no shift ran; not for times before and after what the calendar says anything of."""
        if not self._shifts:
            return False
        first = min(one.start_time for one in self._shifts)
        last = max(one.end_time for one in self._shifts)
        return (
            first <= start
            and end <= last
            and not any(one.start_time < end and one.end_time > start for one in self._shifts)
        )
