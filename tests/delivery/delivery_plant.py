"""What the delivery tests deliver to: sinks whose effects are rows of a file, so that every one can be counted."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from patience import PATIENCE_S, until

from canonical.isa95.operations import MaterialActual, OperationsRequest, SegmentRequirement, SegmentResponse
from canonical.message import Message, Verb
from canonical.quantity import Quantity
from connectors.connector import Absent, Accept, ConnectorError, Effect, Level, NotConnected, Offer, Receipt, Rejected
from mombus.delivery.delivery import Delivery
from mombus.delivery.target import Condition, Hop, Patience, Rule, State, Target
from mombus.delivery.verdict import Stop
from mombus.journal.journal import Journal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

QUICK = Patience(first_s=0.02, most_s=0.1, attempts=4, idle_s=0.1, ack_wait_s=5.0)
CALM_S = 0.2
"""What these targets take, they take at once: waiting for it longer would only cost time."""
ORDER = Offer("production_order")
FACT = Offer("production_response")
NOW = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)


def order(key: str = "PO-1", revision: int = 1, **more: object) -> Message:
    more = {"source": "erp", "site": "lyon", "occurred": NOW, "recorded": datetime.now(UTC), **more}
    body = OperationsRequest(
        id=key,
        operations_type="Production",
        description=f"revision {revision}",
        segment_requirement=(SegmentRequirement(id="10"),),
    )
    return Message.of("production_order", body, revision=revision, **more)


def fact(id: str, order_id: str = "PO-1", good: int = 1, **more: object) -> Message:
    more = {"source": "line", "site": "lyon", "occurred": NOW, "recorded": datetime.now(UTC), **more}
    made = MaterialActual(
        id="1", material_use="Produced", quantity=Quantity(value=Decimal(good), unit_of_measure="H87")
    )
    body = SegmentResponse(id=id, operations_request_id=order_id, material_actual=(made,))
    return Message.of("production_response", body, **more)


class Ledger:
    """A target's books: one row per effect, kept in a file that outlives the process."""

    def __init__(self, path: Path | str) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, timeout=20)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS effects(n INTEGER PRIMARY KEY, id TEXT, object TEXT, key TEXT, "
            "revision INTEGER, lane TEXT, content BLOB, document TEXT)"
        )

    def add(self, message: Message) -> None:
        self._db.execute(
            "INSERT INTO effects(id, object, key, revision, lane, content, document) VALUES (?,?,?,?,?,?,?)",
            (
                message.id,
                message.object,
                message.key,
                message.revision,
                message.lanes[0],
                message.content,
                message.document,
            ),
        )

    def has(self, message_id: str) -> bool:
        return self._db.execute("SELECT 1 FROM effects WHERE id=?", (message_id,)).fetchone() is not None

    def got(self) -> list[str]:
        return [row[0] for row in self._db.execute("SELECT key FROM effects ORDER BY n")]

    def rows(self, columns: str = "key, revision") -> list[tuple]:
        return self._db.execute(f"SELECT {columns} FROM effects ORDER BY n").fetchall()  # noqa: S608


class Sink:
    """A target. `trouble(message, attempt)` may return an error (`after=True` on it: the effect happened anyway)."""

    def __init__(self, ledger: Ledger, accepts: dict[Offer, Accept] | None = None) -> None:
        self.ledger = ledger
        self.accepts = accepts or {ORDER: Accept(Effect.FINDABLE), FACT: Accept(Effect.FINDABLE)}
        self.trouble: Callable[[Message, int], BaseException | None] = lambda _message, _attempt: None
        self.level = Level.POSTED
        self.delay_s = 0.0
        self.free = asyncio.Event()
        """What is being written waits while this isn't set."""
        self.free.set()
        self.open = self.most_open = self.connects = 0
        self.up = True
        self.tries: dict[str, int] = {}
        self.written = asyncio.Event()
        self.batches: list[int] = []
        self.finds: list[str] = []
        self.refused: dict[str, str] = {}
        """Keys of what it took and refused later, with the reason."""
        self.forgotten: set[str] = set()
        """Keys of what it took and doesn't know any more."""

    async def connect(self) -> None:
        self.connects += 1
        if not self.up:
            raise NotConnected("nobody answers")

    async def write(self, messages: Sequence[Message]) -> list[Receipt | ConnectorError]:
        if not self.up:
            raise NotConnected("nobody answers")
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        self.batches.append(len(messages))
        try:
            await self.free.wait()
            await asyncio.sleep(self.delay_s)
            return [self._one(message) for message in messages]
        finally:
            self.open -= 1

    def _one(self, message: Message) -> Receipt | ConnectorError:
        self.tries[message.id] = self.tries.get(message.id, 0) + 1
        error = self.trouble(message, self.tries[message.id])
        effect = self.accepts[Offer(message.object, message.verb)].effect
        if error is None or getattr(error, "after", False):
            if effect is not Effect.IDEMPOTENT or not self.ledger.has(message.id):
                self.ledger.add(message)
            self.written.set()
        if error is not None and not isinstance(error, ConnectorError):
            raise error
        return error or Receipt(self.level, f"DOC-{message.key}")

    async def find(self, message: Message) -> Receipt | Absent:
        self.finds.append(message.id)
        if not self.up:
            raise NotConnected("nobody answers")
        if message.key in self.refused:
            raise Rejected(self.refused[message.key])
        if message.key in self.forgotten:
            return Absent()
        return Receipt(self.level, f"DOC-{message.key}") if self.ledger.has(message.id) else Absent()


