"""Durable handovers per second, journal on, against bare nats-py fetch and acknowledge in the same process.

    python bench/handovers.py [messages]

Also the latency of one handover (publish to effect) at a steady 500 messages/s.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from canonical.isa95.operations import MaterialActual, SegmentResponse
from canonical.message import Message
from canonical.quantity import Quantity
from connectors.connector import Absent, Accept, Effect, Level, Offer, Receipt
from mombus.bus.connection import connect
from mombus.bus.embedded import EmbeddedBroker
from mombus.bus.streams import Limits
from mombus.delivery.delivery import Delivery
from mombus.delivery.target import Rule, Target
from mombus.journal.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mombus.bus.connection import Bus

OBJECT = "production_response"
LANES = 2000
THEN = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)


def fact(number: int, order: int) -> Message:
    """One confirmation."""
    now = datetime.now(UTC)
    made = MaterialActual(id="1", material_use="Produced", quantity=Quantity(value=Decimal(1), unit_of_measure="H87"))
    body = SegmentResponse(id=f"R-{number}", operations_request_id=f"PO-{order}", material_actual=(made,))
    return Message.of(OBJECT, body, source="mes", site="lyon", occurred=now, recorded=now)


class Counter:
    """A target that only counts, and notes when each message took effect."""

    def __init__(self, accept: Accept, goal: int) -> None:
        self.accepts = {Offer(OBJECT): accept}
        self.taken = 0
        self.goal = goal
        self.reached = asyncio.Event()
        self.delays_s: list[float] = []

    async def connect(self) -> None:
        """Nothing to open."""

    async def write(self, messages: Sequence[Message]) -> list[Receipt]:
        """Count them."""
        now = datetime.now(UTC)
        self.taken += len(messages)
        if self.taken >= self.goal:
            self.reached.set()
        self.delays_s += [(now - message.recorded).total_seconds() for message in messages]
        return [Receipt(Level.POSTED)] * len(messages)

    async def find(self, _message: Message) -> Receipt | Absent:
        """Never asked here."""
        return Absent()


async def bare(bus: Bus, number: int) -> float:
    """Messages per second of fetch and acknowledge alone."""
    subscription = await bus.js.pull_subscribe("mom.lyon.>", durable="bare", stream="MOM")
    begin, taken = time.perf_counter(), 0
    while taken < number:
        messages = await subscription.fetch(500, timeout=5)
        for message in messages:
            await message.ack()
        taken += len(messages)
    return number / (time.perf_counter() - begin)


async def delivered(bus: Bus, folder: Path, number: int, accept: Accept, targets: int) -> float:
    """Handovers per second to each of `targets` targets, all of them together."""
    sinks = [Counter(accept, number) for _ in range(targets)]
    async with running(bus, folder, sinks, THEN):
        begin = time.perf_counter()
        await asyncio.gather(*(sink.reached.wait() for sink in sinks))
        return targets * number / (time.perf_counter() - begin)


class running:  # noqa: N801 - reads as a statement
    """Delivery to `sinks`, running."""

    def __init__(self, bus: Bus, folder: Path, sinks: Sequence[Counter], start: datetime | str) -> None:
        self._bus, self._folder, self._sinks, self._start = bus, folder, sinks, start

    async def __aenter__(self) -> None:
        self._journal = await Journal.open(f"sqlite:///{self._folder}/journal-{time.time_ns()}.db")
        rules = (Rule(object=OBJECT, start=self._start),)
        self._delivery = Delivery(
            js=self._bus.js, journal=self._journal, site="lyon", publish=self._bus.publish,
            targets=[Target(system=f"t{n}", sink=sink, rules=rules) for n, sink in enumerate(self._sinks)],
        )  # fmt: skip
        self._run = asyncio.create_task(self._delivery.run())

    async def __aexit__(self, *_exc: object) -> None:
        self._run.cancel()
        with suppress(asyncio.CancelledError):
            await self._run
        await self._delivery.close()
        await self._journal.close()


async def steady(bus: Bus, folder: Path, accept: Accept, rate: int = 500, seconds: float = 5.0) -> tuple[float, float]:
    """p50 and p99 in ms of one handover at a steady rate."""
    number = int(rate * seconds)
    sink = Counter(accept, number)
    async with running(bus, folder, [sink], "now"):
        await asyncio.sleep(0.5)
        begin = time.perf_counter()
        publishing: set[asyncio.Task[object]] = set()
        for n in range(number):
            await asyncio.sleep(max(0.0, begin + n / rate - time.perf_counter()))
            publishing.add(asyncio.create_task(bus.publish(fact(10_000_000 + time.time_ns(), n % LANES))))
        await asyncio.gather(*publishing)
        await sink.reached.wait()
    delays = sorted(sink.delays_s)
    return delays[len(delays) // 2] * 1000, delays[int(len(delays) * 0.99)] * 1000


async def main(number: int) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with EmbeddedBroker(folder / "broker") as broker, connect(broker.url, limits=Limits()) as bus:
            for start in range(0, number, 1000):
                await bus.publish_batch([fact(n, n % LANES) for n in range(start, min(number, start + 1000))])
            base = await bare(bus, number)
            print(f"bare fetch and ack        {base:8.0f} /s")
            idempotent = Accept(Effect.IDEMPOTENT, batch=500, concurrency=2)
            findable = Accept(Effect.FINDABLE, batch=100, concurrency=4)
            for label, accept in (("idempotent", idempotent), ("findable", findable)):
                for targets in (1, 3):
                    rate = await delivered(bus, folder, number, accept, targets)
                    print(f"{label:10} {targets} target(s)   {rate:8.0f} /s   {rate / base:.2f} of bare")
            for label, accept in (("idempotent", idempotent), ("findable", findable)):
                p50, p99 = await steady(bus, folder, accept)
                print(f"{label:10} at 500/s, publish to effect: p50 {p50:.1f} ms, p99 {p99:.1f} ms")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000))
