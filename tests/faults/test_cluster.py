"""A cluster of three brokers under load: nodes killed, cut off, frozen and restarted; nothing acknowledged is lost."""

from __future__ import annotations

import asyncio
import signal
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from books import Books
from cluster import NODES, Cluster, Node
from counting_target import CountingTarget
from factory import counted, findable, running
from load import Load
from patience import PATIENCE_S, until
from proof import Part, Proof
from shipped_broker import TOKEN

from mombus.bus.connection import Bus, connect
from mombus.bus.embedded import EmbeddedBroker
from mombus.bus.errors import TooFewNodes
from mombus.bus.streams import MOM, Limits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

LANES = 8


class Shift:
    """A load that goes on while faults are injected; `longest_s` is the longest time without an acknowledgement."""

    def __init__(self, sending: Load) -> None:
        self._sending = sending
        self._stop = asyncio.Event()
        self.longest_s = 0.0

    async def work(self) -> None:
        last = time.monotonic()
        while not self._stop.is_set():
            await self._sending.send(1)
            now = time.monotonic()
            self.longest_s, last = max(self.longest_s, now - last), now

    async def goes_on(self, rounds: int = 5) -> None:
        """Return once so many more rounds are acknowledged."""
        least = len(self._sending.sent) + rounds * LANES
        await until(lambda: len(self._sending.sent) >= least)

    def end(self) -> None:
        self._stop.set()


async def leader(bus: Bus, cluster: Cluster) -> Node:
    """The node that leads MOM."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            info = await bus.js.stream_info(MOM)
            if info.cluster and info.cluster.leader:
                return next(node for node in cluster.nodes if node.name == info.cluster.leader)
            await asyncio.sleep(0.1)


@asynccontextmanager
async def hub_in_a_cluster(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple]:
    async with Cluster(folder) as cluster:
        monkeypatch.setenv("NATS_TOKEN", TOKEN)
        erp = CountingTarget(Books(folder / "books.db"))
        await erp.start()
        bus = {
            "folder": str(folder / "hub"), "broker": cluster.url, "replicas": 3, "token": "${secret:NATS_TOKEN}",
            "ca": str(cluster.files["ca"]),
        }  # fmt: skip
        async with running(folder, {"erp": findable(erp.port)}, bus=bus) as hub:
            yield cluster, hub, erp
        await erp.stop()


async def test_nothing_acknowledged_is_lost_whatever_befalls_one_node(
    disk_path: Path, monkeypatch: pytest.MonkeyPatch, proof: Proof
) -> None:
    async with hub_in_a_cluster(disk_path, monkeypatch) as (cluster, hub, erp):
        sending = Load(lambda: hub.url, lanes=LANES, pause_s=0.05)
        rows = []

        async def through(fault: str, inject, heal) -> None:
            shift, before = Shift(sending), len(sending.sent)
            work = asyncio.create_task(shift.work())
            await shift.goes_on(3)
            async with connect(cluster.url, token=TOKEN, ca=cluster.files["ca"]) as bus:
                node = await leader(bus, cluster)
            await inject(node)
            await shift.goes_on()
            await heal(node)
            await cluster.healthy()
            await shift.goes_on()
            shift.end()
            await work
            rows.append((fault, len(sending.sent) - before, shift.longest_s, await counted(erp.books, sending.sent)))

        async def isolate(node: Node) -> None:
            cluster.isolate(node)

        async def rejoin(node: Node) -> None:
            cluster.rejoin(node)

        await through("SIGKILL of the node that leads MOM", lambda node: node.end(signal.SIGKILL), Node.start)
        await through("the node that leads MOM is cut off from the others, its clients still reach it", isolate, rejoin)
        await through(
            "rolling restart of all three (SIGTERM)",
            lambda _node: restart_all(cluster),
            lambda _node: until(lambda: True),
        )
        async with connect(cluster.url, token=TOKEN, ca=cluster.files["ca"]) as bus:
            stored = await bus.js.stream_info(MOM)
    for fault, sent, longest_s, count in rows:
        assert count.right, (fault, count)
        proof(
            Part.CLUSTER, fault=fault, load=f"{sent} facts in {LANES} lanes through a cluster of 3 nodes, R3",
            expected="what is acknowledged is stored and takes effect once, in order; the hub finds a good node itself",
            seen=f"longest wait for an acknowledgement {longest_s:.1f} s: {count}",
        )  # fmt: skip
    assert stored.state.messages == len(sending.sent)
    assert stored.config.num_replicas == 3


async def others(bus: Bus) -> int:
    """How many nodes follow the one that leads MOM."""
    return len((await bus.js.stream_info(MOM)).cluster.replicas or ())


async def restart_all(cluster: Cluster) -> None:
    for node in cluster.nodes:
        await node.end(signal.SIGTERM)
        await node.start()
        await cluster.healthy()


async def test_copies_are_added_when_a_broker_becomes_a_cluster(
    disk_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Cluster(disk_path) as cluster:
        async with connect(cluster.url, token=TOKEN, ca=cluster.files["ca"], limits=Limits(replicas=1)) as bus:
            assert (await bus.js.stream_info(MOM)).config.num_replicas == 1
        async with connect(cluster.url, token=TOKEN, ca=cluster.files["ca"], limits=Limits(replicas=3)) as bus:
            assert (await bus.js.stream_info(MOM)).config.num_replicas == 3
            async with asyncio.timeout(PATIENCE_S):
                while await others(bus) < NODES - 1:  # noqa: ASYNC110 - in the brokers' own time
                    await asyncio.sleep(0.1)


async def test_one_broker_cannot_keep_three_copies(tmp_path: Path) -> None:
    async with EmbeddedBroker(tmp_path / "broker") as broker:
        with pytest.raises(TooFewNodes, match="start the other nodes of its cluster"):
            async with connect(broker.url, limits=Limits(replicas=3), timeout_s=2):
                pass
