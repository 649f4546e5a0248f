"""A machine that never waits, and a broker that stores nothing for longer than the machine's spool lasts."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING

from asyncua import ua
from factory import running
from numbers_of_a_machine import BENCH, PLANT, describe, numbered, seen, stored
from proof import Part, Proof

from mombus.hub import note
from plant.line import PackagingLine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from asyncua import Node


class Machine:
    """Counts up, whether somebody listens or not."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.number = 0
        self.stands = False

    async def count(self) -> None:
        """Thirty times a second, until it stands."""
        while not self.stands:
            self.number += 1
            value = ua.Variant(float(self.number), ua.VariantType.Double)
            await self._node.write_value(ua.DataValue(value, SourceTimestamp=datetime.now(UTC)))
            await asyncio.sleep(1 / 30)


@asynccontextmanager
async def machine(folder: Path) -> AsyncIterator[tuple[str, Machine]]:
    """A running machine and where its server is."""
    line = PackagingLine(pace=1)
    await line.start()
    assert line.server
    space = await line.server.register_namespace(BENCH)
    parent = await line.server.nodes.objects.add_object(space, "Bench")
    counting = Machine(await parent.add_variable(space, "Number", 0.0, ua.VariantType.Double))
    describe(folder)
    task = asyncio.create_task(counting.count())
    try:
        yield line.url, counting
    finally:
        task.cancel()
        await line.stop()


async def test_what_a_machine_says_meanwhile_is_kept_and_the_rest_is_counted_by_gaps(
    tmp_path: Path, proof: Proof
) -> None:
    async with machine(tmp_path) as (url, counting):
        systems = {
            "line1": {"connector": "plc.opcua", "url": url, "signals": "signals.yaml", "spool": "20 KB",
                      "publishing_interval_ms": 100, "flush_ms": 50},
        }  # fmt: skip
        async with running(
            tmp_path, {}, plant=PLANT, systems=systems, objects={"process_value": {"owner": "line1"}}, routes=[]
        ) as hub:  # fmt: skip
            broker = note.find(tmp_path / "hub").broker
            await seen(hub.url, lambda status: status["systems"][0]["last_data"])
            process = int((tmp_path / "hub" / "broker" / "broker.pid").read_text().split()[0])
            os.kill(process, signal.SIGSTOP)
            trouble = await seen(hub.url, lambda status: "values lost since" in str(status["trouble"]))
            await asyncio.sleep(1)
            os.kill(process, signal.SIGCONT)
            await seen(hub.url, lambda status: "wait on disk" not in str(status["trouble"]))
            counting.stands = True
            await asyncio.sleep(0.1)
            last = counting.number
            await numbered(broker, last)
            numbers, gaps = await stored(broker)
    jumps = [(one, two) for one, two in pairwise(numbers) if two != one + 1]
    assert 1 <= len(gaps) == len(jumps), (gaps, jumps)
    missing = sum(two - one - 1 for one, two in jumps)
    assert missing == sum(gap["lost"] for gap in gaps) > 0
    assert {gap["equipment_id"] for gap in gaps} == {"FILLER1"}
    assert any("line1: " in line and "values lost" in line for line in trouble["trouble"])
    proof(
        Part.SOURCE, fault="broker frozen until the spool of an OPC UA machine is full",
        load="30 values a second", expected="in order; what is missing is told by gaps, counted to the value",
        seen=f"{len(numbers)} of {last} values on the bus, {missing} missing, counted by {len(gaps)} gap(s)",
    )  # fmt: skip
