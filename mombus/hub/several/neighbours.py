"""The other hubs of one journal, asked over the bus: a command goes to the hub that has the system it is about."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog

from mombus.bus.commands import AwayError, HubAwayError, NobodyThereError, NotHereError, listen, pass_on

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

    from mombus.bus.connection import Bus
    from mombus.desk.question import Asked, Question
    from mombus.hub.several.sharing import Sharing
    from mombus.journal.leases import Peer

    Answer = Callable[[str, Mapping[str, Any]], Awaitable[Any]]

STATUS_S = 2.0
"""How long another hub may take to say how its systems are, or what else only it knows."""
BETWEEN_S, LOOK_S = 8.0, 0.5
"""How long what a person asks waits while hubs hand over what it is about, and how often is looked who has it now:
longer than a lease lasts, shorter than who asks waits."""
BACK_S = 60.0
"""How long a hub that ran another configuration when it went is waited for: it changes over, and may go back."""
ANYWHERE = frozenset({
    "waiting", "causes", "kept", "audit", "notes_add", "messages_search", "messages_show", "messages_export",
    "ownership_late", "messages_stages", "messages_diff", "messages_case",
})  # fmt: skip
"""Commands about a system that any hub answers from journal and index."""

log = structlog.get_logger()


class HubGoneError(HubAwayError):
    """The hub that was asked has ended without a word."""


class HubLeftError(HubAwayError):
    """It has stopped, or changes over just now."""


class Neighbours:
    """The other hubs, as one hub asks them."""

    def __init__(self, bus: Bus, site: str, sharing: Sharing) -> None:
        self._bus = bus
        self._site = site
        self._sharing = sharing
        self._holder = sharing.holder
        self._unheard: dict[str, datetime] = {}
        """Since when those that live don't answer."""
        self._differed: dict[str, float] = {}
        """When those that run another configuration were last seen to, by the place of their disk."""

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
        await listening(answer=partial(self.answered, answer))
        await listening(answer=answer, hub=self.hub)

    async def answered(self, here: Answer, name: str, question: Mapping[str, Any]) -> Any:
        """The answer, of `here` or of the hub it is for, asked again while one hub takes over from another.

        Of several that it is for, those that have answered aren't asked again. Raises ValueError with the other hub's
        refusal, NotHereError when that takes too long.
        """
        until = time.monotonic() + BETWEEN_S
        answers: dict[str, Any] = {}
        while True:
            try:
                return await self._answered(here, name, question, answers)
            except (NotHereError, NobodyThereError):
                about = _about(question)
                if time.monotonic() > until or about is None or self.disagree_about(about):
                    raise
            await asyncio.sleep(LOOK_S)

    async def _answered(
        self, here: Answer, name: str, question: Mapping[str, Any], answers: dict[str, Any]
    ) -> Any:  # fmt: skip
        about = _about(question)
        names: Sequence[str] = ()
        if about is not None and name not in ANYWHERE:
            names = await self._sharing.leases_for(name, about, question.get("id"))
        elsewhere = [one for one in names if not self._holder.has(one)]
        far = await self._holder.holders(elsewhere) if elsewhere else []
        others = [peer.hub for peer in far if peer.hub != self._holder.hub]
        for other in others:
            if other not in answers:
                answers[other] = await self._passed_on(name, question, other)
        if not others or any(map(self._holder.has, names)):
            return await here(name, question)
        return answers[others[-1]]

    async def _passed_on(self, name: str, question: Mapping[str, Any], hub: str) -> Any:
        try:
            return await pass_on(self._bus, site=self._site, name=name, question=question, hub=hub)
        except HubAwayError as error:
            raise type(error)(f"the hub that has it doesn't answer ({error}): try again soon") from error

    @property
    def leases(self) -> Sequence[str]:
        """The leases this hub has."""
        return self._holder.names

    async def overviews(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """What every other hub tells of itself; and those that don't answer, since when and why."""
        return await self._of_all("own", {})

    async def asked(self, question: Question, asked: Asked) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """What every other hub answers to a question about its own things; and those that don't answer, as above."""
        return await self._of_all(question.name, asked.model_dump(mode="json"))

    async def _of_all(
        self, name: str, question: Mapping[str, Any]
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        others = [peer for peer in self._holder.peers if peer.hub != self._holder.hub]
        found = await asyncio.gather(*(self._told(peer, name, question) for peer in others))
        silent = [_silent(peer, peer.heard, "it ended without a word") for peer in self._holder.silent]
        return [one for one in found if "answers" not in one], [one for one in found if "answers" in one] + silent

    async def others(self) -> list[Peer]:
        """The other hubs, as they stand in the journal now: those that live, and those that ended without a word.

        One that was killed and started again is there once, even while what it said before still stands.
        """
        known = sorted(await self._holder.known(), key=lambda peer: peer.since)
        latest = {peer.said.place: peer for peer in known}
        return [peer for peer in latest.values() if peer.hub != self._holder.hub]

    async def ask_at(self, place: str, name: str, question: Mapping[str, Any]) -> Any:
        """The answer of the hub on the disk `place`. Raises ValueError with its refusal, HubAwayError, AwayError."""
        found = [peer for peer in await self.others() if peer.said.place == place]
        if not found:
            raise HubLeftError("it isn't there")
        (peer,) = found
        if not peer.live:
            raise HubGoneError("it ended without a word")
        return await pass_on(self._bus, site=self._site, name=name, question=question, hub=peer.hub)

    async def holding(self, systems: Collection[str]) -> dict[str, tuple[str, int] | None]:
        """Who has the leases of systems, and with which epoch; None where nobody has.

        Those that get nothing, or that hubs disagree about, are left out: nobody delivers to them, or need have them.
        """
        served = [name for name in systems if name in self._holder.said.routes and not self.disagree_about(name)]
        names = [name for system in served for name in await self._sharing.leases_for("resume", system, None)]
        return await self._holder.holding(names)

    def disagree_about(self, system: str) -> bool:
        """True while hubs that live give a system other things: nobody delivers to it."""
        return bool(self._sharing.disputed(system))

    def agree(self) -> bool:
        """True while all hubs say the same of who there is, who owns what and what goes where, as far as is known.

        One that said something else and isn't there now counts for a while: it changes over, and may go back.
        """
        now, peers = time.monotonic(), self._holder.peers
        for peer in peers:
            if peer.said.plan != self._holder.said.plan:
                self._differed[peer.said.place] = now
            else:
                self._differed.pop(peer.said.place, None)
        return bool(peers) and all(now - seen > BACK_S for seen in self._differed.values())

    def trouble(self) -> list[str]:
        """What is wrong among the hubs, as of the last look at the journal."""
        mine = self._holder.said
        others = [peer.said for peer in self._holder.peers]
        lines = [
            f"the hub at {said.address} runs another configuration: give all hubs the same files, then "
            "`mombus apply`"
            for said in others if said.plan != mine.plan
        ]  # fmt: skip
        lines += [
            f"what goes to {system} waits until all hubs agree about it: {', '.join(where)} have other routes, or none"
            for system in mine.routes if (where := self._sharing.disputed(system))
        ]  # fmt: skip
        return lines + [
            f"the hub at {said.address} runs mombus {said.version}, this one {mine.version}: bring all to one release"
            for said in others if said.version != mine.version
        ]  # fmt: skip

    async def _told(self, peer: Peer, name: str, question: Mapping[str, Any]) -> dict[str, Any]:
        try:
            told: dict[str, Any] = await pass_on(
                self._bus, site=self._site, name=name, question=question, hub=peer.hub, within_s=STATUS_S
            )  # fmt: skip
        except (ValueError, LookupError, AwayError) as error:
            since = self._unheard.setdefault(peer.hub, datetime.now(UTC))
            log.warning("a hub doesn't answer", hub=peer.said.address, question=name, reason=str(error))
            return _silent(peer, since, str(error))
        self._unheard.pop(peer.hub, None)
        return told


def _silent(peer: Peer, heard: datetime, reason: str) -> dict[str, Any]:
    """A hub that doesn't answer, as the others tell it; `heard` is when it last did."""
    return {
        "answers": False, "address": peer.said.address, "since": peer.since.isoformat(), "heard": heard.isoformat(),
        "version": peer.said.version, "kept": peer.kept, "reason": reason,
    }  # fmt: skip


def _about(question: Mapping[str, Any]) -> str | None:
    """The one system that a question is about."""
    for name in ("target", "system", "to"):
        said = question.get(name)
        if isinstance(said, list) and len(said) == 1:
            said = said[0]
        if isinstance(said, str):
            return said
    return None
