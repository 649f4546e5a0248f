"""A machine that says far more than the hub takes: what is dropped is counted to the value, and memory stays flat."""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import psutil
from asyncua import Client
from factory import running
from numbers_of_a_machine import BENCH, PLANT, describe, numbered, seen, stored
from patience import PATIENCE_S
from ports import free_port
from proof import Part, Proof

from mombus.hub import note

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from factory import HubProcess

SERVER = Path(__file__).with_name("opcua_flood.py")
PER_S = 1000
BUFFER = 100
GROWS_MB = 24.0


class Flood:
    """The server's process. `stop` returns how far it counted."""

    def __init__(self, port: int, process: asyncio.subprocess.Process) -> None:
        self.url = f"opc.tcp://127.0.0.1:{port}/"
        self._process = process

    async def stop(self) -> int:
        async with Client(self.url, timeout=PATIENCE_S, watchdog_intervall=PATIENCE_S) as client:
            space = await client.get_namespace_index(BENCH)
            node = await client.nodes.objects.get_child([f"{space}:Bench", f"{space}:Stop"])
            await node.write_value(True)
        assert self._process.stdout
        return int(await asyncio.wait_for(self._process.stdout.readline(), PATIENCE_S))


@asynccontextmanager
async def flood() -> AsyncIterator[Flood]:
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(SERVER), str(port), str(PER_S), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout
        assert await process.stdout.readline(), "the server doesn't start"
        yield Flood(port, process)
    finally:
        process.kill()
        await process.wait()


async def memory_mb(hub: HubProcess, seconds: float) -> list[float]:
    """The hub's own resident memory, sampled for so long."""
    assert hub.process
    process = psutil.Process(hub.process.pid)
    samples = []
    for _ in range(int(seconds / 0.1)):
        samples.append(process.memory_info().rss / 2**20)
        await asyncio.sleep(0.1)
    return samples


async def test_a_flood_of_values_is_dropped_by_number_and_takes_no_memory(tmp_path: Path, proof: Proof) -> None:
    floods_s = 30.0 if proof.full else 4.0
    describe(tmp_path)
    async with flood() as machine:
        systems = {
            "line1": {"connector": "plc.opcua", "url": machine.url, "signals": "signals.yaml", "buffer": BUFFER,
                      "batch": 1, "publishing_interval_ms": 50, "flush_ms": 10},
        }  # fmt: skip
        async with running(
            tmp_path, {}, plant=PLANT, systems=systems, objects={"process_value": {"owner": "line1"}}, routes=[]
        ) as hub:  # fmt: skip
            broker = note.find(tmp_path / "hub").broker
            await seen(hub.url, lambda status: status["systems"][0]["last_data"])
            samples = await memory_mb(hub, floods_s)
            last = await machine.stop()
            await numbered(broker, last)
            numbers, gaps = await stored(broker)
    jumps = [(one, two) for one, two in pairwise(numbers) if two != one + 1]
    missing = sum(two - one - 1 for one, two in jumps)
    counted = sum(gap["lost"] for gap in gaps)
    assert min(two - one for one, two in pairwise(numbers)) == 1, "out of order, or twice"
    before_first = max(0, numbers[0] - 1)
    assert missing <= counted <= missing + before_first, (missing, counted, last, numbers[0], gaps[:3])
    assert counted, "it says more than is taken"
    if proof.full:  # else other tests keep the machine from saying so much
        assert counted > (last - before_first) / 4
        assert len(gaps) < counted / 20, "one gap tells of many values"
    quarter = len(samples) // 4
    before, after = median(samples[quarter : 2 * quarter]), median(samples[-quarter:])
    assert after < before + GROWS_MB, samples
    proof(
        Part.SOURCE, fault=f"an OPC UA server emits far more than is taken, for {floods_s:.0f} s",
        load=f"{last} values, {BUFFER} may wait", expected="what is dropped is counted, gaps say how many; memory flat",
        seen=f"{len(numbers)} of {last} from number {numbers[0]} on, in order; {missing} missing, "
        f"{len(gaps)} gaps say {counted}; the hub's memory {before:.0f} MB in the second quarter, {after:.0f} MB in "
        "the last",
    )  # fmt: skip
