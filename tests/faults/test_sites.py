"""Two sites, each with its hub and broker, joined as leaf nodes by the shipped configurations.

While the line between them is cut both work on; what one said meanwhile reaches the other afterwards, once, in order.
"""

from __future__ import annotations

import signal
import sqlite3
from contextlib import AsyncExitStack, closing
from typing import TYPE_CHECKING

import pytest
from books import Books
from cluster import SITE_PASSWORD, Cluster
from counting_target import CountingTarget
from factory import counted, findable, running
from line import Line
from load import SYSTEM, Load
from patience import until
from proof import Part, Proof
from shipped_broker import TOKEN, ShippedBroker

from mombus.bus.connection import connect
from mombus.bus.streams import MOM

if TYPE_CHECKING:
    from pathlib import Path

LANES = 8


class Factory:
    """One site: its hub, the target of its production responses, a load at its door."""

    def __init__(self, folder: Path, bus: dict, site: str, systems: dict, owner: str) -> None:
        folder.mkdir()
        self.folder = folder
        self.books = Books(folder / "books.db")
        self.target = CountingTarget(self.books)
        self._sections = {
            "bus": {"folder": str(folder / "hub"), "token": "${secret:NATS_TOKEN}", **bus},
            "plant": {"enterprise": "acme", "site": site, "timezone": "Europe/Paris"},
            "objects": {"production_response": {"owner": owner}},
            "routes": [{"object": "production_response", "to": "books"}],
        }
        self._systems = systems
        self.load = Load(lambda: self.hub.url, lanes=LANES, pause_s=0.1)

    async def start(self, stack: AsyncExitStack) -> None:
        await self.target.start()
        stack.push_async_callback(self.target.stop)
        systems = {**self._systems, "books": findable(self.target.port)}
        self.hub = await stack.enter_async_context(running(self.folder, systems, systems=systems, **self._sections))

    def reads_on(self, system: str) -> bool:
        """Whether it has begun to read a system: what is said from then on comes."""
        journal = sqlite3.connect(f"file:{self.folder / 'hub' / 'journal.sqlite'}?mode=ro", uri=True)
        with closing(journal):
            known = "SELECT 1 FROM bookmarks WHERE system = ? AND bookmark <> ''"
            return bool(journal.execute(known, [system]).fetchall())


async def test_a_site_that_is_cut_off_works_on_and_catches_up(
    disk_path: Path, monkeypatch: pytest.MonkeyPatch, proof: Proof
) -> None:
    monkeypatch.setenv("NATS_TOKEN", TOKEN)
    async with AsyncExitStack() as stack:
        cluster = await stack.enter_async_context(Cluster(disk_path))
        lines = [await stack.enter_async_context(Line(node.leaf)) for node in cluster.nodes]
        broker = ShippedBroker("site.conf", "nantes-0", disk_path, cluster.files)
        remotes = {f"REMOTE_{n}": f"tls://site:{SITE_PASSWORD}@127.0.0.1:{line.port}" for n, line in enumerate(lines)}
        broker.said = {"DOMAIN": "nantes", **remotes}
        await broker.start()
        stack.push_async_callback(broker.end, signal.SIGKILL)
        ca = str(cluster.files["ca"])
        nantes = Factory(disk_path / "nantes", {"broker": broker.url, "ca": ca}, "nantes", {"mes": SYSTEM}, "mes")
        other = {
            "connector": "site", "url": cluster.url, "ca": ca, "token": "${secret:NATS_TOKEN}", "site": "nantes",
            "domain": "nantes", "objects": ["production_response"],
        }  # fmt: skip
        bus = {"broker": cluster.url, "ca": ca, "replicas": 3}
        lyon = Factory(disk_path / "lyon", bus, "lyon", {"nantes": other}, "nantes")
        await nantes.start(stack)
        await lyon.start(stack)
        await until(lambda: lyon.reads_on("nantes"))
        await nantes.load.send(5)
        await until(lambda: lyon.books.size() > 0)
        for line in lines:
            line.refuse()
        before = lyon.books.size()
        await nantes.load.send(10)
        alone = await counted(nantes.books, nantes.load.sent)
        cut_off = lyon.books.size() - before
        for line in lines:
            line.heal()
        await nantes.load.send(3)
        count = await counted(lyon.books, nantes.load.sent)
        async with connect(broker.url, token=TOKEN, ca=cluster.files["ca"]) as bus_of_nantes:
            stored = (await bus_of_nantes.js.stream_info(MOM)).state.messages
    assert alone.right, alone
    assert count.right, count
    assert stored == len(nantes.load.sent), "what another site said was stored here as well"
    proof(
        Part.CLUSTER, fault="the line between two sites is cut, then comes back",
        load=f"{len(nantes.load.sent)} facts of one site, {10 * LANES} of them while cut off, told to the other",
        expected="each site works on; the other catches up: one effect each at both, in order",
        seen=f"while cut off {alone.effects} effects at home and {cut_off} elsewhere; afterwards {count}",
    )  # fmt: skip
