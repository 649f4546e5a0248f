"""Ending tasks for sure."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

AGAIN_S = 0.1


async def end(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel tasks until they have ended; how they ended doesn't matter any more.

    Once isn't enough on Python 3.11: a cancellation that meets an `asyncio.wait_for` about to return is lost.
    """
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        done, pending = await asyncio.wait(pending, timeout=AGAIN_S)
        await asyncio.gather(*done, return_exceptions=True)
