"""A JetStream cluster of three nats-server processes on loopback, by deploy/nats/node.conf.

Every route between two nodes runs over a line of its own, so that a node can be cut off from the others while its
clients still reach it.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import AsyncExitStack
from itertools import permutations
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
from authority import Authority
from factory import free_port
from line import Line

from mombus.bus.embedded import executable

if TYPE_CHECKING:
    from typing import Self

CONFIGURATION = Path(__file__).parents[2] / "deploy" / "nats" / "node.conf"
NODES = 3
TOKEN = "the-hubs-token"


class Node:
    """One broker of the cluster."""

    def __init__(self, number: int, folder: Path, files: dict[str, Path]) -> None:
        self.number = number
        self.port, self.routes, self.leaf, self.monitor = (free_port() for _ in range(4))
        self._folder = folder
        self._files = files
        self.lines: dict[int, Line] = {}
        self.process: asyncio.subprocess.Process | None = None

    @property
    def name(self) -> str:
        return f"nats-{self.number}"

    @property
    def url(self) -> str:
        return f"tls://127.0.0.1:{self.port}"

    async def start(self) -> None:
        routes = {f"NATS_ROUTE_{n}": f'"tls://127.0.0.1:{line.port}"' for n, line in self.lines.items()}
        own = {f"NATS_ROUTE_{self.number}": f'"tls://127.0.0.1:{self.routes}"'}
        said = {
            "NAME": self.name, "LISTEN": f"127.0.0.1:{self.port}", "ROUTES_LISTEN": f"127.0.0.1:{self.routes}",
            "LEAF_LISTEN": f"127.0.0.1:{self.leaf}", "MONITOR": f"127.0.0.1:{self.monitor}", "DOMAIN": "lyon",
            "STORE": str(self._folder / self.name), "TOKEN": TOKEN, "SITE_PASSWORD": "the-site's",
            **{name.upper(): str(file) for name, file in self._files.items()},
        }  # fmt: skip
        environment = os.environ | routes | own | {f"NATS_{key}": f'"{value}"' for key, value in said.items()}
        with (self._folder / f"{self.name}.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                executable(), "-c", str(CONFIGURATION), env=environment, stdout=log, stderr=log
            )

    async def end(self, number: signal.Signals) -> None:
        """End it by a signal, frozen or not, and wait for its end."""
        if self.process and self.process.returncode is None:
            self.process.send_signal(number)
            self.process.send_signal(signal.SIGCONT)
            await self.process.wait()

    async def healthy(self) -> bool:
        """Its own word: JetStream runs, its streams and consumers are as far as the others'."""
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=2) as http:
                return (await http.get(f"http://127.0.0.1:{self.monitor}/healthz")).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False


class Cluster:
    """The three; `url` names them all."""

    def __init__(self, folder: Path) -> None:
        authority = Authority(folder, "ca")
        certificate, key = authority.sign("node")
        self.files = {"ca": authority.file, "cert": certificate, "key": key}
        self.nodes = [Node(number, folder, self.files) for number in range(NODES)]
        self._stack = AsyncExitStack()

    @property
    def url(self) -> str:
        return ",".join(node.url for node in self.nodes)

    async def __aenter__(self) -> Self:
        for one, other in permutations(self.nodes, 2):
            one.lines[other.number] = await self._stack.enter_async_context(Line(other.routes))
        for node in self.nodes:
            await node.start()
            self._stack.push_async_callback(node.end, signal.SIGKILL)
        await self.healthy()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._stack.aclose()

    async def healthy(self) -> None:
        """Return when every node says so."""
        async with asyncio.timeout(60):
            while not all([await node.healthy() for node in self.nodes]):  # noqa: ASYNC110 - others' own time
                await asyncio.sleep(0.1)

    def isolate(self, node: Node) -> None:
        """Cut a node off from the others; its clients still reach it."""
        for line in self._lines_of(node):
            line.silence()

    def rejoin(self, node: Node) -> None:
        """Let it take part again."""
        for line in self._lines_of(node):
            line.cut()
            line.heal()

    def _lines_of(self, node: Node) -> list[Line]:
        return [*node.lines.values(), *(other.lines[node.number] for other in self.nodes if other is not node)]
