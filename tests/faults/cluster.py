"""A JetStream cluster of three nats-server processes on loopback, by deploy/nats/node.conf.

Every route between two nodes runs over a line of its own, so that a node can be cut off from the others while its
clients still reach it.
"""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack
from itertools import permutations
from typing import TYPE_CHECKING

from authority import Authority
from line import Line
from ports import free_port
from shipped_broker import ShippedBroker

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

NODES = 3
SITE = "lyon"
SITE_PASSWORD = "the-other-sites"


class Node(ShippedBroker):
    """One broker of the cluster."""

    def __init__(self, number: int, folder: Path, files: dict[str, Path]) -> None:
        super().__init__("node.conf", f"nats-{number}", folder, files)
        self.number = number
        self.routes, self.leaf = free_port(), free_port()
        self.lines: dict[int, Line] = {}

    async def start(self) -> None:
        ports = {number: line.port for number, line in self.lines.items()} | {self.number: self.routes}
        self.said = {
            "ROUTES_LISTEN": f"127.0.0.1:{self.routes}", "LEAF_LISTEN": f"127.0.0.1:{self.leaf}", "DOMAIN": SITE,
            "SITE_PASSWORD": SITE_PASSWORD, **{f"ROUTE_{n}": f"tls://127.0.0.1:{port}" for n, port in ports.items()},
        }  # fmt: skip
        await super().start()


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
        async with asyncio.timeout(120):
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
