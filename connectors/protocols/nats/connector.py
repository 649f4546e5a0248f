"""A system that speaks NATS itself: it asks to have things stored, and is asked to take them.

It says things by requests on `<subject>.say.<object>.<verb>`, and each is answered once the hub has stored it, or kept
it with a reason. It is told things by requests on `<subject>.take.<object>.<verb>` and answers what it did, with its
document's number; asked on `<subject>.find` it says what became of an id. What it says unanswered it says again: the
same thing has the same id, so that it has an effect once. Subjects, streams and consumers are none of its business.

Killed before the hub has stored it, it wasn't answered and is said again; killed after that, it is recognised.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from canonical.message import Message, Verb
from canonical.wire import to_headers
from connectors.connector import (
    Absent,
    Accept,
    ConnectorConfig,
    ConnectorError,
    Fault,
    Health,
    Item,
    MappingError,
    NotConnected,
    Offer,
    OutcomeUnknown,
    Probe,
    Receipt,
    Rejected,
    Rendered,
)
from connectors.exchange import about
from connectors.protocols.nats.link import Link, answerable
from connectors.protocols.nats.settings import NatsConfig, offer_of
from connectors.protocols.nats.words import receipt, shows, understood

if TYPE_CHECKING:
    from nats.aio.msg import Msg

    from connectors.connector import Outcome, Surroundings

KEPT_BYTES = 64 * 1024
"""How much of what can't be understood is kept for people to look at."""


