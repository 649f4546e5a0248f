"""Tries of passwords: a few at a time, and not too often."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from math import ceil
from typing import TYPE_CHECKING

from mombus.hub.desk import passwords
from mombus.hub.desk.guesses import Guesses

if TYPE_CHECKING:
    from collections.abc import Iterator

AT_ONCE, QUEUED = 2, 3
"""Passwords that are looked at at the same time (each takes memory and a core), and that wait for it: with more, other
commands that come over the bus would wait as well.
"""


class Trying:
    """Whoever shows a password tries it here, to sign in or to have another. `guesses` counts."""

    def __init__(self, guesses: Guesses | None = None) -> None:
        self._guesses = guesses or Guesses()
        self._looking = asyncio.Semaphore(AT_ONCE)
        self._under_way = 0

    def wait_s(self, name: str, address: str) -> int:
        """How long no password of this name is looked at that comes from this address; 0 if one is."""
        wait_s = self._guesses.wait_s(name, address)
        return ceil(wait_s) or 1 if wait_s or self._under_way >= AT_ONCE + QUEUED else 0

    @contextmanager
    def one(self, name: str, address: str) -> Iterator[None]:
        """A try, counted. Ask before whether it has to wait."""
        self._guesses.add(name, address)
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1

    async def fits(self, password: str, kept: str | None) -> bool:
        """As `passwords.fits`, in its turn."""
        async with self._looking:
            return await asyncio.to_thread(passwords.fits, password, kept)
