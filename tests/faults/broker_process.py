"""A broker that isn't the hub's, in a process of its own, to be killed; its store and its port outlive it."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

from patience import PATIENCE_S
from ports import free_port

from mombus.bus.embedded import executable

if TYPE_CHECKING:
    from pathlib import Path


class BrokerProcess:
    """Started and killed as often as you like. `rules` say who may do what, in the words of its configuration."""

    def __init__(self, folder: Path, rules: str = "") -> None:
        folder.mkdir()
        self.port = free_port()
        self._folder = folder
        self._settings = folder / "nats.conf"
        self._write(rules)
        self._process: asyncio.subprocess.Process | None = None

    def _write(self, rules: str) -> None:
        folder = self._folder
        self._settings.write_text(
            f'server_name: "{folder.name}"\nlisten: "127.0.0.1:{self.port}"\nlog_file: "{folder}/broker.log"\n'
            f'jetstream {{ store_dir: "{folder}/store", sync_interval: always }}\n{rules}'
        )

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Return when it takes connections."""
        self._process = await asyncio.create_subprocess_exec(executable(), "-c", str(self._settings))
        async with asyncio.timeout(PATIENCE_S):
            while not await self._listens():  # noqa: ASYNC110 - in its own time
                await asyncio.sleep(0.02)

    async def _listens(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        return True

    def reload(self, rules: str) -> None:
        """Let it go on by other rules."""
        self._write(rules)
        assert self._process
        self._process.send_signal(signal.SIGHUP)

    async def kill(self) -> None:
        """End it without a word."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """Ask it to end."""
        await self._end(signal.SIGTERM)

    async def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.send_signal(how)
            await self._process.wait()
