"""What is in hand for targets and wasn't given to them yet, whichever hub has them."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING, Any

from mombus.desk.messages import UNSENT, UnsentAsked
from mombus.hub.desk.fitting import fitting
from mombus.index.arrivals import NOT_SENT, Arrival

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from mombus.delivery.delivery import Delivery
    from mombus.desk.question import Question
    from mombus.hub.desk.topic import Answer
    from mombus.hub.several.neighbours import Neighbours


class UnsentMessages:
    """Looks at what this hub has in hand, and asks its neighbours, if it has any."""

    def __init__(self, delivery: Delivery, neighbours: Callable[[], Neighbours | None]) -> None:
        self._delivery = delivery
        self._neighbours = neighbours

    def answers(self) -> Mapping[Question, Answer]:
        """As `mombus.hub.desk.topic.Topic`: what this hub tells the others."""
        return {UNSENT: self.told}

    async def told(self, asked: UnsentAsked) -> Any:
        """What this hub has in hand of these messages, as much as fits into an answer."""
        rows = self._delivery.unsent(asked.ids)
        return {"rows": fitting([{**row._asdict(), "since": row.since.isoformat()} for row in rows])}

    async def of(self, ids: Collection[str]) -> list[Arrival]:
        """What is in hand of these messages, here or at another hub, as where it hasn't arrived."""
        asked, neighbours = UnsentAsked(ids=tuple(ids)), self._neighbours()
        if neighbours is None:
            return _arrivals((await self.told(asked))["rows"])
        own, (others, _) = await asyncio.gather(self.told(asked), neighbours.asked(UNSENT, asked))
        return _arrivals(row for answer in (own, *others) for row in answer["rows"])


def _arrivals(rows: Iterable[Mapping[str, Any]]) -> list[Arrival]:
    return [
        Arrival(
            message_id=row["message_id"], target=row["target"], state=NOT_SENT, at=datetime.fromisoformat(row["since"]),
            attempts=row["attempts"], reason=row["reason"],
        )
        for row in rows
    ]  # fmt: skip
