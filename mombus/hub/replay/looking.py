"""Looking at what a replay would send, and reading long answers part by part."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from canonical.objects import shown_key
from mombus.delivery.replaying import Terms
from mombus.hub.replay.wishes import ReplayError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from mombus.delivery.delivery import Delivery
    from mombus.delivery.replaying import Judged, Replaying
    from mombus.hub.replay.history import History
    from mombus.index.selection import Selection
    from mombus.journal.replays import Manner

READY_S = 5.0
PREVIEWS = 8
"""Previews that are open at the same time; the oldest is forgotten."""
ROWS = 200
"""Rows of a preview in one answer, at most so many for each shard."""


class Previews:
    """What is open to be read on."""

    def __init__(self) -> None:
        self._open: OrderedDict[str, AsyncIterator[list[dict[str, Any]]]] = OrderedDict()

    def add(self, rows: AsyncIterator[list[dict[str, Any]]]) -> str:
        """What to ask for its rows by."""
        name = uuid4().hex
        self._open[name] = rows
        while len(self._open) > PREVIEWS:
            self._open.popitem(last=False)
        return name

    async def rows(self, preview: str) -> list[dict[str, Any]]:
        """The next rows of a preview, none at its end. Raises LookupError when it isn't open (any more)."""
        found = self._open.get(preview)
        if found is None:
            raise LookupError("this preview isn't open any more: ask again")
        async for rows in found:
            if rows:
                return rows
        self._open.pop(preview, None)
        return []


class Looking:
    """Judges history as a replay would, and sends nothing."""

    def __init__(self, delivery: Delivery, history: History) -> None:
        self._delivery = delivery
        self._history = history

    async def judged(
        self, targets: Sequence[str], selection: Selection, manner: Manner
    ) -> AsyncIterator[list[dict[str, Any]]]:
        """Begin to look; what follows yields rows. Raises ReplayError while an inbox catches up with what it had."""
        inboxes = {
            target: [await self._ready(inbox) for inbox in self._delivery.inboxes(target)] for target in targets
        }  # fmt: skip
        return self._rows(inboxes, selection, manner)

    async def _rows(
        self, inboxes: Mapping[str, Sequence[Replaying]], selection: Selection, manner: Manner
    ) -> AsyncIterator[list[dict[str, Any]]]:
        upto = (await self._history.survey(selection)).upto
        for target, shards in inboxes.items():
            judging = [(shard, Terms("a new id", manner)) for shard in shards]
            async for _, part in self._history.parts(selection, after=0, upto=upto, size=ROWS):
                judged = [one for shard, terms in judging for one in await shard.judge(part, terms)]
                yield [_row(target, one) for one in sorted(judged, key=lambda one: one.seq)]

    async def _ready(self, inbox: str) -> Replaying:
        replaying = await self._delivery.looked_at(inbox)
        try:
            async with asyncio.timeout(READY_S):
                await replaying.ready()
        except TimeoutError:
            text = f"{inbox} is still catching up with what came before the hub was started: try again in a moment"
            raise ReplayError(text) from None
        return replaying


def _row(target: str, one: Judged) -> dict[str, Any]:
    message = one.message
    return {
        "target": target, "fate": one.fate.value, "reason": one.reason, "seq": one.seq, "id": message.id,
        "object": message.object, "key": shown_key(message.object, message.key), "revision": message.revision,
        "source": message.source, "occurred": message.occurred.isoformat(), "lane": message.lane,
    }  # fmt: skip
