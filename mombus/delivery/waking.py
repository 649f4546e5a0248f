"""When an inbox looks at its entries again: their due times, and the bell that says there may be work."""

from __future__ import annotations

import asyncio
import heapq
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mombus.delivery.lanes import Entry


class Waking:
    """Wakes one target's inbox: by the event loop's time, or by a nudge."""

    def __init__(self) -> None:
        self._timers: list[tuple[float, int, Entry]] = []
        self._numbers = count()
        self._bell = asyncio.Event()

    def nudge(self) -> None:
        """There may be work to do."""
        self._bell.set()

    @property
    def nudged(self) -> bool:
        """True from a nudge until what it is about is looked at."""
        return self._bell.is_set()

    def at_due(self, entry: Entry) -> None:
        """Look at an entry again at its due time."""
        heapq.heappush(self._timers, (entry.due or 0.0, next(self._numbers), entry))
        self.nudge()

    def begin(self) -> None:
        """What is nudged from now on is new."""
        self._bell.clear()

    def due(self) -> Iterator[Entry]:
        """The entries whose time has come, each once; an entry whose due time was changed only at its new one."""
        now = asyncio.get_running_loop().time()
        while self._timers and self._timers[0][0] <= now:
            due, _, entry = heapq.heappop(self._timers)
            if entry.due == due:
                yield entry

    async def wait(self, most_s: float | None) -> None:
        """Return when nudged, when the next entry is due, or after `most_s`; others get their turn before."""
        waits = [seconds for seconds in (self._next_due_s(), most_s) if seconds is not None]
        await asyncio.sleep(0)
        with suppress(TimeoutError):
            async with asyncio.timeout(min(waits, default=None)):
                await self._bell.wait()

    def _next_due_s(self) -> float | None:
        if not self._timers:
            return None
        return max(0.0, self._timers[0][0] - asyncio.get_running_loop().time())
