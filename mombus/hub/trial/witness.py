"""Says what became of what a case gave: at its sources by what the intake kept, at its targets by hops and receipts."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from canonical.message import Message
from canonical.objects import shown_key
from mombus.journal import disagreements, parked
from mombus.journal.parked import Parked
from mombus.journal.waiting import Wait
from mombus.trial.happened import Happened

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from connectors.connector import Item, Outcome, Rendered
    from mombus.delivery.target import Hop
    from mombus.hub.trial.stand_in import Played
    from mombus.hub.trial.trial_hub import TrialHub
    from mombus.journal.waiting import Waiting

_WAITS = (Parked.ALIAS, Parked.BEHIND)


class Witness:
    """Watches one case's hub, step by step."""

    def __init__(self, hub: TrialHub, stand_ins: Mapping[str, Played]) -> None:
        self._hub = hub
        self._stand_ins = stand_ins
        self._sources: list[Happened] = []
        self._said = self._hops = 0
        self._got: dict[str, int] = {}

    async def given(self, system: str, item: Item, outcomes: Sequence[Outcome]) -> None:
        """Note what the intake made of something."""
        for fault in item.faults:
            self._sources.append(Happened(system=system, state="fault", reason=f"{fault.place}: {fault.reason}"))
        for one, outcome in zip(item.messages, outcomes, strict=True):
            if isinstance(one, Message) and (not outcome.accepted or outcome.reason is not None):
                self._sources.append(await self._kept(system, one, outcome))

    async def happened(self) -> list[Happened]:
        """What happened since it was asked last."""
        said, self._said = self._hub.said[self._said :], len(self._hub.said)
        hops, self._hops = self._hub.hops[self._hops :], len(self._hub.hops)
        sources, self._sources = self._sources, []
        stored = [
            Happened(system=message.source, state="stored", message=message, reason=message.reason or "")
            for message in said
        ]
        return [*sources, *stored, *await self._at_targets(hops), *await self._not_sent(said)]

    async def _kept(self, system: str, message: Message, outcome: Outcome) -> Happened:
        reason = outcome.reason or ""
        if not outcome.accepted:
            differ = await self._hub.journal.read(
                partial(disagreements.rows, object=message.object, key=message.key)
            )  # fmt: skip
            state = "disagrees" if any(row.message_id == message.id for row in differ) else "refused"
        else:
            waits = await self._hub.journal.read(partial(parked.rows, system=system, kinds=_WAITS))
            known = {row.message.id for row in waits if row.message is not None}
            state = "waits for an alias" if message.id in known else "dropped"
        return Happened(system=system, state=state, message=message, reason=reason)

    async def _at_targets(self, hops: Sequence[Hop]) -> list[Happened]:
        """Of each message at each target what became of it last; what was written in the order in which it was."""
        last: dict[tuple[str, str], Hop] = {}
        for hop in hops:
            if hop.message_id:
                last[hop.target, hop.message_id] = hop
        waiting = {(row.target, row.message_id): row for row in await self._hub.waiting()}
        messages = {message.id: message for message in self._hub.said}
        return [
            self._became(hop, waiting.get(place), messages.get(hop.message_id), got, requests)
            for place, hop, got, requests in self._in_order(last)
        ]

    def _in_order(
        self, last: Mapping[tuple[str, str], Hop]
    ) -> Iterator[tuple[tuple[str, str], Hop, Message | None, Sequence[Rendered]]]:  # fmt: skip
        """Each with the message as its target got it at any time, and the requests that this got since it was asked."""
        left = dict(last)
        for system, stand_in in self._stand_ins.items():
            fresh, self._got[system] = stand_in.got[self._got.get(system, 0) :], len(stand_in.got)
            known = {one.message.id: one.message for one in stand_in.got}
            for id in dict.fromkeys([*(one.message.id for one in fresh), *known]):
                if (hop := left.pop((system, id), None)) is not None:
                    requests = [request for one in fresh if one.message.id == id for request in one.requests]
                    yield (system, id), hop, known[id], requests
        yield from ((place, hop, None, ()) for place, hop in left.items())

    def _became(
        self, hop: Hop, waiting: Waiting | None, stored: Message | None, got: Message | None,
        requests: Sequence[Rendered],
    ) -> Happened:  # fmt: skip
        return Happened(
            system=hop.target, state=waiting.kind.value if waiting is not None else hop.state.value,
            message=got or stored, stored=stored,
            reason=waiting.reason if waiting is not None else hop.reason, document=hop.document,
            requests=requests, waits_for=_waits_for(waiting) if waiting else "",
            wire=self._stand_ins[hop.target].exchanged(hop.message_id),
        )  # fmt: skip

    async def _not_sent(self, said: Sequence[Message]) -> list[Happened]:
        """What was said now and is still in hand for a target that is down, halted or closed."""
        told = {(hop.target, hop.message_id) for hop in self._hub.hops}
        standing = await self._hub.standing()
        return [
            Happened(
                system=system, state="not sent", message=message, stored=message, reason=standing[system].reason
            )
            for message in said
            for system in self._hub.wanted(message)
            if (system, message.id) not in told
        ]  # fmt: skip


def _waits_for(waiting: Waiting) -> str:
    """For what or whom, in the words that a case has for it."""
    match waiting.kind:
        case Wait.PARKED | Wait.IN_DOUBT | Wait.HELD:
            return "a person"
        case Wait.BEHIND:
            return "what is before it in its lane"
        case Wait.POSTING:
            return f"the number of {waiting.target}'s document"
        case _ if waiting.missing is not None:
            return f"{waiting.missing[0]} {shown_key(*waiting.missing)}"
        case _:
            return "time"
