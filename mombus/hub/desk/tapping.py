"""Listens to the bus for who watches: filtered and sampled here, so that a flood ends here."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from canonical.objects import CATALOGUE, Kind, data_object, id_of
from canonical.subjects import ROOT, SIGNAL_ROOT, filter_subject
from canonical.wire import CONTENT_TYPE, HeaderError, from_headers
from connectors.connector import MappingError
from mombus.bus import browsing
from mombus.bus.commands import UnknownNameError
from mombus.bus.errors import BusError
from mombus.bus.streams import MOM, SIGNALS
from mombus.delivery.routing import Routing
from mombus.desk.question import NoAnswerError
from mombus.desk.tap import TAP, TapAsked, TapPart, Tapped
from mombus.hub.desk.contents import Room, missing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from canonical.message import Message
    from mombus.bus.browsing import Kept
    from mombus.bus.connection import Bus
    from mombus.delivery.delivery import Delivery
    from mombus.desk.question import Question
    from mombus.desk.stages import Content
    from mombus.hub.desk.topic import Answer

LOOKED_AT, LOOKED_BYTES = 500, 4 * 1024 * 1024
"""How much of a stream is looked at for one answer."""
PLACES = 10
"""Where there is more than that, it is looked at so many places."""
MOST_BEHIND = 5000
"""Who is further behind is taken to where it is said now: a tap shows what happens, not history."""


class _Place(NamedTuple):
    """How far each stream was looked at."""

    mom: int
    signals: int

    def __str__(self) -> str:
        return f"{self.mom}-{self.signals}"


_Fit: TypeAlias = "tuple[Kept, Message, list[str]]"


@dataclass(slots=True)
class _Look:
    """What was found in one stream: up to where, what fits, how much went by, and whether there is more."""

    upto: int
    fits: list[_Fit]
    left_out: int = 0
    more: bool = False


class TapTopic:
    """Answers what was said since the last answer."""

    def __init__(self, bus: Bus, delivery: Delivery, systems: Sequence[str]) -> None:
        self._bus = bus
        self._systems = systems
        self._looking = asyncio.Lock()
        self._routings = {name: Routing(delivery.target(name)) for name in sorted(delivery.targets)}

    def answers(self) -> Mapping[Question, Answer]:
        """As Topic."""
        return {TAP: self.tap}

    async def tap(self, asked: TapAsked) -> Any:
        """What fits, since where the last answer ended."""
        self._check(asked)
        try:
            return (await self._tapped(asked)).model_dump(mode="json")
        except BusError as error:
            raise NoAnswerError(f"the bus can't be read now: {error}") from error

    async def _tapped(self, asked: TapAsked) -> TapPart:
        if asked.after is None and asked.since_s is None:
            return TapPart(messages=[], after=str(await self._now()), left_out=0, more=False)
        since = None if asked.after else datetime.now(UTC) - timedelta(seconds=asked.since_s or 0)
        begin = _Place(*map(int, asked.after.split("-"))) if asked.after else await self._now()
        mom = await self._looked(MOM, ROOT, asked, begin.mom, since) if _reads(asked, MOM) else _Look(begin.mom, [])
        signals = (
            await self._looked(SIGNALS, SIGNAL_ROOT, asked, begin.signals, since)
            if _reads(asked, SIGNALS) else _Look(begin.signals, [])
        )  # fmt: skip
        fits = sorted([*mom.fits, *signals.fits], key=lambda one: one[0].at)
        room = Room()
        return TapPart(
            messages=[_told(kept, message, targets, _body(asked, message, room)) for kept, message, targets in fits],
            after=str(_Place(mom.upto, signals.upto)), left_out=mom.left_out + signals.left_out,
            more=mom.more or signals.more,
        )  # fmt: skip

    async def _now(self) -> _Place:
        return _Place(await browsing.last_sequence(self._bus, MOM), await browsing.last_sequence(self._bus, SIGNALS))

    async def _looked(self, stream: str, root: str, asked: TapAsked, after: int, since: datetime | None) -> _Look:
        subject = _subject(asked, root)
        found, more = await self._part(stream, subject, after, since)
        if more and asked.spread:
            return await self._all_over(stream, subject, asked, found[0].seq - 1, gone=more + len(found))
        if since is None and more > MOST_BEHIND:
            return await self._caught_up(stream, subject, asked, gone=more + len(found))
        fits = await self._those_that_fit(asked, found)
        if asked.spread:
            chosen = _spread(fits, asked.most)
            return _Look(found[-1].seq if found else after, chosen, len(fits) - len(chosen))
        if len(fits) > asked.most:
            return _Look(fits[asked.most - 1][0].seq, fits[: asked.most], more=True)
        return _Look(found[-1].seq if found else after, fits, more=more > 0)

    async def _all_over(self, stream: str, subject: str, asked: TapAsked, after: int, *, gone: int) -> _Look:
        """Look here and there in what was said since, up to now."""
        last = await browsing.last_sequence(self._bus, stream)
        step = max(1, (last - after) // PLACES)
        found: dict[int, Kept] = {}
        for begin in range(after, last, step):
            here, _ = await self._part(stream, subject, begin, most=LOOKED_AT // PLACES)
            found.update({kept.seq: kept for kept in here if kept.seq <= last})
        chosen = _spread(await self._those_that_fit(asked, [found[seq] for seq in sorted(found)]), asked.most)
        return _Look(last, chosen, max(0, gone - len(chosen)))

    async def _caught_up(self, stream: str, subject: str, asked: TapAsked, *, gone: int) -> _Look:
        """Go on where it is said now; of what went by the newest is shown."""
        last = await browsing.last_sequence(self._bus, stream)
        found, _ = await self._part(stream, subject, max(0, last - LOOKED_AT))
        fits = (await self._those_that_fit(asked, found))[-asked.most :]
        return _Look(max(last, found[-1].seq if found else last), fits, max(0, gone - len(fits)))

    async def _part(
        self, stream: str, subject: str, after: int, since: datetime | None = None, most: int | None = None
    ) -> browsing.Part:
        return await browsing.part(
            self._bus, stream, subject, after=after, most=most or LOOKED_AT, most_bytes=LOOKED_BYTES, since=since
        )  # fmt: skip

    async def _those_that_fit(self, asked: TapAsked, found: Sequence[Kept]) -> list[_Fit]:
        """Each `when` may take as long as an expression may: one thread does that for all who watch."""
        async with self._looking:
            return await asyncio.to_thread(self._fitting, asked, found)

    def _fitting(self, asked: TapAsked, found: Sequence[Kept]) -> list[_Fit]:
        return [(kept, *seen) for kept in found if (seen := self._seen(asked, kept)) is not None]

    def _seen(self, asked: TapAsked, kept: Kept) -> tuple[Message, list[str]] | None:
        """The message and where it goes, if it fits."""
        try:
            message = from_headers(kept.headers, kept.content)
        except HeaderError:
            return None
        if message.object not in CATALOGUE or not _fits(asked, message):
            return None
        targets = self._targets(message)
        if asked.system and not {message.source, *targets} & set(asked.system):
            return None
        if asked.route and asked.route not in {f"{message.object}>{target}" for target in targets}:
            return None
        return message, targets

    def _targets(self, message: Message) -> list[str]:
        if message.row.kind is Kind.SIGNAL:
            return []
        return [name for name, routing in self._routings.items() if _goes(routing, message)]

    def _check(self, asked: TapAsked) -> None:
        """Raises UnknownNameError for what can never be."""
        for name in asked.object:
            if name not in CATALOGUE:
                raise UnknownNameError("data object", name, CATALOGUE)
        for name in asked.system:
            if name not in self._systems:
                raise UnknownNameError("system", name, self._systems)


def _spread(fits: list[_Fit], most: int) -> list[_Fit]:
    """At most so many, from the beginning to the end."""
    if len(fits) <= most:
        return fits
    return [fits[at * len(fits) // most] for at in range(most)]


def _goes(routing: Routing, message: Message) -> bool:
    """True if a route brings it there; where a `when` can't be asked, it may."""
    if message.claim is not None and routing.is_conditional(message):
        return True
    try:
        return not isinstance(routing.rule_for(message, entered=False), str)
    except MappingError:
        return True


