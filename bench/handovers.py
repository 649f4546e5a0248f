"""Durable handovers per second, journal on, against bare nats-py: fetch and acknowledge in the same process.

A noting target tells each call, as connectors do, and what it tells is kept as the hub keeps it.

A handover counts when its outcome is committed to the journal. Bare and bus read the same messages from the same
broker, by as many consumers, in turns; of each run the first tenth warms up, and the median of the rounds counts.
Judged by processor time, so that what else the machine does is in neither; how it was by the clock is in the notes.
"""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING

from bench.figure import Aim, Figure, amount
from bench.stream import (
    FINDABLE,
    IDEMPOTENT,
    SUBJECT,
    NotingSink,
    Rate,
    Sink,
    Tally,
    broker,
    confirmation,
    delivery,
    kept_exchanges,
    middle,
)
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
    rates: dict[tuple[str, int], list[Rate]] = {}
    async with broker() as (bus, folder):
        for start in range(0, number, 1000):
            await bus.publish_batch([confirmation(n) for n in range(start, start + 1000)])
        for _ in range(rounds):
            for targets in (1, 3):
                rates.setdefault(("bare", targets), []).append(await _bare(bus, number, targets))
                for name, accept in (("idempotent", IDEMPOTENT), ("findable", FINDABLE)):
                    rate = await _delivered(bus, folder, number, accept, targets)
                    rates.setdefault((name, targets), []).append(rate)
            rate = await _delivered(bus, folder, number, FINDABLE, 3, keep=True)
            rates.setdefault(("findable and noting", 3), []).append(rate)
    return [
        _figure(name, targets, middle(each), middle(rates["bare", targets]), f"{number:,} messages, median of {rounds}")
        for (name, targets), each in rates.items()
        if name != "bare"
    ]


def _figure(name: str, targets: int, rate: Rate, bare: Rate, note: str) -> Figure:
    return Figure(
        name=f"durable handovers, {targets} {name} target{'s' * (targets > 1)}", value=rate.of_processor, unit="/s",
        bare=bare.of_processor, aim=AIM,
        note=f"{note}; by the clock {amount(rate.by_clock)}/s, bare {amount(bare.by_clock)}/s, "
        f"ratio {rate.by_clock / bare.by_clock:.2f}",
    )  # fmt: skip


async def _bare(bus: Bus, number: int, consumers: int) -> Rate:
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


async def _delivered(  # noqa: PLR0917 - one run
    bus: Bus, folder: Path, number: int, accept: Accept, targets: int, keep: bool = False
) -> Rate:
    tally = Tally(number * targets)

    def observe(hop: Hop) -> None:
        if hop.state is State.DELIVERED:
            tally.add()

    kind = NotingSink if keep else Sink
    async with (
        kept_exchanges(folder) if keep else nullcontext() as overhear,
        delivery(
            bus, folder, [kind(accept) for _ in range(targets)], start=LONG_AGO, observe=observe, overhear=overhear
        ),
    ):
        await tally.reached.wait()
    return tally.rate
