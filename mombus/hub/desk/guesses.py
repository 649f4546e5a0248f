"""How often passwords may be tried, so that guessing leads nowhere and keeps nobody out.

Counted for a name from one address, for an address, and for a name from everywhere; who guesses at somebody's password
from elsewhere doesn't keep them from signing in where they are. Sessions and tokens, which nobody can guess, aren't
counted.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mombus.web.limits import Bucket, Failures

if TYPE_CHECKING:
    from collections.abc import Callable

OF_BOTH, OF_BOTH_EVERY_S = 10, 12.0
OF_ADDRESS, OF_ADDRESS_EVERY_S = 30, 3.0
OF_NAME, OF_NAME_EVERY_S = 100, 10.0
NOTED, NOTED_EVERY_S = 30, 60.0
"""Failures in the audit trail: so many at once, then one in so long; the others are counted."""


class Notes:
    """Which failures are in the audit trail. `clock` counts seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._room = Bucket(1 / NOTED_EVERY_S, NOTED, clock)
        self._unnoted = 0

    def another(self) -> int | None:
        """How many failures weren't noted before this one; None if this one isn't either."""
        if self._room.wait_s():
            self._unnoted += 1
            return None
        self._room.take()
        unnoted, self._unnoted = self._unnoted, 0
        return unnoted


class Guesses:
    """Counts tries of passwords. `clock` counts seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._of_both = Failures(OF_BOTH, OF_BOTH_EVERY_S, clock)
        self._of_address = Failures(OF_ADDRESS, OF_ADDRESS_EVERY_S, clock)
        self._of_name = Failures(OF_NAME, OF_NAME_EVERY_S, clock)

    def wait_s(self, name: str, address: str) -> float:
        """How long no password of this name is looked at that comes from this address; 0 if one is."""
        of_both, of_address = self._of_both.wait_s(f"{address} {name}"), self._of_address.wait_s(address)
        return max(of_both, of_address, self._of_name.wait_s(name))

    def add(self, name: str, address: str) -> None:
        """One is tried now. Right ones count as well: who has one needs few."""
        self._of_both.add(f"{address} {name}")
        self._of_address.add(address)
        self._of_name.add(name)
