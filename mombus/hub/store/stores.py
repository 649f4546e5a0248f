"""How much of the disk, and of what it may take, each of the hub's stores uses: files in its folder, streams of MOM."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple

import structlog

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from nats.js import JetStreamContext

EVERY_S = 30.0
FILES = ("journal", "index", "exchanges", "spool")
"""Databases in the hub's folder; a journal elsewhere has none."""
_BESIDE = ("", "-wal", "-shm")

log = structlog.get_logger()


class Store(NamedTuple):
    """A store: bytes it uses, and those it may use at most, if it has a limit of its own."""

    name: str
    used: int
    limit: int | None


class Stores:
    """Looks at them now and then. `limits` are those of files, by name; streams say theirs."""

    def __init__(self, folder: Path, js: JetStreamContext, limits: Mapping[str, int]) -> None:
        self._folder = folder
        self._js = js
        self._limits = limits
        self.found: tuple[Store, ...] = ()

    def said(self) -> list[dict[str, Any]]:
        """As it is told to people."""
        return [one._asdict() for one in self.found]

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await self.look()
            await asyncio.sleep(EVERY_S)

    async def look(self) -> None:
        """See how much each uses now; what the broker doesn't tell stays as it was."""
        from nats.errors import Error  # noqa: PLC0415 - imported where it is used

        files = await asyncio.to_thread(self._files)
        try:
            streams = await self._streams()
        except (Error, TimeoutError, ConnectionError) as error:
            log.debug("the streams can't be looked at", reason=str(error) or type(error).__name__)
            streams = [one for one in self.found if one.name.startswith("stream ")]
        self.found = (*files, *streams)

    def _files(self) -> list[Store]:
        return [
            Store(name, used, self._limits.get(name))
            for name in FILES
            if (used := sum(_size(self._folder / f"{name}.sqlite{end}") for end in _BESIDE))
        ]

    async def _streams(self) -> list[Store]:
        found = await self._js.streams_info()
        rows = [Store(f"stream {one.config.name}", one.state.bytes, _limit(one.config.max_bytes)) for one in found]
        return sorted(rows)


def _limit(most: int | None) -> int | None:
    return most if most is not None and most > 0 else None


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0
