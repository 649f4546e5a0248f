"""The other hubs of one journal, asked over the bus: a command goes to the hub that has the system it is about."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog

from mombus.bus.commands import listen, pass_on
from mombus.hub.several.shards import together

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from mombus.bus.connection import Bus
    from mombus.hub.several.sharing import Sharing
    from mombus.journal.leases import Peer

    Answer = Callable[[str, Mapping[str, Any]], Awaitable[Any]]

STATUS_S = 2.0
"""How long another hub may take to say how its systems are."""
ELSEWHERE = "elsewhere"
READ_ANYWHERE = frozenset({"waiting", "causes", "audit"})
"""Commands about a target that any hub answers from the journal."""

log = structlog.get_logger()


class Neighbours:
    """The other hubs, as one hub asks them."""

    def __init__(self, bus: Bus, site: str, sharing: Sharing) -> None:
        self._bus = bus
        self._site = site
        self._sharing = sharing
        self._holder = sharing.holder

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
        """The systems, each as the hubs see it that have it or some of its shards; `hub` is where others are."""
        others = [peer for peer in self._holder.peers if peer.hub != self._holder.hub]
        found = await asyncio.gather(*map(self._systems_of, others))
        theirs: dict[str, list[dict[str, Any]]] = {}
        for row in (row for rows in found for row in rows):
            theirs.setdefault(row["name"], []).append(row)
        return [_seen(row, theirs.get(row["name"], [])) for row in own]

    def trouble(self) -> list[str]:
        """What is wrong among the hubs."""
        return [
            f"the hub at {address} runs another configuration: give all hubs the same"
            for address in self._holder.differing
        ]

    async def _answer(self, here: Answer, name: str, question: Mapping[str, Any]) -> Any:
        """Answer, or pass it on. Raises ValueError with the other hub's refusal."""
        about = _about(question)
        names: Sequence[str] = ()
        if about is not None and name not in READ_ANYWHERE:
            names = await self._sharing.leases_for(name, about, question.get("id"))
        far = await self._holder.holders([one for one in names if not self._holder.has(one)])
        others = [peer.hub for peer in far if peer.hub != self._holder.hub]
        answers = [
            await pass_on(self._bus, site=self._site, name=name, question=question, hub=other) for other in others
        ]
        if not others or any(map(self._holder.has, names)):
            return await here(name, question)
        return answers[-1]

    async def _systems_of(self, peer: Peer) -> list[dict[str, Any]]:
        try:
            rows: list[dict[str, Any]] = await pass_on(
                self._bus, site=self._site, name="systems", question={}, hub=peer.hub, within_s=STATUS_S
            )  # fmt: skip
        except ValueError as error:
            log.warning("a hub doesn't say how it is", hub=peer.address, reason=str(error))
            return []
        return [row | {"hub": peer.address} for row in rows if row["health"] != ELSEWHERE]


def _seen(own: dict[str, Any], theirs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One system as it is on this hub and on others: all together if it is in shards, else as who has it sees it."""
    here = [own] if own["health"] != ELSEWHERE else []
    if not theirs or (here and "shards" not in own):
        return own
    return together([*here, *theirs]) if "shards" in own else theirs[0]


def _about(question: Mapping[str, Any]) -> str | None:
    """The one system that a question is about."""
    for name in ("target", "system", "to"):
        said = question.get(name)
        if isinstance(said, list) and len(said) == 1:
            said = said[0]
        if isinstance(said, str):
            return said
    return None
