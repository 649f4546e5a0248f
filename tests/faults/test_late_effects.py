"""Targets that act on a call long after it ended for the hub: what they take late is not written a second time."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from books import Books
from counting_target import CountingTarget, Trouble
from factory import counted, findable, running, until
from line import Line
from load import Load
from proof import Part, Proof

if TYPE_CHECKING:
    from pathlib import Path

LANES = 6
LATE = "PO-002-00002"
"""The one message that is late everywhere: its lane waits for it."""
CALM = {"calm": "120s"}
PATIENT = {"timeout_s": 120.0, **CALM}
FAULTS = {
    "timed_out": ("the target works on a call for longer than the hub waits", CALM),
    "cut": ("the line is cut while the target works on a call", PATIENT),
    "killed": ("SIGKILL of the hub while the target works on a call; it restarts at once", PATIENT),
}


async def test_one_document_though_the_target_commits_after_it_was_read_back(tmp_path: Path, proof: Proof) -> None:
    async with AsyncExitStack() as stack:
        targets, lines, systems = {}, {}, {}
        for name, (_, times) in FAULTS.items():
            targets[name] = target = CountingTarget(Books(tmp_path / f"{name}.db"))
            target.trouble = lambda said, before: Trouble.LATE if said == LATE and not before else Trouble.NONE
            await target.start()
            stack.push_async_callback(target.stop)
            lines[name] = await stack.enter_async_context(Line(target.port))
            systems[name] = findable(lines[name].port, **times)
        hub = await stack.enter_async_context(running(tmp_path, systems))
        sending = Load(lambda: hub.url, lanes=LANES)
        await sending.send(2)
        most = len(sending.sent) - 1
        await until(lambda: all(t.posts.get(LATE) == 1 and t.books.size() == most for t in targets.values()))
        lines["cut"].cut()
        await until(lambda: all(targets[name].asked.get(LATE) for name in ("cut", "timed_out")))
        await hub.kill()
        before = {name: target.asked.get(LATE, 0) for name, target in targets.items()}
        await hub.start()
        await hub.ready()
        await sending.send(1)
        await until(lambda: all(target.asked.get(LATE, 0) > before[name] for name, target in targets.items()))
        await until(lambda: all(target.books.size() == len(sending.sent) - 2 for target in targets.values()))
        for target in targets.values():
            target.let_go.set()
        counts = {name: await counted(target.books, sending.sent) for name, target in targets.items()}
    for name, count in counts.items():
        assert count.right, (name, count)
        assert targets[name].posts[LATE] == 1
        fault = f"{FAULTS[name][0]}, and commits after it was read back as absent {targets[name].asked[LATE]} times"
        proof(
            Part.TARGET, fault=fault, load=f"{len(sending.sent)} facts in {LANES} lanes",
            expected="one document each, in order; only its lane waits", seen=str(count),
        )  # fmt: skip
