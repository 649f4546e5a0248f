"""A machine whose one signal counts up, and what of its numbers is on the bus: readings in order, gaps beside them."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import httpx
import nats
from nats.js.api import AckPolicy, ConsumerConfig
from nats.js.errors import NotFoundError
from patience import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BENCH = "urn:acme:bench"
SIGNALS = """
namespace: urn:acme:bench
equipment:
  FILLER1:
    path: /Objects/Bench
    signals:
      - {signal: number, node: Number, object: process_value, unit: MLT, queue_size: 5000, sampling_interval_ms: 0}
"""
EQUIPMENT = "id,parent,level\nLYON,,Site\nLINE1,LYON,ProductionLine\nFILLER1,LINE1,WorkUnit\n"
PLANT = {"enterprise": "acme", "site": "lyon", "timezone": "Europe/Paris", "equipment": "equipment.csv"}


def describe(folder: Path) -> None:
    """Write the files that the hub's configuration names: the signals and the equipment."""
    (folder / "signals.yaml").write_text(SIGNALS)
    (folder / "equipment.csv").write_text(EQUIPMENT)


async def stored(url: str) -> tuple[list[int], list[dict[str, Any]]]:
    """Every number on the bus in its order, and the gaps."""
    client = await nats.connect(url)
    try:
        js = client.jetstream()
        readings = [json.loads(data) for data in await everything(js, "SIGNALS", "sig.lyon.process_value.>")]
        gaps = [json.loads(data) for data in await everything(js, "MOM", "mom.lyon.gap.>")]
    finally:
        await client.close()
    return [int(float(one["value"])) for body in readings for one in body["reading"]], gaps


async def everything(js: Any, stream: str, subject: str) -> list[bytes]:
    subscription = await js.pull_subscribe(subject, stream=stream, config=ConsumerConfig(ack_policy=AckPolicy.NONE))
    left = (await subscription.consumer_info()).num_pending or 0
    found: list[bytes] = []
    while len(found) < left:
        found += [message.data for message in await subscription.fetch(min(500, left - len(found)), timeout=30)]
    return found


async def seen(url: str, wanted: Callable[[Any], Any]) -> Any:
    """The status once it is as wanted."""
    async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S) as http, asyncio.timeout(PATIENCE_S):
        while True:
            status = (await http.get(f"{url}/api/status")).json()
            if wanted(status):
                return status
            await asyncio.sleep(0.1)


async def heard(url: str, *systems: str) -> None:
    """Return once the hub listens to these: from then on a broker keeps for it what it doesn't hear."""

    def listens(status: Any) -> bool:
        return all(row["health"] == "ok" for row in status["systems"] if row["name"] in systems)

    await seen(url, listens)


async def numbered(url: str, last: int) -> None:
    """Return once that number is on the bus."""
    client = await nats.connect(url)
    try:
        async with asyncio.timeout(PATIENCE_S):
            while last > await _newest(client.jetstream()):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.2)
    finally:
        await client.close()


async def _newest(js: Any) -> int:
    with suppress(NotFoundError):
        stored = await js.get_last_msg("SIGNALS", "sig.lyon.process_value.>")
        return int(float(json.loads(stored.data)["reading"][-1]["value"]))
    return 0
