"""The rhythm in which something comes: what is unusual about its silence."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

REMEMBERED_H = 7 * 24
"""Hours of pauses that are remembered: a week has a plant's nights and its weekend."""
LEAST = 20
"""So many must have come before a pause is called unusual."""
LONGER = 1.5
"""A silence is unusual that is so many times longer than every pause of the week."""
SHORT_S = 60.0
"""No silence so short is."""


class Rhythm:
    """When things come: the longest pause of each hour, for a week; a few numbers, however many things."""

    __slots__ = ("_last", "_longest", "_number")

    def __init__(self, times: Iterable[datetime] = ()) -> None:
        self._last: datetime | None = None
        self._longest: dict[int, float] = {}
        self._number = 0
        for at in times:
            self.add(at)

    def add(self, at: datetime) -> None:
        """Something came."""
        self._number += 1
        last, self._last = self._last, at
        if last is None:
            return
        if at <= last:
            self._last = last
            return
        hour, pause_s = int(at.timestamp()) // 3600, (at - last).total_seconds()
        if pause_s > self._longest.get(hour, 0.0):
            self._longest[hour] = pause_s
            if len(self._longest) > REMEMBERED_H:
                self._longest = {one: s for one, s in self._longest.items() if one > hour - REMEMBERED_H}

    def longest_s(self, now: datetime) -> float | None:
        """The longest pause of the week before; None while too little came to know."""
        since = int(now.timestamp()) // 3600 - REMEMBERED_H
        pauses = [pause_s for hour, pause_s in self._longest.items() if hour > since]
        return max(pauses) if pauses and self._number >= LEAST else None

    def silent_s(self, now: datetime) -> float | None:
        """For how long nothing has come, if that is longer than ever that week; None if it isn't."""
        longest_s = self.longest_s(now)
        if longest_s is None or self._last is None:
            return None
        quiet_s = (now - self._last).total_seconds()
        return quiet_s if quiet_s > max(SHORT_S, LONGER * longest_s) else None
