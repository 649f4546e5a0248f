"""Feeding replays to their inboxes: part by part, each inbox's one after the other; what a stop interrupted goes on."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import structlog
from sqlalchemy.exc import SQLAlchemyError

from mombus.bus.errors import BusError
from mombus.delivery.delivery import BetweenHubsError
from mombus.delivery.replaying import Terms
from mombus.index import selection as selecting
from mombus.index.selection import Selection
from mombus.journal import replays
from mombus.journal.databases import in_words
from mombus.journal.replays import Progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mombus.delivery.delivery import Delivery
    from mombus.delivery.replaying import Replaying
    from mombus.hub.replay.history import History
    from mombus.journal.journal import Journal
    from mombus.journal.replays import Replay

MOST_IN_HAND = 400
"""Replayed messages of one target that wait for their turn at most: what is live isn't crowded out."""
LOOK_S = 0.1
AGAIN_S = 2.0

log = structlog.get_logger()


class Feeding:
    """Feeds the replays that run. What another hub begins or cancels is seen in the journal."""

    def __init__(self, journal: Journal, index: Journal, delivery: Delivery, history: History) -> None:
        self._journal = journal
        self._index = index
        self._delivery = delivery
        self._history = history
        self._news = asyncio.Event()

    def begun(self) -> None:
        """There is a new one."""
        self._news.set()

    async def run(self) -> None:
        """Feed what is to be replayed, for ever; what a stop interrupted goes on."""
        async with asyncio.TaskGroup() as tasks:
            feeding: dict[str, asyncio.Task[None]] = {}
            while True:
                self._news.clear()
                for replay in await self._all_running():
                    if replay.inbox not in feeding or feeding[replay.inbox].done():
                        feeding[replay.inbox] = tasks.create_task(self._feed(replay.inbox))
                await self._news.wait()

    async def feed(self, inbox: str) -> None:
        """Feed one inbox, for ever: by the hub that has it, where hubs share the journal and others begin replays."""
        while True:
            await self._feed(inbox)
            await asyncio.sleep(AGAIN_S)

    async def _feed(self, inbox: str) -> None:
        """Feed one inbox's replays, the oldest first."""
        while mine := await self._running(inbox):
            try:
                await self._feed_one(mine[-1], self._delivery.replaying(inbox))
            except BusError as error:
                log.warning("replay paused", inbox=inbox, reason=str(error))
                await asyncio.sleep(AGAIN_S)
            except BetweenHubsError as error:
                log.debug("a replay waits for another hub", inbox=inbox, reason=str(error))
                return
            except LookupError as error:
                log.error("a replay waits for its target to be declared again", inbox=inbox, reason=str(error))
                return
            except Exception:
                log.exception("a replay failed; it is tried again", inbox=inbox)
                await asyncio.sleep(AGAIN_S)

    async def _running(self, inbox: str) -> Sequence[Replay]:
        return [replay for replay in await self._all_running() if replay.inbox == inbox]

    async def _all_running(self) -> Sequence[Replay]:
        """Asked until the journal answers."""
        while True:
            try:
                return await self._journal.read(partial(replays.rows, progress=Progress.RUNNING))
            except SQLAlchemyError as error:
                log.warning("replays wait for the journal", reason=in_words(error))
                await asyncio.sleep(AGAIN_S)

    async def _feed_one(self, replay: Replay, replaying: Replaying) -> None:
        await self._until_indexed(replay.upto)
        await replaying.ready()
        terms = Terms(replay.id, replay.manner)
        selection = Selection.model_validate_json(replay.selection)
        async for position, part in self._history.parts(selection, after=replay.position, upto=replay.upto):
            if not await self._room(replay, replaying, MOST_IN_HAND - len(part)):
                return
            if not await replaying.put(await replaying.judge(part, terms), terms, position):
                await replaying.withdraw(replay.id)
                return
        if not await self._room(replay, replaying, 0):
            return
        await self._journal.write(partial(
            replays.end, id=replay.id, inbox=replay.inbox, progress=Progress.DONE, now=datetime.now(UTC)
        ))  # fmt: skip

    async def _room(self, replay: Replay, replaying: Replaying, most: int) -> bool:
        """Return once at most so many are in hand; False when it was cancelled, here or by another hub."""
        while replaying.in_hand > most:
            found = await self._journal.read(partial(replays.find, id=replay.id, inbox=replay.inbox))
            if found is None or not found.runs:
                await replaying.withdraw(replay.id)
                return False
            await asyncio.sleep(LOOK_S)
        return True

    async def _until_indexed(self, seq: int) -> None:
        """An index that is being built again doesn't know yet what is selected."""
        while (await self._index.read(selecting.reach))[1] < seq:  # noqa: ASYNC110 - fed by a task of its own
            await asyncio.sleep(AGAIN_S)