class Nats:
    """Hears such a system, tells it, and asks it."""

    Config: ClassVar[type[ConnectorConfig]] = NatsConfig
    summary: ClassVar[str] = "A system that speaks NATS itself: canonical JSON by request and reply."

    def __init__(self, config: NatsConfig, surroundings: Surroundings) -> None:
        self._config, self._surroundings = config, surroundings
        self._subject = config.spoken_on(surroundings.system)
        self._says = frozenset(map(offer_of, config.says))
        self.offers = self._says | {Offer(name, Verb.SHOW) for name in config.answers}
        self.accepts: Mapping[Offer, Accept] = {
            offer_of(text): Accept(config.effect, concurrency=config.concurrency) for text in config.takes
        }
        self._link: Link | None = None
        self._last_data: datetime | None = None
        self._nobody = ""

    async def connect(self) -> None:
        """As Connector.connect. That the system itself is there shows when it is told something."""
        if self._link is not None and self._link.alive:
            return
        await self.close()
        link = Link(self._config, self._surroundings.folder, f"mombus {self._surroundings.system}")
        await link.open(f"{self._subject}.say.>" if self._config.says else None)
        self._link = link

    async def close(self) -> None:
        """As Connector.close."""
        link, self._link = self._link, None
        if link is not None:
            await link.close()

    async def probe(self) -> Probe:
        """As Connector.probe."""
        try:
            await self._open().look()
        except ConnectorError as error:
            return Probe(Health.DOWN, str(error), self._last_data)
        if self._nobody:
            return Probe(Health.DEGRADED, self._nobody, self._last_data)
        return Probe(Health.OK, last_data=self._last_data)

    async def read(self, bookmark: str | None) -> AsyncIterator[Item]:
        """As Source.read; it needs no bookmark: who wasn't answered says it again."""
        link = self._open()
        if not self._says:
            await link.end()
        while True:
            asked = await link.said()
            self._last_data = datetime.now(UTC)
            yield self._item(link, asked)

    def _item(self, link: Link, asked: Sequence[Msg]) -> Item:
        """All that waits, in one piece: it is stored whole, and answered one by one."""
        now = datetime.now(UTC)
        read = [self._read(message, now) for message in asked]
        return Item(
            messages=tuple(one for one in read if isinstance(one, Message)),
            faults=tuple(one for one in read if isinstance(one, Fault)),
            settle=partial(_settled, link, list(zip(asked, read, strict=True))),
        )  # fmt: skip

    def _read(self, asked: Msg, now: datetime) -> Message | Fault:
        place = asked.subject.removeprefix(f"{self._subject}.say.")
        try:
            if not answerable(asked):
                raise MappingError(f"its answer is to go to {asked.reply or 'nobody'!r}: say it as a request")
            return understood(
                self._offered(place), asked.headers or {}, asked.data, self._surroundings, now,
                most=self._config.max_bytes,
            )  # fmt: skip
        except MappingError as error:
            reason = str(error)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one must not hold up the next
            reason = f"it can't be understood: {type(error).__name__}: {error}"
        return Fault(place, reason, asked.data[:KEPT_BYTES])

    def _offered(self, place: str) -> Offer:
        name, _, verb = place.partition(".")
        for offer in self._says:
            if (offer.object, offer.verb) == (name, verb or "sync"):
                return offer
        raise MappingError(f"'{place}' is nothing that it is declared to say: {', '.join(self._config.says)}")

    async def write(self, messages: Sequence[Message]) -> Sequence[Receipt | ConnectorError]:
        """As Sink.write."""
        return await asyncio.gather(*map(self._written, messages))

    def rendered(self, message: Message) -> Sequence[Rendered]:
        """The request, with its subject as the place."""
        subject = f"{self._subject}.{_taken(message)}"
        return (Rendered(method="REQUEST", place=subject, content=message.content, headers=to_headers(message)),)

    async def _written(self, message: Message) -> Receipt | ConnectorError:
        try:
            with about(message.id):
                answer = await self._asked(_taken(message), message.content, to_headers(message))
        except ConnectorError as error:
            return error
        return OutcomeUnknown("it says that it doesn't know what it is told") if isinstance(answer, Absent) else answer

    async def find(self, message: Message) -> Receipt | Absent:
        """As Sink.find: it is asked for the id."""
        about = {"id": message.id, "object": message.object, "verb": message.verb, "key": message.key}
        return await self._asked("find", json.dumps(about, ensure_ascii=False).encode(), {})

    async def answer(self, get: Message) -> AsyncIterator[Message]:
        """As Answers.answer."""
        if get.object not in self._config.answers:
            raise Rejected(f"it isn't declared to answer gets of {get.object}")
        content = await self._open().ask(f"{self._subject}.get.{get.object}", get.content, to_headers(get))
        most = self._config.max_bytes
        for show in shows(get, content, self._surroundings, datetime.now(UTC), most=most):
            yield show

    async def _asked(self, place: str, content: bytes, headers: Mapping[str, str]) -> Receipt | Absent:
        try:
            answer = await self._open().ask(f"{self._subject}.{place}", content, headers)
        except NotConnected as error:
            self._nobody = str(error)
            raise
        self._nobody, self._last_data = "", datetime.now(UTC)
        return receipt(answer, self._config.max_bytes)

    def _open(self) -> Link:
        if self._link is None:
            raise NotConnected(f"not connected to {self._config.url}")
        return self._link


def _taken(message: Message) -> str:
    return f"take.{message.object}.{message.verb}"


async def _settled(link: Link, read: Sequence[tuple[Msg, Message | Fault]], outcomes: Sequence[Outcome]) -> None:
    """Answer everything that was read in one piece; the outcomes are those of the messages, in order."""
    left = iter(outcomes)
    for asked, one in read:
        await link.answer(asked, _kept(one) if isinstance(one, Fault) else _said(next(left)))


def _kept(fault: Fault) -> dict[str, Any]:
    """Nobody gets it; people find it among what is kept."""
    return {"status": "kept", "reason": fault.reason}


def _said(outcome: Outcome) -> dict[str, Any]:
    """Stored; or refused by who owns what, and kept as a disagreement."""
    status = "stored" if outcome.accepted else "refused"
    told = {"status": status, "id": outcome.message_id, "key": outcome.key, "reason": outcome.reason}
    return {name: value for name, value in told.items() if value is not None}
