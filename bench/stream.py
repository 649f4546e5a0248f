"""What handovers and latency share: a broker with messages in it, sinks that only note, delivery around them."""

from __future__ import annotations

import asyncio
import tempfile
import time
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Literal, NamedTuple

from canonical.isa95.operations import MaterialActual, SegmentResponse
from canonical.message import Message
from canonical.quantity import Quantity
from connectors.connector import Absent, Accept, Effect, Level, Offer, Receipt
from connectors.exchange import about, calling
from mombus.bus.connection import connect
from mombus.bus.embedded import EmbeddedBroker
from mombus.bus.streams import Limits
from mombus.delivery.delivery import Delivery
from mombus.delivery.target import Rule, Target
from mombus.hub.overhearing import Overhearing
from mombus.journal.exchanges import exchanges_metadata
from mombus.journal.journal import Journal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence

    from mombus.bus.connection import Bus
    from mombus.delivery.target import Observe, Overhear

OBJECT = "production_response"
SUBJECT = "mom.lyon.>"
LANES = 2000
"""Orders that the messages are about: so many lanes, of which each keeps its order."""
IDEMPOTENT = Accept(Effect.IDEMPOTENT, batch=500, concurrency=2)
FINDABLE = Accept(Effect.FINDABLE, batch=100, concurrency=4)
"""The journal has an intent of each message on disk before it is written, its outcome after."""


def confirmation(number: int) -> Message:
    """One confirmation of one of the orders."""
    now = datetime.now(UTC)
    made = MaterialActual(id="1", material_use="Produced", quantity=Quantity(value=Decimal(1), unit_of_measure="H87"))
    body = SegmentResponse(id=f"R-{number}", operations_request_id=f"PO-{number % LANES}", material_actual=(made,))
    return Message.of(OBJECT, body, source="mes", site="lyon", occurred=now, recorded=now)


class Sink:
    """A target that takes everything at once; `written` is told of each write."""

    def __init__(self, accept: Accept, written: Callable[[Sequence[Message]], None] = lambda _: None) -> None:
        self.accepts: Mapping[Offer, Accept] = {Offer(OBJECT): accept}
        self._written = written

    async def connect(self) -> None:
        """Nothing to open."""

    async def write(self, messages: Sequence[Message]) -> list[Receipt]:
        """Take them."""
        self._written(messages)
        return [Receipt(Level.POSTED)] * len(messages)

    async def find(self, _message: Message) -> Receipt | Absent:
        """Never asked here."""
        return Absent()


class NotingSink(Sink):
    """One that notes a call for each message, as a connector does."""

    async def write(self, messages: Sequence[Message]) -> list[Receipt]:
        """Take them."""
        for message in messages:
            with about(message.id), calling("POST http://target/entries", message.content) as call:
                call.answered(b'{"document": "4500001"}', status="201", media_type="application/json")
        return await super().write(messages)


@asynccontextmanager
async def kept_exchanges(folder: Path) -> AsyncIterator[Overhear]:
    """Where exchanges are kept, as the hub does it."""
    store = await Journal.open(f"sqlite:///{folder / f'exchanges-{time.time_ns()}.sqlite'}", schema=exchanges_metadata)
    overhearing = Overhearing(store, age=timedelta(days=7), most_bytes=256 * 1024**2)
    task = asyncio.create_task(overhearing.run())
    try:
        yield overhearing.hear
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await overhearing.close()
        await store.close()


class Rate(NamedTuple):
    """How many per second: of this process's processor time, which others on the machine don't change; by the clock."""

    of_processor: float
    by_clock: float


class Tally:
    """Counts up to a goal. The first tenth warms up; `rate` is what the rest came at."""

    def __init__(self, goal: int) -> None:
        self.reached = asyncio.Event()
        self._goal = goal
        self._count = self._warm = 0
        self._begin = self._end = (0.0, 0.0)

    def add(self, number: int = 1) -> None:
        """So many more."""
        self._count += number
        if not self._warm and self._count >= self._goal // 10:
            self._warm, self._begin = self._count, _times()
        if self._count >= self._goal and not self.reached.is_set():
            self._end = _times()
            self.reached.set()

    @property
    def rate(self) -> Rate:
        """Once the goal is reached."""
        processor, clock = (end - begin for begin, end in zip(self._begin, self._end, strict=True))
        return Rate((self._goal - self._warm) / processor, (self._goal - self._warm) / clock)


def _times() -> tuple[float, float]:
    return time.process_time(), time.perf_counter()


def middle(rates: Iterable[Rate]) -> Rate:
    """The medians."""
    processor, clock = zip(*rates, strict=True)
    return Rate(median(processor), median(clock))


@asynccontextmanager
async def broker() -> AsyncIterator[tuple[Bus, Path]]:
    """An embedded broker that fsyncs each message before it confirms it, and a folder for journals."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with EmbeddedBroker(folder / "broker") as embedded, connect(embedded.url, limits=Limits()) as bus:
            yield bus, folder


@asynccontextmanager
async def delivery(
    bus: Bus,
    folder: Path,
    sinks: Sequence[Sink],
    *,
    start: datetime | Literal["now"],
    observe: Observe = lambda _: None,
    overhear: Overhear | None = None,
) -> AsyncIterator[None]:
    """Delivery to `sinks` with a journal of its own, running."""
    journal = await Journal.open(f"sqlite:///{folder / f'journal-{time.time_ns()}.sqlite'}")
    rules = (Rule(object=OBJECT, start=start),)
    targets = [Target(system=f"t{at}", sink=sink, rules=rules) for at, sink in enumerate(sinks)]
    running = Delivery(
        js=bus.js, journal=journal, site="lyon", targets=targets, publish=bus.publish, observe=observe,
        overhear=overhear,
    )  # fmt: skip
    task = asyncio.create_task(running.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await running.close()
        await journal.close()
