"""Breaking off tasks, for sure."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Collection
from typing import Any

AGAIN_S = 1.0


async def break_off(
    *tasks: asyncio.Task[Any], within_s: float | None = None, again_s: float | None = None
) -> set[asyncio.Task[Any]]:
    """Cancel tasks until they have ended, however, or `within_s` is over; returns those that haven't ended.

    One that doesn't notice is told again every `again_s` (AGAIN_S): on Python 3.11 `asyncio.wait_for`, in the broker's
    client say, swallows a cancellation that comes when it is just over. It is to be longer than what they do to clear
    up. Who is cancelled while breaking off finishes that first, so that tasks which break off others may be told again.
    """
    ending = asyncio.create_task(_until_ended(tasks, math.inf if within_s is None else within_s, again_s or AGAIN_S))
    cancelled = False
    while not ending.done():
        try:
            await asyncio.wait({ending})
        except asyncio.CancelledError:
            cancelled = True
    if cancelled:
        raise asyncio.CancelledError
    return ending.result()


async def _until_ended(tasks: Collection[asyncio.Task[Any]], within_s: float, again_s: float) -> set[asyncio.Task[Any]]:
    clock = asyncio.get_running_loop().time
    until = clock() + within_s
    left = set(tasks)
    while left and clock() < until:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=again_s)
    await asyncio.gather(*(task for task in tasks if task not in left), return_exceptions=True)
    return left