def _reads(asked: TapAsked, stream: str) -> bool:
    kinds = {data_object(name).kind for name in asked.object}
    if stream == MOM:
        return not kinds or bool(kinds - {Kind.SIGNAL})
    return Kind.SIGNAL in kinds or (asked.signals and not kinds)


def _subject(asked: TapAsked, root: str) -> str:
    """The narrowest filter at the broker."""
    signal = root == SIGNAL_ROOT
    objects = [name for name in asked.object if (data_object(name).kind is Kind.SIGNAL) == signal]
    verb = asked.verb[0] if len(asked.verb) == 1 else None
    return filter_subject(object=objects[0] if len(objects) == 1 else None, verb=verb, root=root)


def _fits(asked: TapAsked, message: Message) -> bool:
    if asked.object and message.object not in asked.object:
        return False
    if asked.verb and message.verb not in asked.verb:
        return False
    if not asked.key:
        return True
    known = {message.key, id_of(message.key), *(lane.partition(":")[2] for lane in message.lanes)}
    return not known.isdisjoint(asked.key)


def _body(asked: TapAsked, message: Message, room: Room) -> Content | None:
    if not asked.bodies:
        return None
    if message.content:
        return room.content(message.content, CONTENT_TYPE)
    why = "it is kept apart: look at the message's stages" if message.claim else "there is none"
    return missing(why, message.claim.size if message.claim else 0)


def _told(kept: Kept, message: Message, targets: list[str], body: Content | None) -> Tapped:
    return Tapped(
        at=kept.at, id=message.id, object=message.object, verb=message.verb, action=message.action, key=message.key,
        source=message.source, targets=targets, lane=message.lane, revision=message.revision,
        size=message.claim.size if message.claim else len(message.content), reason=message.reason,
        document=message.document, body=body,
    )  # fmt: skip
