"""When a target may be written to: not in its closed windows, and no faster than its rate."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from mombus.config.closing import Closing
    from mombus.delivery.target import Target

BURST_S = 1.0
"""What a rate allows in so long may be written at once; after a start this much is there."""


class Gate:
    """The gate before one target. What it keeps back stays in hand, in its order; nothing is moved for it."""

    def __init__(self, target: Target, *, clock: Callable[[], datetime], now: Callable[[], float]) -> None:
        self._target = target
        self._clock = clock
        self._now = now
        self._rate = target.rate_per_s
        self._most = max(1.0, (self._rate or 0.0) * BURST_S)
        self._left = self._most
        self._counted: float | None = None

    def closing(self) -> Closing | None:
        """The closing that it is in, None while it is open."""
        return self._target.closed(self._clock()) if self._target.closed is not None else None

    def seconds_left(self, closing: Closing) -> float:
        """How long it stays closed."""
        return (closing.until - self._clock()).total_seconds()

    def room(self, most: int) -> int:
        """How many of `most` messages may be written now."""
        if self._rate is None:
            return most
        now = self._now()
        if self._counted is not None:
            self._left = min(self._most, self._left + (now - self._counted) * self._rate)
        self._counted = now
        return min(most, int(self._left + 1e-9))

    def passed(self, number: int) -> None:
        """So many are being written."""
        self._left -= number

    def next_s(self) -> float:
        """Seconds until one more may be written."""
        return 0.0 if self._rate is None else max(0.0, (1.0 - self._left) / self._rate)
