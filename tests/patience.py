"""Waiting in tests: for the thing itself, and so long that a busy machine is no reason to fail."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

PATIENCE_S = 45.0


async def until(look: Callable[[], Any], timeout_s: float = PATIENCE_S, *, good: Callable[[Any], Any] = bool) -> Any:
    """Look until it is good, and return what is seen then: for what others do in their own time.

    Raises TimeoutError with what was seen last.
    """
    found: Any = None
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                found = look()
                if inspect.isawaitable(found):
                    found = await found
                if good(found):
                    return found
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise TimeoutError(f"it didn't happen within {timeout_s:g} s; seen last: {found!r}") from None
