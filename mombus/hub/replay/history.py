"""History as it stands on the bus: what is selected, read in parts: a week of it needs no more memory than a day."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from mombus.bus.streams import MOM
from mombus.index import selection as selecting

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from canonical.message import Message
    from mombus.bus.connection import Bus
    from mombus.index.selection import Found, Selection
    from mombus.journal.journal import Journal

PART = 200
"""Messages that are read at once."""
AT_ONCE = 50
"""Messages that are asked for at the same time."""


class History:
    """Reads what is selected from the stream, by the index."""

    def __init__(self, bus: Bus, index: Journal) -> None:
        self._bus = bus
        self._index = index

    async def survey(self, selection: Selection) -> Found:
        """How much is selected."""
        return await self._index.read(partial(selecting.survey, selection=selection))

    async def behind(self) -> int:
        """How many messages the index hasn't seen yet: a selection lacks them."""
        last = (await self._bus.js.stream_info(MOM)).state.last_seq
        _, indexed = await self._index.read(selecting.reach)
        return max(0, last - indexed)

    async def parts(
        self, selection: Selection, *, after: int, upto: int, size: int = PART
    ) -> AsyncIterator[tuple[int, list[tuple[int, Message]]]]:
        """Yield parts in stream order, each with the sequence up to which it goes. What is gone is left out."""
        async for seqs in self.pages(selection, after=after, upto=upto, size=size):
            yield seqs[-1], await read(self._bus, seqs)

    async def pages(self, selection: Selection, *, after: int, upto: int, size: int = PART) -> AsyncIterator[list[int]]:
        """Yield the sequences of what is selected, part by part."""
        while seqs := await self._index.read(
            partial(selecting.page, selection=selection, after=after, upto=upto, limit=size)
        ):
            yield seqs
            after = seqs[-1]


async def read(bus: Bus, seqs: Sequence[int]) -> list[tuple[int, Message]]:
    """The messages at these sequences that are still there, in order."""
    found: list[tuple[int, Message]] = []
    for start in range(0, len(seqs), AT_ONCE):
        part = seqs[start : start + AT_ONCE]
        messages = await asyncio.gather(*(bus.at(MOM, seq) for seq in part))
        found += [(seq, message) for seq, message in zip(part, messages, strict=True) if message is not None]
    return found
