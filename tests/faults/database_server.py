"""A PostgreSQL server of its own, to be killed and frozen with all its processes; what it committed outlives that."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress

import psutil
from databases import started


class DatabaseServer:
    """Killed, frozen and started as often as you like; `url` stays. It never blocks the loop."""

    def __init__(self) -> None:
        # It may run as a user of its own, who can't look into a test's folder.
        self._server = started()
        self.url = self._server.get_uri()

    def _processes(self) -> list[psutil.Process]:
        """All of it, the postmaster first: nobody starts anew what was killed."""
        postmaster = psutil.Process(self._server.get_pid())
        return [postmaster, *postmaster.children()]

    def signal(self, number: signal.Signals) -> None:
        """To every process of the server."""
        for process in self._processes():
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    async def kill(self) -> None:
        """End it without a word, as a power cut does."""
        processes = self._processes()
        self.signal(signal.SIGKILL)
        await asyncio.to_thread(psutil.wait_procs, processes, 30)

    async def start(self) -> None:
        """Return when it takes connections."""
        await asyncio.to_thread(self._server.ensure_postgres_running)

    async def close(self) -> None:
        """End it for good."""
        await asyncio.to_thread(self._server.cleanup)
