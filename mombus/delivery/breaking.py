"""Breaking off tasks, for sure."""

from __future__ import annotations

import asyncio
from typing import Any

AGAIN_S = 1.0


async def break_off(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks and return when they have ended, however.

    One that doesn't notice is told again: a wait with a time limit that is just over may swallow a cancellation. Not
    for tasks that break off others themselves: they would be disturbed at it.
    """
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=AGAIN_S)
    await asyncio.gather(*tasks, return_exceptions=True)
