"""Tells what a plan begins with: the configuration that runs, and what is on its way."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from mombus.desk.planning import BASIS, Basis
from mombus.journal import selection
from mombus.journal.selection import Selection
from mombus.plan.fates import Flow, Waits
from mombus.plan.picture import picture, sealing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mombus.config.model import Config
    from mombus.delivery.delivery import Delivery
    from mombus.desk.planning import Salted
    from mombus.desk.question import Question
    from mombus.hub.desk.topic import Answer
    from mombus.hub.spooling import Spooling
    from mombus.journal.journal import Journal
    from mombus.plan.picture import Picture


class Planning:
    """Of one hub. `digests` are of the files that its systems name, as they were when it opened."""

    def __init__(
        self, config: Config, digests: Mapping[str, str], *, journal: Journal, delivery: Delivery, spooling: Spooling
    ) -> None:
        self._config = config
        self._digests = digests
        self._journal = journal
        self._delivery = delivery
        self._spooling = spooling

    def answers(self) -> Mapping[Question, Answer]:
        """See the questions."""
        return {BASIS: self._basis}

    async def drawn(self, salt: str) -> Picture:
        """The configuration that runs. Sealing takes its time, elsewhere."""
        return await asyncio.to_thread(picture, self._config, self._digests, sealing(salt))

    async def flow(self) -> Flow:
        """What is on its way: by way of this hub, and what waits for all."""
        groups = await self._journal.survey(partial(selection.groups, selection=Selection(), now=datetime.now(UTC)))
        on_the_way = Counter[str]()
        for status in await self._delivery.status():
            on_the_way[status.target] += status.lag + status.in_hand
        return Flow(
            on_the_way=dict(+on_the_way),
            waiting=tuple(
                Waits(target=one.target, object=one.object, kind=one.kind, count=one.count) for one in groups
            ),
            spooled={state.system: state.items for state in self._spooling.states() if state.items},
        )  # fmt: skip

    async def _basis(self, asked: Salted) -> Any:
        return Basis(running=await self.drawn(asked.salt), flow=await self.flow()).model_dump(mode="json")
