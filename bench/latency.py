"""How long a handover takes at a steady 500 messages/s: from when a message is published to when its target's write is
called, so over the target's own time.

Bare is the same with nats-py's fetch in place of delivery. The publisher runs in the same process, as the hub's intake
does, and the broker fsyncs each message. The first second of each round warms up; delays of all rounds count together.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from nats.js.api import ConsumerConfig, DeliverPolicy

from bench.figure import Aim, Figure
from bench.stream import FINDABLE, IDEMPOTENT, SUBJECT, Sink, broker, confirmation, delivery
from canonical.wire import MESSAGE_ID

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from nats.js import JetStreamContext

    from canonical.message import Message
    from connectors.connector import Accept
    from mombus.bus.connection import Bus

RATE = 500
AIM = Aim("value", "most", 10)


class Delays:
    """When each message was published, and how long after that it came. Those of the first second don't count."""

    def __init__(self) -> None:
        self._published: dict[str, float] = {}
        self._begin = 0.0
        self._left = 0
        self.ms: list[float] = []
        self.complete = asyncio.Event()

    def expect(self, number: int) -> None:
        """Another round of so many begins."""
        self._begin, self._left = time.perf_counter(), number
        self.complete.clear()

    def published(self, message_id: str) -> None:
        """It is about to be published."""
        self._published[message_id] = time.perf_counter()

    def came(self, message_id: str) -> None:
        """It is there."""
        published = self._published.pop(message_id)
        self._left -= 1
        if not self._left:
            self.complete.set()
        if published >= self._begin + 1:
            self.ms.append((time.perf_counter() - published) * 1000)

    def at(self, share: float) -> float:
        """The delay that this share of the messages keeps."""
        return sorted(self.ms)[int(share * len(self.ms))]


def run(quick: bool) -> list[Figure]:
    """Milliseconds that half and 99 % of the handovers keep, beside those of the bare fetch."""
    return asyncio.run(_run(seconds=3 if quick else 6, rounds=1 if quick else 3))


async def _run(seconds: int, rounds: int) -> list[Figure]:
    bare, idempotent, findable = Delays(), Delays(), Delays()
    async with broker() as (bus, folder):
        for _ in range(rounds):
            await _steady(bus, _fetching(bus, bare), bare, seconds)
            await _steady(bus, _delivering(bus, folder, IDEMPOTENT, idempotent), idempotent, seconds)
            await _steady(bus, _delivering(bus, folder, FINDABLE, findable), findable, seconds)
    note = f"{RATE}/s, {len(idempotent.ms)} messages"
    return [
        Figure(
            name=f"handover latency p{share * 100:.0f}, {name}", value=delays.at(share), unit="ms", bare=bare.at(share),
            aim=AIM if share == 0.99 else None, note=note,
        )
        for name, delays in (("idempotent", idempotent), ("findable", findable))
        for share in (0.5, 0.99)
    ]  # fmt: skip


async def _steady(bus: Bus, reading: AbstractAsyncContextManager[None], delays: Delays, seconds: int) -> None:
    """Publish at the rate while `reading` reads, and wait until all of it has come."""
    publishing: set[asyncio.Task[None]] = set()
    async with reading:
        delays.expect(RATE * seconds)
        begin = time.perf_counter()
        for n in range(RATE * seconds):
            await asyncio.sleep(max(0.0, begin + n / RATE - time.perf_counter()))
            publishing.add(asyncio.create_task(_publish(bus, confirmation(time.time_ns()), delays)))
        await asyncio.gather(*publishing)
        await asyncio.wait_for(delays.complete.wait(), 30)


async def _publish(bus: Bus, message: Message, delays: Delays) -> None:
    delays.published(message.id)
    await bus.publish(message)


@asynccontextmanager
async def _delivering(bus: Bus, folder: Path, accept: Accept, delays: Delays) -> AsyncIterator[None]:
    def written(messages: Sequence[Message]) -> None:
        for message in messages:
            delays.came(message.id)

    async with delivery(bus, folder, [Sink(accept, written)], start="now"):
        await asyncio.sleep(0.5)
        yield


@asynccontextmanager
async def _fetching(bus: Bus, delays: Delays) -> AsyncIterator[None]:
    name = f"bare-{time.time_ns()}"
    start = ConsumerConfig(deliver_policy=DeliverPolicy.NEW)
    subscription = await bus.js.pull_subscribe(SUBJECT, durable=name, stream="MOM", config=start)
    task = asyncio.create_task(_fetch(subscription, delays))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await subscription.unsubscribe()
        await bus.js.delete_consumer("MOM", name)


async def _fetch(subscription: JetStreamContext.PullSubscription, delays: Delays) -> None:
    while True:
        try:
            messages = await subscription.fetch(500, timeout=2)
        except TimeoutError:
            continue
        for message in messages:
            delays.came((message.headers or {})[MESSAGE_ID])
            await message.ack()
