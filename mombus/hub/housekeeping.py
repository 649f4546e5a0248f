"""Housekeeping: once an hour what is of no use any more is forgotten, and what was passed over is learned."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import structlog

from mombus.bus import claims
from mombus.bus.streams import MOM
from mombus.index.forgetting import forget
from mombus.journal import accounts, bulk, deliveries, disagreements, notes, parked, replays, requests, waiting

if TYPE_CHECKING:
    from collections.abc import Callable

    from nats.js.api import StreamInfo

    from mombus.bus.connection import Bus
    from mombus.bus.intake import Intake
    from mombus.journal.journal import Journal
    from mombus.ownership.aliases import Aliases

FIRST_S = 60.0
EVERY_S = 3600.0
MARGIN = timedelta(days=7)
"""How much longer than the stream its outcomes are kept: the broker's clock may be another."""
CLOSED = timedelta(days=365)
"""How long what is closed is kept: requests, kept items, disagreements, bulk actions, notes."""
AT_ONCE = 5000
"""Rows per transaction, so that outcomes never wait long for it."""

log = structlog.get_logger()


class Housekeeping:
    """Keeps journal and index from growing for ever. What is open, or still in the stream, is never touched."""

    def __init__(
        self, *, bus: Bus, journal: Journal, index: Journal, aliases: Aliases, intake: Intake,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:  # fmt: skip
        self._bus = bus
        self._journal = journal
        self._index = index
        self._aliases = aliases
        self._intake = intake
        self._clock = clock

    async def run(self) -> None:
        """Tidy once an hour, for ever; what fails is tried again the next time."""
        pause_s = FIRST_S
        while True:
            await asyncio.sleep(pause_s)
            pause_s = EVERY_S
            try:
                await self.tidy()
            except Exception:
                log.exception("housekeeping failed; it is done again in an hour")

    async def tidy(self) -> None:
        """Do it once."""
        if await self._aliases.catch_up():
            await self._intake.release()
        await self._forget_closed()
        await self._forget_streamed()

    async def _forget_closed(self) -> None:
        before = self._clock() - CLOSED
        for prune in (requests.prune, parked.prune, disagreements.prune, replays.prune, bulk.prune, notes.prune):
            await self._journal.write(partial(prune, before=before))
        await self._journal.write(partial(accounts.prune, now=self._clock()))

    async def _forget_streamed(self) -> None:
        """Outcomes of messages that can't be delivered again, and what the index says of messages that are gone."""
        stream = await self._bus.js.stream_info(MOM)
        before = await self._gone(stream)
        if before is not None:
            await self._forget_outcomes(before)
            await claims.sweep(
                self._bus.js, before=before, waiting=await self._journal.read(waiting.claims)
            )  # fmt: skip
        more = True
        while more:
            more = await self._index.write(partial(forget, first=stream.state.first_seq, limit=AT_ONCE))

    async def _gone(self, stream: StreamInfo) -> datetime | None:
        """Since when nothing older is in MOM: by its age limit, without one by its first message; None if unknown."""
        from nats.js.errors import NotFoundError  # noqa: PLC0415 - imported where it is used

        if stream.config.max_age:
            return self._clock() - timedelta(seconds=stream.config.max_age) - MARGIN
        try:
            first = await self._bus.js.get_msg(MOM, seq=stream.state.first_seq) if stream.state.messages else None
        except NotFoundError:
            return None
        return first.time - MARGIN if first is not None and first.time is not None else None

    async def _forget_outcomes(self, before: datetime) -> None:
        for target in await self._journal.read(deliveries.targets):
            prune = partial(deliveries.prune, target=target, before=before, limit=AT_ONCE)
            forgotten = AT_ONCE
            while forgotten == AT_ONCE:
                forgotten = await self._journal.write(prune)
