"""How a target stands: whether it may be written to, why not, and the way back."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from connectors.connector import Halted
from mombus.delivery.breaking import break_off
from mombus.delivery.target import Condition
from mombus.delivery.verdict import Stop, back_off, text

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from mombus.config.closing import Closing
    from mombus.delivery.target import Patience, Target


class Standing:
    """The standing of one target. `going` is set while it may be written to; `alarm` tells people of a halt."""

    def __init__(
        self, target: Target, *, patience: Patience, clock: Callable[[], datetime], alarm: Callable[[str], None],
        nudge: Callable[[], None],
    ) -> None:  # fmt: skip
        self._target = target
        self._patience = patience
        self._clock = clock
        self._alarm = alarm
        self._nudge = nudge
        self._reconnecting: asyncio.Task[None] | None = None
        self._away = ""
        """Why it was stopped last."""
        self._at_once = asyncio.Event()
        """A person wants it to be tried now."""
        self.going = asyncio.Event()
        self.going.set()
        self.condition = Condition.STARTING
        self.reason = "starting"
        self.since = clock()

    def set(self, condition: Condition, reason: str = "") -> None:
        """It stands like this from now on."""
        if condition is not self.condition:
            self.since = self._clock()
        self.condition, self.reason = condition, reason

    def close_until(self, closing: Closing) -> None:
        """It is in a closed window."""
        self.set(Condition.CLOSED, f"closed until {closing.until.isoformat(timespec='minutes')} ({closing.text})")

    def open(self, held_back: str = "") -> None:
        """It is in no closed window; `held_back` is why not everything that could be written is."""
        if self.condition is Condition.CLOSED or (self.condition is Condition.RUNNING and self.reason != held_back):
            self.set(Condition.RUNNING, held_back)

    def resume(self) -> None:
        """Go on after a halt; a target that is away is tried at once."""
        if self._reconnecting is not None and not self._reconnecting.done():
            self.set(Condition.RECONNECTING, self._away)
            self._at_once.set()
        else:
            self._go_on()

    def failing(self, reason: str | None) -> None:
        """The broker or the journal doesn't work, or does again (None). What a person must end is told before that."""
        if self.condition is Condition.HALTED:
            return
        if reason is not None:
            self.set(Condition.FAILING, reason)
        elif self.condition is Condition.FAILING:
            self.set(*(Condition.RUNNING, "") if self.going.is_set() else (Condition.RECONNECTING, self._away))

    def stop(self, stop: Stop) -> None:
        """The target stopped: write nothing until it is back, or a person has acted."""
        if self.going.is_set():
            self.going.clear()
            self._reconnecting = asyncio.create_task(self._back(stop))

    async def leave(self) -> None:
        """Write nothing more, and try no more to get the target back, whatever stops it now."""
        self.going.clear()
        if self._reconnecting is not None:
            await break_off(self._reconnecting)

    def _go_on(self) -> None:
        self.going.set()
        self.set(Condition.RUNNING)
        self._nudge()

    async def _back(self, stop: Stop) -> None:
        attempts = 0
        while not stop.person:
            attempts += 1
            self._away = stop.reason
            self.set(Condition.RECONNECTING, stop.reason)
            await self._pause(min(5.0, back_off(attempts, self._patience)))
            try:
                await (self._target.connect or self._target.sink.connect)()  # type: ignore[attr-defined]
            except Halted as error:
                stop = Stop(text(error), person=True)
            except Exception as error:  # noqa: BLE001 - whatever it is, the target is tried again
                stop = Stop(text(error), person=False)
            else:
                self._go_on()
                return
        self.set(Condition.HALTED, stop.reason)
        self._alarm(f"halted: {stop.reason}")

    async def _pause(self, pause_s: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await self._at_once.wait()
        self._at_once.clear()
