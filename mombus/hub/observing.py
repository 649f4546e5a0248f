"""What follows from what is seen: counters, learned numbers, and a second look at what waited for something."""

from __future__ import annotations

import asyncio
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

import structlog

from canonical.message import Action
from canonical.objects import CATALOGUE, Kind, data_object, id_of
from mombus.delivery.target import State
from mombus.hub.message_log import log_hop, log_stored
from mombus.index.flows import Flow, Flows
from mombus.index.rhythm import Rhythm
from mombus.index.traffic import last_times
from mombus.journal.aliases import Numbered
from mombus.journal.standing import last_ended
from mombus.web.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from canonical.message import Message
    from mombus.bus.intake import Intake
    from mombus.config.model import Config
    from mombus.delivery.delivery import Delivery
    from mombus.delivery.target import Hop
    from mombus.index.outcomes import Outcomes
    from mombus.journal.journal import Journal
    from mombus.ownership.aliases import Aliases
    from mombus.tracing.tracing import Tracing

QUEUE = 10_000
ENDS = frozenset({State.DELIVERED, State.SUPERSEDED, State.REJECTED, State.SKIPPED})
LAST_TIMES = 5000
"""Messages of each system that tell its rhythm when a hub begins."""
LAST_ENDED = 1000
"""Outcomes at each target that tell, when a hub begins, how its routes went last."""
AT_ONCE = 500
"""How much that follows is done together: numbers are learned in one commit."""

log = structlog.get_logger()


class Observing:
    """Is told of everything that is stored and of every hop; never makes delivery wait."""

    def __init__(
        self, *, aliases: Aliases, intake: Intake, outcomes: Outcomes, on_hop: Callable[[Hop], None] | None
    ) -> None:
        self.flows = Flows()
        self.metrics = Metrics(intake.counts)
        self.delivery: Delivery | None = None
        self.tracing: Tracing | None = None
        self.is_first: Callable[[], bool] = lambda: True
        """Of several hubs, which all see what is stored, whether this one tells of it."""
        self._aliases = aliases
        self._intake = intake
        self._outcomes = outcomes
        self._on_hop = on_hop
        self._work: asyncio.Queue[Numbered | tuple[str, str]] = asyncio.Queue(QUEUE)
        """Numbers to learn, and what was stated: (object, id)."""
        self._behind = False

    async def remember(self, index: Journal, journal: Journal, config: Config) -> None:
        """From before the hub began: when systems said something, and how the last ones ended by each route."""
        for system in config.systems:
            times = await index.survey(partial(last_times, source=system, most=LAST_TIMES))
            self.flows.said.setdefault(system, Rhythm(times))
        for target in sorted({target for route in config.routes for target in route.to}):
            ended = await journal.survey(partial(last_ended, target=target, most=LAST_ENDED), patiently=True)
            for route in config.routes:
                if target in route.to and (last := ended.get(route.object)) is not None:
                    flow = Flow(last=last.at, state=last.outcome, reason=last.reason)
                    self.flows.outgoing.setdefault((route.object, target), flow)

    def stored(self, message: Message, at: datetime) -> None:
        """A message was stored on the bus."""
        self.flows.seen(message, at)
        log_stored(message, at)
        if self.tracing is not None and self.is_first():
            self.tracing.stored(message, at)
        if message.object == "gap":
            self.metrics.gaps.labels(message.source).inc()
        if message.row.kind is Kind.STATE and message.verb.states and message.action is not Action.DELETE:
            self._later((message.object, id_of(message.key)))

    def hop(self, hop: Hop) -> None:
        """Something happened to a message at a target."""
        if self._on_hop is not None:
            self._on_hop(hop)
        if self.tracing is not None:
            self.tracing.hop(hop)
        if not hop.message_id:
            return
        log_hop(hop)
        if hop.state in ENDS:
            self._outcomes.ended(hop.target, hop.at)
        self.metrics.handovers.labels(hop.target, hop.object, hop.state).inc()
        if hop.state is not State.FILTERED:
            self.flows.arrived(
                hop.message_id, hop.object, hop.target, state=hop.state, at=hop.at, reason=hop.reason or None
            )
        if hop.state is State.DELIVERED and hop.delay_s is not None:
            self.metrics.delay.labels(hop.target, hop.object).observe(hop.delay_s)
        if hop.document:
            self._later(Numbered(hop.target, hop.object, hop.key, hop.document, hop.at))

    async def caught_up(self) -> None:
        """Return once everything that follows from what was seen until now is done."""
        await self._work.join()

    async def run(self) -> None:
        """Do what follows, and count the signals, for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow())
            tasks.create_task(self._count_signals())

    async def _count_signals(self) -> None:
        """Signals aren't indexed: their flows come from the intake's counts."""
        before: dict[tuple[str, str], int] = {}
        while True:
            await asyncio.sleep(1.0)
            for (system, name, what), count in list(self._intake.counts.items()):
                if what == "published" and name in CATALOGUE and data_object(name).kind is Kind.SIGNAL:
                    self.flows.counted(name, system, count - before.get((name, system), 0))
                    before[name, system] = count

    async def _follow(self) -> None:
        while True:
            if self._work.empty():
                self._behind = False
            work = [await self._work.get()]
            while len(work) < AT_ONCE and not self._work.empty():
                work.append(self._work.get_nowait())
            try:
                await self._learn([what for what in work if isinstance(what, Numbered)])
                await self._arrived([what for what in work if not isinstance(what, Numbered)])
            except Exception:
                log.exception("what follows from a message failed")
            finally:
                for _ in work:
                    self._work.task_done()

    def _later(self, what: Numbered | tuple[str, str]) -> None:
        """Do what follows soon. It holds no body: many may be queued."""
        try:
            self._work.put_nowait(what)
        except asyncio.QueueFull:
            if not self._behind:
                log.warning("too much follows at once: what waits is looked at again at its own time")
            self._behind = True

    async def _arrived(self, stated: Sequence[tuple[str, str]]) -> None:
        """What waits for these things to be stated is looked at again."""
        for thing in stated:
            if self.delivery is not None:
                await self.delivery.arrived(*thing)

    async def _learn(self, receipts: Sequence[Numbered]) -> None:
        """The targets' numbers are aliases from now on."""
        if not receipts:
            return
        await self._aliases.learn(receipts)
        await self._intake.release()
        for receipt in receipts:
            if self.delivery is not None:
                await self.delivery.arrived(receipt.object, id_of(receipt.key), receipt.target)
