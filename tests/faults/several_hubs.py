"""Hubs as processes on one broker and one journal, and the targets that count what they deliver."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from itertools import cycle
from typing import TYPE_CHECKING, Any

import httpx
import load
from factory import HubProcess, configuration, counted, findable, keyed
from patience import PATIENCE_S, until
from ports import free_port

from mombus.bus.embedded import executable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from counting_target import CountingTarget
    from load import Load

FAST = 'jetstream {{ store_dir: "{folder}/js" }}\nport: -1\nhost: 127.0.0.1\nports_file_dir: "{folder}"\n'


def settings(folder: Path) -> Path:
    folder.mkdir()
    (folder / "nats.conf").write_text(FAST.format(folder=folder))
    return folder / "nats.conf"


@asynccontextmanager
async def broker(folder: Path) -> AsyncIterator[str]:
    """A nats-server that is nobody's; its URL."""
    server = await asyncio.create_subprocess_exec(
        executable(), "-c", str(settings(folder)), stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        ports = folder / f"nats-server_{server.pid}.ports"
        await until(lambda: ports.exists() and ports.stat().st_size > 0)
        yield json.loads(ports.read_text())["nats"][0]
    finally:
        server.kill()
        await server.wait()


WAITING = {**load.SYSTEM, "spool": 0}
"""An MES that posts to the hubs in turn: nothing is acknowledged before the bus has stored it, so that order holds."""


class Plant:
    """Hubs as processes, and their targets. `alive` are the hubs that the load may post to, if not to a `source`."""

    def __init__(
        self, folder: Path, bus: dict[str, str], targets: dict[str, CountingTarget],
        source: dict[str, Any] | None = None,
    ) -> None:  # fmt: skip
        self._source = source or load.SYSTEM
        self._folder = folder
        self._bus = bus
        self.targets = targets
        self.hubs: list[HubProcess] = []
        self.alive: list[HubProcess] = []
        self._turn = cycle(range(1000))

    def url(self) -> str:
        """A hub's, another one each time."""
        return self.alive[next(self._turn) % len(self.alive)].url

    async def add(self, declared: dict[str, Any] | None = None) -> HubProcess:
        """One more hub, its targets declared in its own way or as usual; ready when this returns."""
        folder, port = self._folder / f"hub{len(self.hubs)}", free_port()
        folder.mkdir()
        usual = {name: (keyed if name == "wms" else findable)(target.port) for name, target in self.targets.items()}
        systems = declared or usual
        file = configuration(
            folder, port, systems, bus={"folder": str(folder / "hub"), **self._bus},
            systems={"mes": self._source, **systems},
        )  # fmt: skip
        hub = HubProcess(file, port)
        await hub.start()
        await hub.ready()
        self.hubs.append(hub)
        self.alive.append(hub)
        return hub

    def remove(self, hub: HubProcess) -> None:
        """The load posts to it no more."""
        self.alive.remove(hub)

    async def holders(self) -> dict[str, str]:
        """Which hub has each target, as its own status says; missing when nobody says so."""
        found: dict[str, str] = {}
        async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S) as http:
            for hub in self.alive:
                rows = (await http.get(f"{hub.url}/api/status")).json()["systems"]
                found.update({
                    row["name"]: hub.url for row in rows
                    if row["name"] in self.targets and "hub" not in row and row["health"] != "elsewhere"
                })  # fmt: skip
        return found

    async def shared_out(self, hubs: int) -> dict[str, str]:
        """The holders, once so many hubs share all targets."""
        async with asyncio.timeout(120):
            while True:
                found = await self.holders()
                if len(found) == len(self.targets) and len(set(found.values())) == hubs:
                    return found
                await asyncio.sleep(0.1)

    async def all_right(self, sent: list[str]) -> str:
        """Every target has each message once, in order; the counts."""
        counts = [await counted(target.books, sent) for target in self.targets.values()]
        assert all(count.right for count in counts), (counts, self.logs())
        return "; ".join(str(count) for count in sorted(set(map(str, counts))))

    def logs(self) -> str:
        return "\n".join((file.read_text()[-3000:]) for file in self._folder.glob("hub*/hub.log"))


async def send_until(enough: asyncio.Event, sending: Load) -> None:
    while not enough.is_set():
        await sending.send(1)
