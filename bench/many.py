"""A million keys: how a hub starts over them, how much memory and disk they take, how soon it says how it is.

The materials are stored on the broker first. Then a hub with its embedded broker starts over them, with a target that
has never had any: its route begins with the latest of everything. The highest resident memory is looked at until every
one is delivered and indexed; the status is asked in the middle of it and after.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
import urllib.request
from pathlib import Path
from zoneinfo import ZoneInfo

import psutil

from bench.catalogue import Catalogue, CatalogueConfig
from bench.figure import Figure
from bench.hub import free_port, running
from bench.memory import ROUTES, delivered, install
from connectors.connector import Surroundings
from mombus.bus.connection import connect
from mombus.bus.embedded import EmbeddedBroker
from mombus.bus.streams import LATEST, Limits
from mombus.hub import note

KEYS = 1_000_000
DEADLINE_S = 3600.0
LOOK_AGAIN_S = 1.0
AT_ONCE = 4


def run(quick: bool) -> list[Figure]:
    """Seconds, mebibytes and milliseconds over all keys."""
    keys = 20_000 if quick else KEYS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        asyncio.run(_filled(folder / "hub" / "broker", keys))
        install(folder / "site")
        port = free_port()
        routes = folder / "routes.yaml"
        routes.write_text(ROUTES.format(port=port, keys=0), "utf-8")
        begin = time.monotonic()
        with running([routes], port, [folder / "site"]) as process:
            started_s = time.monotonic() - begin
            hub = psutil.Process(process.pid)
            broker = next(child for child in hub.children(recursive=True) if "nats" in child.name())
            peaks, all_s, busy_ms, idle_ms = asyncio.run(_watched(folder / "hub", port, keys, (hub, broker)))
        index_mb = sum(file.stat().st_size for file in (folder / "hub").glob("index.sqlite*")) / 2**20
    return [
        Figure(name=f"start over {keys:,} keys", value=started_s, unit="s"),
        Figure(
            name=f"snapshot of {keys:,} keys delivered", value=all_s, unit="s", note=f"{keys / all_s:,.0f} a second"
        ),
        Figure(name=f"peak memory, hub, {keys:,} keys", value=peaks[0], unit="MiB"),
        Figure(name=f"peak memory, broker, {keys:,} keys", value=peaks[1], unit="MiB"),
        Figure(name=f"index of {keys:,} keys", value=index_mb, unit="MiB", note="on disk"),
        Figure(name=f"status after {keys:,} keys", value=idle_ms, unit="ms", note=f"{busy_ms:.0f} ms while delivering"),
    ]


async def _filled(folder: Path, keys: int) -> None:
    """A broker's store with that many materials, each the latest of its key."""
    config = CatalogueConfig(connector="bench.catalogue", keys=keys)
    async with EmbeddedBroker(folder) as broker, connect(broker.url, limits=Limits()) as bus:
        turns = asyncio.Semaphore(AT_ONCE)
        source = Catalogue(config, Surroundings(system="erp", site="lyon", timezone=ZoneInfo("Europe/Paris")))
        async with asyncio.TaskGroup() as tasks:
            for start in range(0, keys, 1000):
                await turns.acquire()
                said = [source.material(number).with_revision(1) for number in range(start, min(start + 1000, keys))]
                tasks.create_task(bus.publish_batch(said)).add_done_callback(lambda _: turns.release())
        while (await bus.js.stream_info(LATEST)).state.messages < keys:  # noqa: ASYNC110 - the broker tells nobody
            await asyncio.sleep(LOOK_AGAIN_S)


async def _watched(
    folder: Path, port: int, keys: int, processes: tuple[psutil.Process, psutil.Process]
) -> tuple[list[float], float, float, float]:
    """Peak memories in MiB, seconds until all is delivered, milliseconds of a status in the middle and at the end."""
    peaks, begin, busy_ms = [0.0, 0.0], time.monotonic(), 0.0
    async with connect(note.find(folder).broker) as bus:
        while not await delivered(bus, keys):
            if time.monotonic() > begin + DEADLINE_S:
                raise RuntimeError(f"{keys} keys aren't delivered after {DEADLINE_S:g} s")
            busy_ms = max(busy_ms, await asyncio.to_thread(_status_ms, port))
            await asyncio.sleep(LOOK_AGAIN_S)
            peaks = [max(p, each.memory_info().rss / 2**20) for p, each in zip(peaks, processes, strict=True)]
        all_s = time.monotonic() - begin
        await asyncio.sleep(LOOK_AGAIN_S)
    return peaks, all_s, busy_ms, await asyncio.to_thread(_status_ms, port)


def _status_ms(port: int) -> float:
    begin = time.perf_counter()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/status", timeout=30) as answer:
        json.load(answer)
    return (time.perf_counter() - begin) * 1000
