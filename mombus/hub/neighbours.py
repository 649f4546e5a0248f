"""The other hubs of one journal, asked over the bus: a command goes to the hub that has the system it is about."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog

from mombus.bus.commands import listen, pass_on

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from mombus.bus.connection import Bus
    from mombus.journal.leaseholder import Leaseholder
    from mombus.journal.leases import Peer

    Answer = Callable[[str, Mapping[str, Any]], Awaitable[Any]]

STATUS_S = 2.0
"""How long another hub may take to say how its systems are."""
ELSEWHERE = "elsewhere"
READ_ANYWHERE = frozenset({"waiting", "audit"})
"""Commands about a target that any hub answers from the journal."""

log = structlog.get_logger()


class Neighbours:
    """The other hubs, as one hub asks them."""

    def __init__(self, bus: Bus, site: str, holder: Leaseholder) -> None:
        self._bus = bus
        self._site = site
        self._holder = holder

    @property
    def hub(self) -> str:
        """This hub's own name."""
        return self._holder.hub

    def has(self, system: str) -> bool:
        """True while this hub has a system."""
        return self._holder.has(system)

    async def listen(self, answer: Answer) -> None:
        """Answer the commands that this hub gets, for it or for the plant, by `answer` or by the hub they are for."""
        observe = partial(log.error, "command failed")
        listening = partial(listen, self._bus, site=self._site, observe=lambda text: observe(reason=text))
        await listening(answer=partial(self._answer, answer))
        await listening(answer=answer, hub=self.hub)

    async def systems(self, own: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """The systems, each as the hub sees it that has it; `hub` is then where that one is."""
        others = [peer for peer in self._holder.peers if peer.hub != self._holder.hub]
        found = await asyncio.gather(*map(self._systems_of, others))
        theirs = {row["name"]: row for rows in found for row in rows}
        return [theirs.get(row["name"], row) if row["health"] == ELSEWHERE else row for row in own]

    def trouble(self) -> list[str]:
        """What is wrong among the hubs."""
        return [
            f"the hub at {address} runs another configuration: give all hubs the same"
            for address in self._holder.differing
        ]

    async def _answer(self, here: Answer, name: str, question: Mapping[str, Any]) -> Any:
        """Answer, or pass it on. Raises ValueError with the other hub's refusal."""
        about = _about(question)
        if about is not None and name not in READ_ANYWHERE and not self._holder.has(about):
            peer = await self._holder.holder(about)
            if peer is not None and peer.hub != self._holder.hub:
                return await pass_on(self._bus, site=self._site, name=name, question=question, hub=peer.hub)
        return await here(name, question)

    async def _systems_of(self, peer: Peer) -> list[dict[str, Any]]:
        try:
            rows: list[dict[str, Any]] = await pass_on(
                self._bus, site=self._site, name="systems", question={}, hub=peer.hub, within_s=STATUS_S
            )  # fmt: skip
        except ValueError as error:
            log.warning("a hub doesn't say how it is", hub=peer.address, reason=str(error))
            return []
        return [row | {"hub": peer.address} for row in rows if row["health"] != ELSEWHERE]


def _about(question: Mapping[str, Any]) -> str | None:
    """The one system that a question is about."""
    for name in ("target", "system", "to"):
        said = question.get(name)
        if isinstance(said, list) and len(said) == 1:
            said = said[0]
        if isinstance(said, str):
            return said
    return None