def after(error: BaseException) -> BaseException:
    error.after = True
    return error


class Hub:
    """A running Delivery and what it told."""

    def __init__(self, delivery: Delivery) -> None:
        self.delivery = delivery
        self.hops: list[Hop] = []
        self._news = asyncio.Event()

    def observe(self, hop: Hop) -> None:
        self.hops.append(hop)
        self._news.set()

    def states(self, key: str, target: str = "mes") -> list[State]:
        return [hop.state for hop in self.hops if hop.key == key and hop.target == target]

    async def until(self, holds: Callable[[], bool], timeout_s: float = PATIENCE_S) -> None:
        async with asyncio.timeout(timeout_s):
            while not holds():
                self._news.clear()
                await self._news.wait()

    async def until_state(self, key: str, state: State, target: str = "mes", times: int = 1) -> None:
        await self.until(lambda: self.states(key, target).count(state) >= times)

    async def until_condition(self, condition: Condition, target: str = "mes") -> None:
        async def reached() -> bool:
            return (await self.status(target)).condition is condition

        await until(reached)

    async def halt(self, reason: str, inbox: str = "mes") -> None:
        """Have the target refuse to let us in: nothing is written until `resume`."""
        standing = self.delivery._inboxes[inbox].standing
        standing.stop(Stop(reason, person=True))
        await until(lambda: standing.condition is Condition.HALTED)

    async def status(self, target: str = "mes"):
        return next(status for status in await self.delivery.status() if status.target == target)


@asynccontextmanager
async def hub(
    bus, journal_path: Path | str, *targets: Target, patience: Patience = QUICK, **more
) -> AsyncIterator[Hub]:
    journal = await Journal.open(f"sqlite:///{journal_path}")
    running = Hub(None)  # type: ignore[arg-type]
    more.setdefault("publish", bus.publish)
    running.delivery = Delivery(
        js=bus.js, journal=journal, site="lyon", targets=targets, observe=running.observe, patience=patience, **more
    )
    run = asyncio.create_task(running.delivery.run())
    try:
        await until_running(running, run)
        yield running
    finally:
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)
        await running.delivery.close()
        await journal.close()


async def until_running(running: Hub, run: asyncio.Task) -> None:
    async def started() -> bool:
        if run.done():
            run.result()
        return all(status.condition is not Condition.STARTING for status in await running.delivery.status())

    await until(started)


async def letters(bus, number: int) -> bool:
    """True once that many dead letters are stored."""
    return (await bus.js.stream_info("DEAD")).state.messages >= number


def mes(sink: Sink, *rules: Rule, **more) -> Target:
    rules = rules or (Rule(object="production_order"), Rule(object="production_response"))
    more.setdefault("calm_s", CALM_S)
    return Target(system="mes", sink=sink, rules=rules, **more)


def target(system: str, sink: Sink, **more) -> Target:
    more.setdefault("rules", (Rule(object="production_order"), Rule(object="production_response")))
    more.setdefault("calm_s", CALM_S)
    return Target(system=system, sink=sink, **more)


def ask(key: str = "MR-1", verb: Verb = Verb.PROCESS, **more: object) -> Message:
    more = {"source": "mes", "site": "lyon", "occurred": NOW, "recorded": datetime.now(UTC), **more}
    body = OperationsRequest(id=key, operations_type="Maintenance", segment_requirement=(SegmentRequirement(id="10"),))
    return Message.of("maintenance_request", body, verb=verb, revision=0, **more)
