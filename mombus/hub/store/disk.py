"""The disk under the hub's folder: people are warned while there is still room, and nothing more is taken in before it
is full. Broker, journal, spool and index share it, and none of them takes a full disk well.
"""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING

import structlog

from mombus.config.share import bytes_of
from mombus.config.size import Size

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

EVERY_S = 0.5

log = structlog.get_logger()


class Disk:
    """Looks at the free room of `folder`. `warn` and `stop` are shares of the disk, as in `bus:`.

    Below `stop` nothing is taken in (`stopped`), below half of it spools keep nothing more (`full`): what is left is
    for delivery, whose outcomes are small. It goes on when half of the way to `warn` is free again.
    """

    def __init__(
        self, folder: Path, *, warn: str, stop: str, usage: Callable[[Path], tuple[int, int, int]] = shutil.disk_usage
    ) -> None:
        self._folder = folder
        self._usage = usage
        total = usage(folder)[0]
        self._stop = bytes_of(stop, total)
        self._warn = max(bytes_of(warn, total), self._stop)
        self._stopped = False
        self._warned = False
        self.free, self.total = 0, total
        self.look()

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await asyncio.sleep(EVERY_S)
            self.look()

    def look(self) -> None:
        """See how much is free now."""
        try:
            self.free = self._usage(self._folder)[2]
        except OSError as error:
            log.warning("the disk can't be looked at", folder=str(self._folder), reason=str(error))
            return
        level = (self._stop + self._warn) // 2 if self._stopped else self._stop
        stopped, warned = self.free < level, self.free < self._warn
        if stopped != self._stopped:
            log.error("the disk is nearly full" if stopped else "the disk has room again", free=str(Size(self.free)))
        elif warned and not self._warned:
            log.warning("the disk fills up", free=str(Size(self.free)))
        self._stopped, self._warned = stopped, warned

    def said(self) -> dict[str, int]:
        """Bytes that are free, of how many, and below which people are warned and nothing more is taken in."""
        return {"free": self.free, "total": self.total, "warn": self._warn, "stop": self._stop}

    def stopped(self) -> str | None:
        """Why nothing is taken in, None while there is room."""
        if not self._stopped:
            return None
        return (
            f"{Size(self.free)} are left on the disk of {self._folder}, nothing is taken in below {Size(self._stop)}: "
            "make room, or give `bus: {keep: …}` smaller sizes"
        )

    def full(self) -> str | None:
        """Why nothing more may be spooled, None while there is room."""
        return f"{Size(self.free)} are left on the disk" if self.free < self._stop // 2 else None

    def warning(self) -> str | None:
        """What people should know before it is too late, None while there is nothing to say."""
        if self._stopped or not self._warned:
            return None
        return (
            f"{Size(self.free)} are left on the disk of {self._folder}: make room, "
            f"below {Size(self._stop)} nothing more is taken in"
        )
