"""A counting target in a process of its own, to be killed; its books and its port outlive it."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from pathlib import Path

from ports import free_port

TARGET = Path(__file__).with_name("counting_target.py")


class TargetProcess:
    """Started and killed as often as you like."""

    def __init__(self, books: Path) -> None:
        self._books = books
        self.port = free_port()
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Return when it takes connections."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, str(TARGET), str(self.port), str(self._books), stdout=asyncio.subprocess.PIPE
        )
        assert self._process.stdout
        assert await self._process.stdout.readline(), "the target doesn't start"

    async def kill(self) -> None:
        """End it without a word."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
