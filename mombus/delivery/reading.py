"""Reading for an inbox: from the journal's position, as much as there is room for, again when reading is lost."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from mombus.delivery.hand import MOST_BYTES
from mombus.delivery.opening import open_reading
from mombus.delivery.reader import OtherStream, Reader, ReadingLost
from mombus.delivery.target import Condition
from mombus.delivery.verdict import back_off, text

if TYPE_CHECKING:
    from collections.abc import Callable

    from mombus.delivery.arrivals import Arrivals
    from mombus.delivery.hand import Hand
    from mombus.delivery.routing import Routing
    from mombus.delivery.settling import Settling
    from mombus.delivery.standing import Standing
    from mombus.delivery.target import Patience, Target
    from mombus.delivery.waking import Waking
    from mombus.journal.journal import Journal

STEP = 2000
"""How much of what isn't the target's is read until that is noted, while there is more to read."""
IDLE_S = 60.0
"""How often an inbox that gets nothing notes how far the stream went by: others see by that that it lacks nothing."""


class Reading:
    """Reads one target's messages. `opened` is set once its routes have begun, `lag` is what is left to read.

    `room` is set by who makes room in hand; `alarm` tells people.
    """

    def __init__(  # noqa: PLR0917 - wired in one place
        self, target: Target, site: str, reader: Reader, routing: Routing, arrivals: Arrivals, hand: Hand,
        journal: Journal, settling: Settling, standing: Standing, waking: Waking, patience: Patience,
        room: asyncio.Event, alarm: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._target = target
        self._site = site
        self._reader = reader
        self._routing = routing
        self._arrivals = arrivals
        self._hand = hand
        self._journal = journal
        self._settling = settling
        self._standing = standing
        self._waking = waking
        self._patience = patience
        self._room = room
        self._alarm = alarm
        self._draining = False
        self._taking = False
        self._looked = 0.0
        self.opened = asyncio.Event()
        self.lag = 0

    async def run(self) -> None:
        """Read until drained. Raises OtherStream when the stream isn't the journal's."""
        attempts = 0
        reopen = True
        while not self._draining:
            try:
                if reopen:
                    await self._open()
                    reopen = False
                await self._read_once()
                attempts = 0
            except OtherStream:
                raise
            except ReadingLost as lost:
                self._alarm(f"reading lost: {lost}; reading again from the journal's position")
                reopen = True
                attempts += 1
                await asyncio.sleep(min(5.0, back_off(attempts, self._patience)) if attempts > 1 else 0)
            except Exception as error:  # noqa: BLE001 - broker or journal: nothing is lost, it is tried again
                attempts += 1
                reopen = True
                self._standing.failing(f"reading failed: {text(error)}")
                await asyncio.sleep(min(5.0, back_off(attempts, self._patience)))

    async def through(self) -> int:
        """Up to which sequence of the stream all that is the target's has come into hand."""
        last = await self._reader.all_read()
        return self._hand.read if last is None or self._taking else max(self._hand.read, last)

    def drain(self) -> None:
        """Read no more."""
        self._draining = True
        self._room.set()
        self._reader.leave()

    async def close(self) -> None:
        """Let go of the broker."""
        await self._reader.close()

    async def _open(self) -> None:
        self._arrivals.beginnings, after = await open_reading(self._journal, self._reader, self._target, self._routing)
        self._hand.read = max(self._hand.read, after)
        await self._reader.open(self._routing.filter(self._site), after)
        self.opened.set()
        await self._settling.publish_replies()
        if self._standing.going.is_set() and self._standing.condition is not Condition.CLOSED:
            self._standing.set(Condition.RUNNING)

    async def _read_once(self) -> None:
        room = self._patience.window - self._hand.live
        if room <= self._patience.window // 4 or self._hand.size >= MOST_BYTES:
            await self._wait_for_room()
            return
        fetched = await self._reader.fetch(room)
        if fetched:
            self._taking = True
            try:
                await self._arrivals.take(fetched)
            finally:
                self._taking = False
            self.lag = fetched[-1][0].pending
        if fetched is not None and not (fetched and self.lag):
            self.lag = 0
            self._hand.catch_up()
        if fetched is not None and not fetched:
            await self._pass_by()
        await self._settling.note_position(STEP if self.lag else 1)
        self._standing.failing(None)
        self._waking.nudge()

    async def _wait_for_room(self) -> None:
        """Until something in hand is done. While its target is away what comes is counted."""
        self._room.clear()
        try:
            async with asyncio.timeout(self._patience.idle_s):
                await self._room.wait()
        except TimeoutError:
            self.lag = await self._reader.left(self.lag)

    async def _pass_by(self) -> None:
        """What went by and was none of the target's is settled."""
        now = asyncio.get_running_loop().time()
        if now - self._looked >= IDLE_S:
            self._looked = now
            self._hand.read = max(self._hand.read, await self._reader.all_read() or 0)
