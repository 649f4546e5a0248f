"""What a simulated system still has to do, and when: it survives that the system's server is stopped and started."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(order=True)
class _Entry:
    due: float
    number: int
    work: Callable[[], None] = field(compare=False)


class Agenda:
    """Works through its entries in order of their time while it runs. `pace` stretches every delay; 0 is at once."""

    def __init__(self, pace: float) -> None:
        self._pace = pace
        self._entries: list[_Entry] = []
        self._numbers = count()
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def after(self, delay_s: float, work: Callable[[], None]) -> None:
        """Do `work` in `delay_s` paced seconds, or later if the system is down then."""
        now = asyncio.get_running_loop().time()
        self._entries.append(_Entry(now + delay_s * self._pace, next(self._numbers), work))
        self._entries.sort()
        self._changed.set()

    def start(self) -> None:
        """Begin, or go on where it was stopped."""
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop; what wasn't due yet stays."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._changed.clear()
            while self._entries and self._entries[0].due <= loop.time():
                self._entries.pop(0).work()
            wait_s = self._entries[0].due - loop.time() if self._entries else None
            try:
                async with asyncio.timeout(wait_s):
                    await self._changed.wait()
            except TimeoutError:
                continue
