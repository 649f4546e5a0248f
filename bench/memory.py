"""How much memory hub and broker need for 100 000 keys of a state object.

A hub in a process of its own, with embedded broker and journal, reads the materials from a connector that states them
and delivers them to one that takes them: `bench.catalogue`, installed for this hub alone. The resident memory of both
processes is looked at four times a second; the highest counts. Without keys is the same hub before it read the first.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from bench.figure import Figure
from bench.hub import free_port, running
from mombus.bus.connection import connect
from mombus.hub import note

if TYPE_CHECKING:
    from mombus.bus.connection import Bus

ROUTES = """
version: 1
plant: {{enterprise: acme, site: lyon, timezone: Europe/Paris}}
bus: {{broker: embedded, store: embedded, folder: hub}}
http: {{port: {port}}}
systems:
  erp: {{connector: bench.catalogue, keys: {keys}}}
  mes: {{connector: bench.catalogue}}
objects:
  material: {{owner: erp, process_owner: masterdata@acme.example}}
routes:
  - {{object: material, to: mes}}
"""
ENTRY_POINTS = "[mombus.connectors]\nbench.catalogue = bench.catalogue:Catalogue\n"
DEADLINE_S = 240.0
LOOK_AGAIN_S = 0.25


def run(quick: bool) -> list[Figure]:
    """Mebibytes of hub and broker with all keys, and without any."""
    keys = 5_000 if quick else 100_000
    hub, broker, seconds = _peaks(keys)
    idle_hub, idle_broker, _ = _peaks(0)
    note_ = f"bare is without keys; {keys:,} stated, stored and delivered in {seconds:.0f} s"
    return [
        Figure(name=f"peak memory, {part}, {keys:,} keys", value=peak, unit="MiB", bare=idle, note=note_)
        for part, peak, idle in (("hub", hub, idle_hub), ("broker", broker, idle_broker))
    ]


def _peaks(keys: int) -> tuple[float, float, float]:
    """The highest resident memory of hub and broker in MiB, and how long it took."""
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        install(folder / "site")
        routes = folder / "routes.yaml"
        routes.write_text(ROUTES.format(port=port, keys=keys), "utf-8")
        with running([routes], port, [folder / "site"]) as process:
            hub = psutil.Process(process.pid)
            broker = next(child for child in hub.children(recursive=True) if "nats" in child.name())
            return asyncio.run(_watched(folder / "hub", keys, hub, broker))


def install(site: Path) -> None:
    """What an installed package leaves: its name and its entry points."""
    package = site / "bench-1.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: bench\nVersion: 1\n", "utf-8")
    (package / "entry_points.txt").write_text(ENTRY_POINTS, "utf-8")


async def _watched(folder: Path, keys: int, hub: psutil.Process, broker: psutil.Process) -> tuple[float, float, float]:
    peaks, begin = [0, 0], time.monotonic()
    async with connect(note.find(folder).broker) as bus:
        settled = False
        while not settled:
            if time.monotonic() > begin + DEADLINE_S:
                raise RuntimeError(f"{keys} keys aren't delivered after {DEADLINE_S:g} s")
            settled = await delivered(bus, keys)
            await asyncio.sleep(1.0 if settled else LOOK_AGAIN_S)
            peaks = [max(peak, each.memory_info().rss) for peak, each in zip(peaks, (hub, broker), strict=True)]
    return peaks[0] / 2**20, peaks[1] / 2**20, time.monotonic() - begin


async def delivered(bus: Bus, keys: int) -> bool:
    """Is everything stored, and acknowledged by delivery?"""
    stream = await bus.js.stream_info("MOM")
    consumer = await bus.js.consumer_info("MOM", "to-mes")
    return stream.state.messages >= keys and not consumer.num_pending and not consumer.num_ack_pending
