"""Durable handovers per second, journal on, against bare nats-py: fetch and acknowledge in the same process.

A handover counts when its outcome is committed to the journal. Bare and bus read the same messages from the same
broker, by as many consumers, in turns; of each run the first tenth warms up, and the median of the rounds counts.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from itertools import count
from statistics import median
from typing import TYPE_CHECKING

from bench.figure import Aim, Figure
from bench.stream import FINDABLE, IDEMPOTENT, SUBJECT, Sink, Tally, broker, confirmation, delivery
from mombus.delivery.target import Hop, State

if TYPE_CHECKING:
    from pathlib import Path

    from connectors.connector import Accept
    from mombus.bus.connection import Bus

AIM = Aim("ratio", "least", 0.5)
LONG_AGO = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
_names = count()


def run(quick: bool) -> list[Figure]:
    """Handovers per second to 1 and 3 targets, all targets together."""
    return asyncio.run(_run(number=4000 if quick else 10_000, rounds=1 if quick else 3))


async def _run(number: int, rounds: int) -> list[Figure]:
    rates: dict[tuple[str, int], list[float]] = {}
    async with broker() as (bus, folder):
        for start in range(0, number, 1000):
            await bus.publish_batch([confirmation(n) for n in range(start, start + 1000)])
        for _ in range(rounds):
            for targets in (1, 3):
                rates.setdefault(("bare", targets), []).append(await _bare(bus, number, targets))
                for name, accept in (("idempotent", IDEMPOTENT), ("findable", FINDABLE)):
                    rate = await _delivered(bus, folder, number, accept, targets)
                    rates.setdefault((name, targets), []).append(rate)
    note = f"{number:,} messages, median of {rounds}"
    return [
        Figure(
            name=f"durable handovers, {targets} {name} target{'s' * (targets > 1)}", value=median(each), unit="/s",
            bare=median(rates["bare", targets]), aim=AIM, note=note,
        )
        for (name, targets), each in rates.items()
        if name != "bare"
    ]  # fmt: skip


async def _bare(bus: Bus, number: int, consumers: int) -> float:
    tally = Tally(number * consumers)
    await asyncio.gather(*(_fetch(bus, number, tally) for _ in range(consumers)))
    return tally.rate


async def _fetch(bus: Bus, number: int, tally: Tally) -> None:
    name = f"bare-{next(_names)}"
    subscription = await bus.js.pull_subscribe(SUBJECT, durable=name, stream="MOM")
    taken = 0
    while taken < number:
        messages = await subscription.fetch(500, timeout=5)
        for message in messages:
            await message.ack()
        taken += len(messages)
        tally.add(len(messages))
    await subscription.unsubscribe()
    await bus.js.delete_consumer("MOM", name)


async def _delivered(bus: Bus, folder: Path, number: int, accept: Accept, targets: int) -> float:
    tally = Tally(number * targets)

    def observe(hop: Hop) -> None:
        if hop.state is State.DELIVERED:
            tally.add()

    async with delivery(bus, folder, [Sink(accept) for _ in range(targets)], start=LONG_AGO, observe=observe):
        await tally.reached.wait()
    return tally.rate
