"""The broker is away for long: what can't wait is kept on disk up to its limit, then counted; memory stays."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

from broker_process import BrokerProcess
from factory import running
from numbers_of_a_machine import PLANT, numbered, seen, stored
from proof import Part, Proof
from test_flood import memory_mb
from test_spooled_signals import machine

if TYPE_CHECKING:
    from pathlib import Path

SPOOL_KB = 20
GROWS_MB = 16.0


async def test_a_broker_away_for_long_costs_a_bounded_spool_and_gaps(tmp_path: Path, proof: Proof) -> None:
    away_s = 120.0 if proof.full else 3.0
    broker = BrokerProcess(tmp_path / "broker")
    await broker.start()
    async with machine(tmp_path) as (url, counting):
        systems = {
            "line1": {"connector": "plc.opcua", "url": url, "signals": "signals.yaml", "spool": f"{SPOOL_KB} KB",
                      "publishing_interval_ms": 100, "flush_ms": 50},
        }  # fmt: skip
        bus = {"folder": str(tmp_path / "hub"), "broker": broker.url}
        async with running(
            tmp_path, {}, plant=PLANT, bus=bus, systems=systems, objects={"process_value": {"owner": "line1"}},
            routes=[],
        ) as hub:  # fmt: skip
            await seen(hub.url, lambda status: status["systems"][0]["last_data"])
            await broker.kill()
            await seen(hub.url, lambda status: "values lost since" in str(status["trouble"]))
            samples = await memory_mb(hub, away_s)
            await broker.start()
            await seen(hub.url, lambda status: "wait on disk" not in str(status["trouble"]))
            counting.stands = True
            await asyncio.sleep(0.1)
            last = counting.number
            await numbered(broker.url, last)
            numbers, gaps = await stored(broker.url)
    await broker.kill()
    missing = sum(two - one - 1 for one, two in pairwise(numbers) if two > one + 1)
    told = sum(gap["lost"] for gap in gaps)
    assert missing == told > 0, (missing, gaps)
    third = len(samples) // 3
    before, after = median(samples[:third]), median(samples[-third:])
    assert after < before + GROWS_MB, samples
    proof(
        Part.BROKER, fault=f"SIGKILL, started again {away_s:.0f} s after a machine's spool of {SPOOL_KB} KB was full",
        load="30 values a second", expected="kept on disk in order up to the limit, then counted by gaps; memory flat",
        seen=f"{len(numbers)} of {last} values on the bus, {missing} missing, {len(gaps)} gaps say {told}; the hub's "
        f"memory {before:.0f} MB in the first third, {after:.0f} MB in the last",
    )  # fmt: skip
