"""Breaking off tasks, for sure."""

from __future__ import annotations

import asyncio
import math
from typing import Any

AGAIN_S = 1.0


async def break_off(*tasks: asyncio.Task[Any], within_s: float | None = None) -> set[asyncio.Task[Any]]:
    """Cancel tasks until they have ended, however, or `within_s` is over; returns those that haven't ended.

    One that doesn't notice is told again: a wait with a time limit that is just over may swallow a cancellation. Tasks
    that break off others themselves are disturbed at it by that.
    """
    clock = asyncio.get_running_loop().time
    until = math.inf if within_s is None else clock() + within_s
    left = set(tasks)
    while left and clock() < until:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=AGAIN_S)
    await asyncio.gather(*(task for task in tasks if task not in left), return_exceptions=True)
    return left
