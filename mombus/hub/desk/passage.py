"""The passage of one message through the hub: found on the bus, what it came in, what each target gets of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from canonical.message import Verb
from canonical.wire import HeaderError, from_headers, to_headers
from connectors.connector import MappingError
from mombus.bus.commands import UnknownNameError
from mombus.bus.errors import BodyGone
from mombus.bus.raw import RAW_HEADER, glimpse_raw
from mombus.bus.streams import MOM
from mombus.delivery.routing import Routing, mapped
from mombus.desk.question import QuestionError
from mombus.index import finding
from mombus.journal import standing
from mombus.ownership.aliases import Missing

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from canonical.message import Message
    from connectors.connector import Raw
    from mombus.bus.connection import Bus
    from mombus.delivery.delivery import Delivery
    from mombus.delivery.target import Rule
    from mombus.journal.journal import Journal
    from mombus.ownership.aliases import Aliases

LARGEST_MAPPED = 4 * 1024 * 1024
"""Bytes of a body that is mapped again only to be looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OnBus:
    """A message and where it is: `seq` and when it was `stored` are None for one that only waits any more."""

    message: Message
    headers: Mapping[str, str]
    seq: int | None = None
    stored: datetime | None = None


class Document(NamedTuple):
    """The beginning of the document that a message came in, and the bytes of all of it."""

    id: str
    raw: Raw
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Routed:
    """What a target gets of a message: `said` in its words, or why that can't be told.

    `passes` is None where it can't be decided; `conditional`: a `when` decides.
    """

    passes: bool | None
    why: str
    said: Message | str
    conditional: bool = False


class Passage:
    """Looks at messages; nothing is sent and nothing changes."""

    def __init__(
        self, *, site: str, bus: Bus, journal: Journal, index: Journal, delivery: Delivery, aliases: Aliases
    ) -> None:  # fmt: skip
        self._site = site
        self._bus = bus
        self._journal = journal
        self._index = index
        self._delivery = delivery
        self._aliases = aliases
        self._mapping = asyncio.Lock()

    async def find(self, id: str) -> OnBus:
        """The message with that id, or the only one whose id begins so. Raises UnknownNameError, QuestionError."""
        found = await self._index.survey(partial(finding.named, id=id))
        if len(found) > 1:
            raise QuestionError(f"more than one message's id begins with '{id}': give more of it")
        for whole, seq in found.items():
            letter = await self._bus.dated(MOM, seq)
            if letter is not None:
                return _read(*letter, seq=seq)
            id = whole
        waits = await self._journal.survey(
            partial(standing.waits_somewhere, targets=sorted(self._delivery.targets), message_id=id)
        )
        if waits is None:
            kept = "the bus doesn't keep it any more" if found else "one that has just come is known in a second"
            raise UnknownNameError("message", id, hint=kept)
        return OnBus(message=waits, headers=to_headers(waits))

    async def document(self, found: OnBus) -> Document | str:
        """The document that a message came in, or why there is none."""
        id = found.headers.get(RAW_HEADER)
        if id is None:
            if found.seq is None:
                return "what waits doesn't say in which document it came, and the bus doesn't keep it any more"
            return f"{found.message.source} said it without a document: the message is all there was"
        raw = await glimpse_raw(self._bus, site=self._site, system=found.message.source, id=id)
        if raw is None:
            return "the document isn't kept any more: `bus: {keep: {raw_age, raw_size}}` say how long"
        return Document(id, *raw)

    async def beginning(self, message: Message) -> bytes | str:
        """The beginning of a message's body, or why there is none."""
        try:
            content = await self._bus.beginning(message)
        except BodyGone as gone:
            return str(gone)
        return content or f"{message.verb} {message.object} has no body"

    async def routed(self, message: Message, target: str, entered: bool) -> Routed:
        """What a target gets of a message by the routes of now. Raises UnknownTargetError.

        Bodies may be large and expressions long: one thread maps for all who look, beside the loop that delivers.
        """
        routing = Routing(self._delivery.target(target))
        body = await self._to_map(message)
        async with self._mapping:
            return await asyncio.to_thread(self._routed, message, target, routing, body, entered=entered)

    def _routed(self, message: Message, target: str, routing: Routing, body: Message | str, *, entered: bool) -> Routed:
        conditional = routing.is_conditional(message)
        try:
            rule = routing.rule_for(message if isinstance(body, str) else body, entered)
        except MappingError as error:
            return Routed(passes=None, why=str(error), said=str(error), conditional=True)
        why = _why(rule, message, target)
        if isinstance(body, str):
            passes = None if conditional else not isinstance(rule, str)
            return Routed(passes=passes, why=body if conditional else why, said=body, conditional=conditional)
        if isinstance(rule, str):
            return Routed(passes=False, why=why, said=f"it doesn't go there: {why}", conditional=conditional)
        return Routed(passes=True, why=why, said=self._said(rule, body, target), conditional=conditional)

    async def whole(self, message: Message) -> Message:
        """The message with its body. Raises QuestionError where that is gone, or too much to be looked at."""
        body = await self._to_map(message)
        if isinstance(body, str):
            raise QuestionError(f"{message.object} {message.key}: {body}")
        return body

    def own_words(self, message: Message) -> Message:
        """The message in the ids of who said it; in canonical ones where an alias for that is missing."""
        in_own = self._aliases.asked if message.verb is Verb.GET else self._aliases.outbound
        said = in_own(message.source, message)
        return message if isinstance(said, Missing) else said

    async def got(self, message: Message) -> dict[str, Message]:
        """What each target gets of a message, of those that a route brings it to."""
        found = {name: await self.routed(message, name, entered=False) for name in sorted(self._delivery.targets)}
        return {name: one.said for name, one in found.items() if one.passes and not isinstance(one.said, str)}

    def _said(self, rule: Rule, message: Message, target: str) -> Message | str:
        try:
            said = self._aliases.outbound(target, mapped(rule, message))
        except MappingError as error:
            return str(error)
        return str(said) if isinstance(said, Missing) else said

    async def _to_map(self, message: Message) -> Message | str:
        """The message with its body, or why it isn't mapped to be looked at."""
        if message.claim is None:
            return message
        if message.claim.size > LARGEST_MAPPED:
            return f"its body of {message.claim.size} bytes isn't mapped again only to be looked at"
        try:
            return await self._bus.whole(message)
        except BodyGone as gone:
            return str(gone)


def _read(headers: dict[str, str], content: bytes, stored: datetime | None, *, seq: int) -> OnBus:
    try:
        return OnBus(message=from_headers(headers, content), headers=headers, seq=seq, stored=stored)
    except HeaderError as error:
        raise QuestionError(f"what is stored at {seq} is no message: {error}") from error


def _why(rule: Rule | str, message: Message, target: str) -> str:
    if isinstance(rule, str):
        return rule
    if message.verb.replies or message.to is not None:
        return f"it answers what {target} asked"
    if message.verb.asks:
        return f"{target} owns {message.object} and is asked"
    return f"the route {message.object} → {target}"
