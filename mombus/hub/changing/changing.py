"""Which configuration works: one is closed and another opened, and when that can't be, the first again."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import TYPE_CHECKING, Protocol

import structlog

if TYPE_CHECKING:
    from collections.abc import Collection

    from mombus.config.model import Config
    from mombus.hub.changing.work import Work
    from mombus.web.front import Front

FINISH_S = 20.0
"""How long what is being written may take."""
ANSWER_S = 1.0
"""How long what is being answered may take; what streams is ended then."""

log = structlog.get_logger()


class NotTakenError(RuntimeError):
    """A configuration can't be taken over; the text says why. The one before it works on."""


class Opens(Protocol):
    """Opens everything under a configuration; `first` are the systems that must be connected before anything else."""

    def __call__(self, config: Config, first: Collection[str] = ()) -> AbstractAsyncContextManager[Work]:
        """Raises what keeps it from working: nothing is left open then."""


class Changing:
    """Opens, changes and closes. `front` gets the application of what works."""

    def __init__(self, opens: Opens, front: Front) -> None:
        self._opens = opens
        self._front = front
        self._stack = AsyncExitStack()
        self._work: Work | None = None
        self._settled = asyncio.Event()
        self._broken: Exception | None = None

    @property
    def work(self) -> Work:
        """What works now, or did until a moment ago."""
        assert self._work is not None, "open it first"  # noqa: S101 - said by who wires it
        return self._work

    async def open(self, config: Config, first: Collection[str] = ()) -> None:
        """Begin to work. Raises as `Opens`."""
        self._work = await self._stack.enter_async_context(self._opens(config, first))
        self._front.open(self._work.app)
        self._settled.set()

    async def close(self) -> None:
        """End the work. What is being written is finished, the rest stays."""
        stack, self._stack = self._stack, AsyncExitStack()
        await stack.aclose()

    async def run(self, *others: asyncio.Task[None]) -> None:
        """Return when one of the work's tasks, or of the others, ends by itself; raises what it ended with."""
        while True:
            await self._settled.wait()
            if self._broken is not None:
                raise self._broken
            tasks = {*self.work.tasks, *others}
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if not self._settled.is_set() or not tasks >= set(self.work.tasks):
                continue
            for task in tasks:
                if task.done():
                    task.result()
            return

    async def change(self, config: Config, first: Collection[str]) -> None:
        """Work under another configuration. Raises NotTakenError with why not; the one before works again then.

        Sources and doors go on storing until delivery has finished what it is writing; then everything is closed as at
        a stop and opened as at a start: whatever a kill at any moment leaves is what the next start finds.
        """
        before = self.work.config
        self._settled.clear()
        await self.work.finish(FINISH_S)
        await self._front.close(ANSWER_S)
        await self._leave()
        try:
            await self.open(config, first)
        except Exception as error:
            log.exception("the new configuration doesn't work: back to the one before")
            await self._go_back(before)
            raise NotTakenError(str(error) or type(error).__name__) from error

    async def _leave(self) -> None:
        """What doesn't close as it should keeps nothing else from closing, nor the next from being opened."""
        try:
            await self.close()
        except Exception:
            log.exception("a part of what worked until now didn't close as it should")

    async def _go_back(self, config: Config) -> None:
        """Raises what keeps it from working now: the hub ends then, and its next start begins with the file."""
        try:
            await self.open(config)
        except Exception as error:
            self._broken = error
            self._settled.set()
            raise
