"""The demo's hub with its simulated plant, in a process of its own, after one order went through every system.

`python demo_hub.py FOLDER PORT [CONFIG]` writes one line when the order is through, and ends when its input does.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from patience import until

ROOT = Path(__file__).parents[2]
FOUND_IN = {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
TIMEOUT_S = 120.0
XML = {"content-type": "application/xml"}


@dataclass(frozen=True)
class DemoHub:
    """A running hub: its pages' address, its folder, and where the simulated systems are, by name."""

    url: str
    folder: Path
    systems: Mapping[str, str]
    http: httpx.Client

    def say(self, document: bytes) -> None:
        """The ERP says a document."""
        answer = self.http.post("/in/erp", content=document, headers=XML)
        assert answer.status_code == 200, answer.text

    def get(self, path: str, **params: Any) -> Any:
        """What the API answers."""
        answer = self.http.get(path, params=params)
        assert answer.status_code == 200, (path, answer.text)
        return answer.json()


@contextmanager
def demo_hub(folder: Path, port: int, overlay: Mapping[str, Any] | None = None) -> Iterator[DemoHub]:
    """Run one; `overlay` is laid over the example's configuration. Everything has ended on leaving."""
    laid_over = folder / "overlay.json"
    laid_over.write_text(json.dumps(overlay or {}))
    command = [sys.executable, __file__, str(folder), str(port), str(laid_over)]
    with (folder / "said.txt").open("w+") as said, subprocess.Popen(
        command, cwd=ROOT, env=os.environ | FOUND_IN, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said,
        text=True,
    ) as process:  # fmt: skip
        try:
            line = process.stdout.readline() if process.stdout else ""
            assert line, f"the hub has ended:\n{(folder / 'said.txt').read_text()}"
            told = json.loads(line)
            with httpx.Client(base_url=told["url"], trust_env=False) as http:
                yield DemoHub(told["url"], folder / "hub", told["systems"], http)
        finally:
            try:
                process.communicate(timeout=TIMEOUT_S)
            finally:
                process.kill()


async def _run(folder: Path, port: int, overlay: Path) -> None:
    from mombus.cli.check import config_or_exit  # noqa: PLC0415
    from mombus.cli.demo import ORDER, simulated_at, simulated_plant  # noqa: PLC0415 - only the process itself
    from mombus.hub.hub import open_hub  # noqa: PLC0415

    answer, sys.stdout = sys.stdout, sys.stderr  # what is logged isn't the line that is waited for
    ended = asyncio.create_task(_end_of_input())
    async with simulated_plant(f"http://127.0.0.1:{port}", 0, orders=1) as urls:
        simulated = simulated_at(urls, folder / "hub", port, poll_s=0.5)
        config = config_or_exit(simulated.load([ROOT / "routes.yaml", overlay]))
        async with open_hub(config) as hub:
            running = asyncio.create_task(hub.run())
            await _played(urls, ORDER)
            answer.write(json.dumps({"url": hub.url, "systems": urls}) + "\n")
            answer.flush()
            await asyncio.wait({running, ended}, return_when=asyncio.FIRST_COMPLETED)
            running.cancel()


async def _end_of_input() -> None:
    """Without a thread that would keep a process from ending whose hub couldn't start."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()


async def _played(urls: Mapping[str, str], order: str) -> None:
    from plant.proof import differences, numbers  # noqa: PLC0415

    async def wrong() -> list[str]:
        return differences(await numbers(urls, order))

    await until(wrong, TIMEOUT_S, good=lambda found: not found)


if __name__ == "__main__":
    asyncio.run(_run(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])))
