"""A target that refuses thousands of messages, and one decision that sends them again, in order, killed or not."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import nats
import pytest
from books import Books
from counting_target import CountingTarget, Trouble
from factory import counted, findable, running
from load import Load
from patience import PATIENCE_S, until
from proof import Part, Proof

from mombus.cli.asking import asked
from mombus.hub import note

if TYPE_CHECKING:
    from pathlib import Path

    from factory import HubProcess

ROUNDS = 10
"""Messages of each lane: the first is refused, the others wait behind it."""


async def ask(folder: Path, name: str, **question: Any) -> Any:
    """The hub's answer to a command."""
    return await asked(note.find(folder / "hub"), name, question)


async def waiting(folder: Path, many: int) -> None:
    """Return once so many wait at the hub."""
    async with asyncio.timeout(240):
        while (await ask(folder, "status"))["waiting_total"] != many:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.2)


async def dead_letters(folder: Path) -> int:
    client = await nats.connect(note.find(folder / "hub").broker)
    try:
        return int((await client.jetstream().stream_info("DEAD")).state.messages)
    finally:
        await client.close()


async def killed_at(hub: HubProcess, books: Books, effects: int) -> int:
    """Kill the hub once the target has so many, and start it again; how many it had."""
    await until(lambda: books.size() >= effects, 120)
    await hub.kill()
    had = books.size()
    await hub.start()
    await hub.ready()
    return had


@pytest.mark.timeout(600)
async def test_dead_letters_are_sent_again_in_order_though_the_hub_is_killed(tmp_path: Path, proof: Proof) -> None:
    lanes = 1000 if proof.full else 200
    erp = CountingTarget(Books(tmp_path / "books.db"))
    erp.trouble = lambda _id, _before: Trouble.REFUSES
    await erp.start()
    async with running(tmp_path, {"erp": findable(erp.port, timeout_s=PATIENCE_S)}) as hub:
        sending = Load(lambda: hub.url, lanes=lanes)
        await sending.send(ROUNDS)
        await waiting(tmp_path, len(sending.sent))
        letters, refused = await dead_letters(tmp_path), sum(erp.posts.values())
        erp.trouble = lambda _id, _before: Trouble.NONE
        choice = {"command": "retry", "target": "erp", "kind": "parked"}
        begun = await ask(tmp_path, "bulk_begin", **choice, who="ada", why="the period is open again")
        had = await killed_at(hub, erp.books, len(sending.sent) // 3)
        count = await counted(erp.books, sending.sent, 240)
        await waiting(tmp_path, 0)
    await erp.stop()
    assert (begun["total"], letters, refused) == (lanes, lanes, lanes)
    assert had < len(sending.sent), "the kill came too late to prove anything"
    assert count.right, (count, count.lost[:5], count.twice[:5], count.disordered[:5])
    proof(
        Part.LANES, fault=f"{len(sending.sent)} messages replayed after a target refused them; SIGKILL meanwhile",
        load=f"{lanes} lanes, {letters} dead letters, {ROUNDS - 1} messages behind each, sent again by one decision",
        expected="one document each, in order per key", seen=f"{had} documents at the kill, then: {count}",
    )  # fmt: skip
