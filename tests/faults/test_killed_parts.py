"""The example plant, its hub in parts with accounts of their own at the broker; the parts are killed at random.

The ERP's connector (its door and its sink), the line's and the MES's run apart; the hub has the rest.
"""

import asyncio
import json
import os
import random
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

from factory import hears_or_ended
from patience import PATIENCE_S
from ports import free_port
from proof import Part, Proof
from test_kill import ROOT, running_plant, start, until_they_agree

from mombus.bus.embedded import executable
from plant.proof import differences, numbers

KILLS = 5
APART = ("erp", "line1", "mes")
HUB = "hub"


class Parts:
    """The processes of one hub, by the account they connect with."""

    def __init__(self, folder: Path, urls: dict[str, str], door: int) -> None:
        self.folder = folder
        self.urls = urls
        self.door = door
        self.broker_port = free_port()
        self.processes: dict[str, asyncio.subprocess.Process] = {}

    async def start_broker(self) -> None:
        """nats-server, exactly as `mombus broker-config` writes it."""
        done = await start(
            "mombus", "broker-config", "routes.yaml", "--out", str(self.folder / "broker"), "--nkeys",
            "--listen", f"127.0.0.1:{self.broker_port}", stdout=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        assert await done.wait() == 0
        with (self.folder / "broker.log").open("w") as log:
            self.processes["broker"] = await asyncio.create_subprocess_exec(
                executable(), "-c", str(self.folder / "broker" / "nats.conf"), stderr=log, stdout=log
            )

    async def start(self, account: str) -> None:
        parts = [f"connectors:{account}"]
        if account == HUB:
            parts = ["delivery", "web", "connectors:qms,cmms,wms"]
        with (self.folder / f"{account}.log").open("a") as log:
            self.processes[account] = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "mombus", "run", "routes.yaml", str(self._overlay(account)), "--credentials",
                str(self.folder / "broker" / "keys" / f"{account}.nk"), *(f"--part={part}" for part in parts),
                cwd=ROOT, stderr=log,
            )  # fmt: skip

    def _overlay(self, account: str) -> Path:
        systems: dict[str, dict[str, object]] = {name: {"url": url, "calm": "2s"} for name, url in self.urls.items()}
        for name in ("qms", "cmms", "wms"):
            systems[name]["poll_s"] = 0.3
        path = self.folder / f"{account}.json"
        path.write_text(json.dumps({
            "bus": {"broker": f"nats://127.0.0.1:{self.broker_port}", "folder": str(self.folder / account)},
            "http": {"port": self.door if account == "erp" else 0}, "systems": systems,
        }))  # fmt: skip
        return path

    async def kill(self, account: str) -> None:
        process = self.processes[account]
        assert process.returncode is None, f"{account} had ended by itself, see {self.folder}/{account}.log"
        process.kill()
        await process.wait()

    async def stop(self) -> dict[str, int]:
        """End all in order; returns their exit codes."""
        codes = {}
        for name in (*APART, HUB, "broker"):
            process = self.processes.pop(name)
            await hears_or_ended(process)
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            codes[name] = await asyncio.wait_for(process.wait(), PATIENCE_S)
        return codes


async def test_parts_killed_during_the_scenario_lose_nothing_and_repeat_nothing(tmp_path: Path, proof: Proof) -> None:
    seed = int(os.environ.get("MOMBUS_SEED", time.time_ns() % 1_000_000))
    print(f"MOMBUS_SEED={seed} repeats this run")  # noqa: T201 - shown when the test fails
    chance = random.Random(seed)  # noqa: S311
    door = free_port()
    async with running_plant(f"http://127.0.0.1:{door}") as urls:
        parts = Parts(tmp_path, urls, door)
        await parts.start_broker()
        for account in (HUB, *APART):
            await parts.start(account)
        victims = [*APART, HUB, *chance.choices([*APART, HUB], k=KILLS - 4)]
        chance.shuffle(victims)
        for victim in victims:
            await asyncio.sleep(chance.uniform(1.5, 3.0))
            await parts.kill(victim)
            await parts.start(victim)
        under_way = differences(await numbers(urls, "PO-4711"))
        wrong = await until_they_agree(urls)
        found = await numbers(urls, "PO-4711")
        codes = await parts.stop()
    assert under_way, f"seed {seed}: the order was finished before the last kill, the test proved little"
    assert wrong == [], f"seed {seed}"
    assert found["erp"]["duplicates"] == 0
    assert {codes[name] for name in (*APART, HUB)} == {0}
    proof(
        Part.HUB,
        fault=f"SIGKILL of the parts {', '.join(victims)}, each with its own account at the broker, seed {seed}",
        load="the example plant makes PO-4711, its hub in four processes",
        expected="all six systems tell the same numbers, no document twice",
        seen=f"{len(wrong)} differences, {found['erp']['duplicates']} documents twice, {found['line1']['good']} good",
    )
