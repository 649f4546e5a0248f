"""Answers what happened to whatever has a number."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from mombus.desk.journey import JOURNEY, MOST_HOPS, Journey, JourneyHop, Number
from mombus.index import journey

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mombus.desk.question import Question
    from mombus.hub.desk.topic import Answer
    from mombus.hub.several.unsent import UnsentMessages
    from mombus.journal.journal import Journal


class JourneysTopic:
    """Looks into index and journal, and at what is in hand."""

    def __init__(self, index: Journal, journal: Journal, unsent: UnsentMessages) -> None:
        self._index = index
        self._journal = journal
        self._unsent = unsent

    def answers(self) -> Mapping[Question, Answer]:
        """As Topic."""
        return {JOURNEY: self.journey}

    async def journey(self, asked: Number) -> dict[str, Any]:
        """The hops of what is called so, or what may have been meant."""
        number = asked.number.strip()
        hops = await journey.journey(self._index, self._journal, number, self._unsent.of)
        named = await self._index.survey(partial(journey.named, number=number))
        near = [] if hops else await self._index.survey(partial(journey.near, number=number))
        told = [JourneyHop.model_validate(asdict(hop)) for hop in hops[-MOST_HOPS:]]
        return Journey(
            number=number, at=datetime.now(UTC), named=named, hops=told, left_out=len(hops) - len(told), near=near
        ).model_dump(mode="json")
