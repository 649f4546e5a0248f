"""Tells what a plan begins with, the configuration that runs and what is on its way; and has the files taken over."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from mombus.desk.planning import APPLY, BASIS, CHANGED, GO_BACK, LOOK, PLAN, SHARE, Basis
from mombus.journal import bookmarks, selection
from mombus.journal.selection import Selection
from mombus.plan.fates import Flow, Waits
from mombus.plan.picture import picture, sealing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mombus.config.model import Config
    from mombus.delivery.delivery import Delivery
    from mombus.desk.planning import Apply, GoBack, MaybeSalted, Salted, Share
    from mombus.desk.question import Nothing, Question
    from mombus.hub.changing.applying import Applying
    from mombus.hub.desk.topic import Answer
    from mombus.hub.spooling import Spooling
    from mombus.journal.journal import Journal
    from mombus.plan.picture import Picture


class Planning:
    """Of one hub. `digests` are of the files that its systems name, as they were when it opened."""

    def __init__(
        self, config: Config, digests: Mapping[str, str], *, journal: Journal, delivery: Delivery, spooling: Spooling,
        applying: Applying,
    ) -> None:  # fmt: skip
        self._config = config
        self._digests = digests
        self._journal = journal
        self._delivery = delivery
        self._spooling = spooling
        self._applying = applying

    def answers(self) -> Mapping[Question, Answer]:
        """See the questions."""
        return {
            BASIS: self._basis, PLAN: self._plan, APPLY: self._apply, CHANGED: self._changed, LOOK: self._look,
            SHARE: self._share, GO_BACK: self._go_back,
        }  # fmt: skip

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
            bookmarked=tuple(await self._journal.survey(bookmarks.bookmarked)),
        )  # fmt: skip

    async def _basis(self, asked: Salted) -> Any:
        running, flow = await self.drawn(asked.salt), await self.flow()
        return Basis(files=self._applying.paths, running=running, flow=flow).model_dump(mode="json")

    async def _plan(self, asked: MaybeSalted) -> Any:
        return (await self._applying.plan(asked.salt)).model_dump(mode="json")

    async def _apply(self, asked: Apply) -> Any:
        return self._applying.begin(asked).model_dump(mode="json")

    async def _look(self, asked: Salted) -> Any:
        return (await self._applying.seen(asked.salt)).model_dump(mode="json")

    async def _share(self, asked: Share) -> Any:
        return self._applying.share(asked).model_dump(mode="json")

    async def _go_back(self, asked: GoBack) -> Any:
        return self._applying.go_back(asked).model_dump(mode="json")

    async def _changed(self, _asked: Nothing) -> Any:
        return self._applying.last.model_dump(mode="json")
