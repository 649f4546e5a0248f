"""The hub and its broker are killed again and again while the example plant runs: nothing lost, nothing twice.

The plant's systems are real servers in a process of their own, so that what they have can be counted afterwards.
"""

import asyncio
import json
import os
import random
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from factory import hears_or_ended
from patience import PATIENCE_S
from ports import free_port
from proof import Part, Proof

from plant.proof import differences, numbers

ROOT = Path(__file__).parents[2]
KILLS = 10
PACE = "0.2"
"""Slow enough that the order is under way during all kills."""
FINISH_S = 150.0


async def start(*command: str, **options: int) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(sys.executable, "-m", *command, cwd=ROOT, **options)


@asynccontextmanager
async def running_plant(hub_url: str) -> AsyncIterator[dict[str, str]]:
    plant = await start(
        "plant", "--die-with-parent", "--ports", "ephemeral", "--pace", PACE, "--hub", hub_url,
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert plant.stdout
        urls = json.loads(await asyncio.wait_for(plant.stdout.readline(), PATIENCE_S))
        urls.pop("pid", None)
        yield urls
    finally:
        plant.terminate()
        await plant.wait()


class KilledHub:
    """A hub that is started again whenever it was killed."""

    def __init__(self, overlay: Path, folder: Path) -> None:
        self.overlay = overlay
        self.folder = folder
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self.process = await start("mombus", "run", "routes.yaml", str(self.overlay), stderr=asyncio.subprocess.DEVNULL)

    async def kill(self) -> None:
        assert self.process
        with suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()

    def kill_broker(self) -> None:
        with suppress(FileNotFoundError, ProcessLookupError, ValueError):
            os.kill(int((self.folder / "broker" / "broker.pid").read_text().split()[0]), signal.SIGKILL)

    async def stop(self) -> int:
        assert self.process
        await hears_or_ended(self.process)
        self.process.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(self.process.wait(), PATIENCE_S)


async def test_kills_during_the_scenario_lose_nothing_and_repeat_nothing(tmp_path: Path, proof: Proof) -> None:
    seed = int(os.environ.get("MOMBUS_SEED", time.time_ns() % 1_000_000))
    print(f"MOMBUS_SEED={seed} repeats this run")  # noqa: T201 - shown when the test fails
    chance = random.Random(seed)  # noqa: S311
    port = free_port()
    async with running_plant(f"http://127.0.0.1:{port}") as urls:
        overlay = tmp_path / "overlay.yaml"
        systems = {name: {"url": url, "calm": "2s"} for name, url in urls.items()}
        for name in ("qms", "cmms", "wms"):
            systems[name]["poll_s"] = 0.3  # type: ignore[assignment]
        folder = tmp_path / "hub"
        overlay.write_text(json.dumps({"bus": {"folder": str(folder)}, "http": {"port": port}, "systems": systems}))
        hub = KilledHub(overlay, folder)
        await hub.start()
        brokers = 0
        for _ in range(KILLS):
            await asyncio.sleep(chance.uniform(1.0, 2.2))
            if chance.random() < 0.35:
                hub.kill_broker()
                brokers += 1
            else:
                await hub.kill()
                await hub.start()
        under_way = differences(await numbers(urls, "PO-4711"))
        wrong = await until_they_agree(urls)
        found = await numbers(urls, "PO-4711")
        code = await hub.stop()
    assert under_way, f"seed {seed}: the order was finished before the last kill, the test proved little"
    assert wrong == [], f"seed {seed}"
    assert found["erp"]["duplicates"] == 0
    assert code == 0
    proof(
        Part.HUB,
        fault=f"SIGKILL of the hub {KILLS - brokers} times and of its broker {brokers} times, seed {seed}",
        load="the example plant makes PO-4711: six systems, their real protocols",
        expected="all six systems tell the same numbers, no document twice",
        seen=f"{len(wrong)} differences, {found['erp']['duplicates']} documents twice, {found['line1']['good']} good",
    )


async def until_they_agree(urls: dict[str, str]) -> list[str]:
    deadline = time.monotonic() + FINISH_S
    while True:
        wrong = differences(await numbers(urls, "PO-4711"))
        if not wrong or time.monotonic() > deadline:
            return wrong
        await asyncio.sleep(0.5)
