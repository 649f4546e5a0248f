"""The process of a connector is killed by the very call it makes, before and after the target has taken it."""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from books import Books
from broker_process import BrokerProcess
from counting_target import CountingTarget, Trouble
from factory import HubProcess, configuration, counted, findable, keyed
from load import Load
from patience import PATIENCE_S
from ports import free_port
from proof import Part, Proof
from several_hubs import send_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LANES = 10
DEADLY = [
    (name, place) for name in ("erp", "wms") for place in (Trouble.LOSES_REQUEST, Trouble.LOSES_ANSWER)
]  # fmt: skip
"""Which target's call kills the part, before it took effect or after: one after the other."""


class Deadly:
    """The twentieth first call to the target whose turn it is kills the part that makes it."""

    def __init__(self, part: HubProcess) -> None:
        self._part = part
        self._left = list(DEADLY)
        self._calls = 0
        self.killed = asyncio.Event()

    def at(self, target: str) -> Callable[[str, int], Trouble]:
        def decide(_id: str, before: int) -> Trouble:
            if before or self.killed.is_set() or not self._left or self._left[0][0] != target:
                return Trouble.NONE
            self._calls += 1
            if self._calls % 20:
                return Trouble.NONE
            self._part.signal(signal.SIGKILL)
            self.killed.set()
            return self._left.pop(0)[1]

        return decide


async def test_a_part_killed_at_the_targets_call_has_one_effect(tmp_path: Path, proof: Proof) -> None:
    async with AsyncExitStack() as stack:
        broker = BrokerProcess(tmp_path / "broker")
        await broker.start()
        stack.push_async_callback(broker.kill)
        targets = {}
        for name in ("erp", "wms"):
            targets[name] = target = CountingTarget(Books(tmp_path / f"{name}.db"))
            await target.start()
            stack.push_async_callback(target.stop)
        systems = {"erp": findable(targets["erp"].port), "wms": keyed(targets["wms"].port)}
        processes = []
        for parts in (("delivery", "web", "connectors:mes"), ("connectors:erp,wms",)):
            port, name = free_port(), f"part{len(processes)}"
            bus = {"broker": broker.url, "folder": str(tmp_path / name)}
            part = HubProcess(configuration(tmp_path, port, systems, name=f"{name}.yaml", bus=bus), port, parts=parts)
            processes.append(part)
            await part.start()
            stack.push_async_callback(part.kill)
        for part in processes:
            await part.ready()
        rest, victim = processes
        deadly = Deadly(victim)
        for name, target in targets.items():
            target.trouble = deadly.at(name)
        enough, sending = asyncio.Event(), Load(lambda: rest.url, lanes=LANES, pause_s=0.1)
        work = asyncio.create_task(send_until(enough, sending))
        for _ in DEADLY:
            await asyncio.wait_for(deadly.killed.wait(), PATIENCE_S)
            await victim.ended()
            deadly.killed.clear()
            await victim.start()
        enough.set()
        await work
        counts = {name: await counted(target.books, sending.sent) for name, target in targets.items()}
    for count in counts.values():
        assert count.right, (counts, count.twice, count.lost, count.disordered)
    for name, kind in (("erp", "is read back"), ("wms", "knows message ids")):
        proof(
            Part.HUB, fault=f"SIGKILL of a connector's process by its own call, before the effect and after it; the "
            f"target {kind}", load=f"{len(sending.sent)} facts in {LANES} lanes, the connectors in a process of their "
            f"own", expected="one effect each, in order", seen=str(counts[name]),
        )  # fmt: skip
