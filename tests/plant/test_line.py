"""The simulated packaging line: what it makes, counts and remembers, seen over OPC UA."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from asyncua import Client, ua
from patience import PATIENCE_S

from plant.bottling import bottles_needed
from plant.line import NAMESPACE, PackagingLine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from asyncua.common.node import Node


@asynccontextmanager
async def receiver(line: PackagingLine) -> AsyncIterator[tuple[Node, int]]:
    async with Client(line.url) as client:
        index = await client.get_namespace_index(NAMESPACE)
        path = ["0:Objects", f"{index}:Line1", f"{index}:JobOrderReceiver"]
        yield await client.nodes.root.get_child(path), index


async def store(line: PackagingLine, id: str, quantity: int, material: str = "FG-1000") -> int:
    async with receiver(line) as (node, index):
        number = ua.Variant(quantity, ua.VariantType.UInt32)
        status: int = await node.call_method(f"{index}:StoreAndStart", id, number, material, "PO-1")
        return status


async def response(line: PackagingLine, id: str, state: str) -> list[Any]:
    async with receiver(line) as (node, index), asyncio.timeout(PATIENCE_S):
        while True:
            answer: list[Any] = await node.call_method(f"{index}:RequestJobResponseByJobOrderID", id)
            if answer[1] == state:
                return answer
            await asyncio.sleep(0.05)


async def test_a_job_is_made_once_and_counted(tmp_path: Path) -> None:
    line = PackagingLine(pace=0, faults=3, memory=tmp_path / "memory.json")
    await line.start()
    assert await store(line, "JO-1", 240) == 1
    assert await store(line, "JO-1", 240) == 1, "the same job again changes nothing"
    assert await store(line, "JO-1", 12) == 8, "the same job with another quantity is refused"
    answer = await response(line, "JO-1", "Completed")
    assert answer[2:4] == [240, 6]
    assert line.counts() == {
        "FILLER1": {"processed": 246, "defective": 0},
        "CAPPER1": {"processed": 246, "defective": 3},
        "LABELER1": {"processed": 243, "defective": 3},
        "PACKER1": {"processed": 240, "defective": 0},
    }
    url, counts = line.url, line.counts()
    await line.stop()

    again = PackagingLine(pace=0, memory=tmp_path / "memory.json", port=line.port)
    await again.start()
    assert again.url == url
    assert again.counts() == counts
    assert (await response(again, "JO-1", "Completed"))[2] == 240
    await again.stop()


async def test_what_is_no_job_is_refused_and_a_running_one_can_be_aborted() -> None:
    line = PackagingLine(pace=0, faults=0)
    await line.start()
    assert await store(line, "", 1) == 1 << 32
    assert await store(line, "JO-0", 0) == 1 << 32
    assert await store(line, "JO-2", 50_000) == 1
    await response(line, "JO-2", "Running")
    async with receiver(line) as (node, index):
        assert await node.call_method(f"{index}:Abort", "JO-2") == 1
        assert await node.call_method(f"{index}:Abort", "JO-9") == 2
    assert (await response(line, "JO-2", "Aborted"))[2] < 50_000
    assert await store(line, "JO-3", 1) == 1
    assert (await response(line, "JO-3", "Completed"))[2] == 1
    await line.stop()


def test_enough_bottles_are_filled() -> None:
    for good in range(1, 500):
        labelled = bottles_needed(good, 0)
        assert labelled - labelled // 80 == good
