"""Waiting in tests: for the thing itself, and so long that a busy machine is no reason to fail."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

PATIENCE_S = 90.0
OFTEN_S, SELDOM_S = 0.01, 0.3
"""How long it is waited between two looks: twice as long as looking takes, so that who waits holds up nobody."""


async def until(look: Callable[[], Any], timeout_s: float = PATIENCE_S, *, good: Callable[[Any], Any] = bool) -> Any:
    """Look until it is good, and return what is seen then: for what others do in their own time.

    Raises TimeoutError with what was seen last.
    """
    found: Any = None
    clock = asyncio.get_running_loop().time
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                began = clock()
                found = look()
                if inspect.isawaitable(found):
                    found = await found
                if good(found):
                    return found
                await asyncio.sleep(min(SELDOM_S, max(OFTEN_S, 2 * (clock() - began))))
    except TimeoutError:
        raise TimeoutError(f"it didn't happen within {timeout_s:g} s; seen last: {found!r}") from None
