"""Open requests: closed by the first answer, or by their expiry, which is an answer too."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import unquote

from sqlalchemy.exc import SQLAlchemyError

from canonical.message import Action, Message, Verb
from canonical.objects import UnknownObjectError
from canonical.subjects import filter_subject
from canonical.wire import HeaderError, from_stored, to_headers
from mombus.bus.errors import BusError
from mombus.bus.streams import MOM
from mombus.journal import requests as table
from mombus.journal.requests import Asked, OpenRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from nats.aio.msg import Msg
    from nats.js import JetStreamContext
    from sqlalchemy import Connection

    from mombus.bus.connection import Bus
    from mombus.journal.journal import Journal
    from mombus.ownership.decision import Request

DURABLE = "requests"
ANSWERS = (Verb.ACKNOWLEDGE, Verb.RESPOND, Verb.CONFIRM, Verb.SHOW)
_LOOK_S = 1.0
_MOST_S = 60.0
_SHARED_S = 5.0
"""How often requests are looked at that other hubs may have recorded."""
_BATCH = 100
_FETCH_S = 2.0


class Requests:
    """Records requests, closes them with their answers, and rejects those that nobody answered in time.

    All of it survives a restart: the rows are in the journal, and the answers are read by a durable consumer.
    """

    def __init__(
        self, bus: Bus, journal: Journal, *, observe: Callable[[str], None] | None = None, shared: bool = False
    ) -> None:
        self._bus = bus
        self._journal = journal
        self._observe = observe or (lambda _text: None)
        self._more = asyncio.Event()
        self._look_s = _SHARED_S if shared else _MOST_S

    async def record(self, request: Request, now: datetime) -> None:
        """Keep an open request, before it is published. One that is known already keeps its expiry."""
        message = request.message
        row = OpenRequest(
            id=message.id, asker=message.source, owner=request.owner, object=message.object, verb=message.verb,
            key=message.key, site=message.site, lanes=to_headers(message)["ce-lanes"], asked=now,
            expires=now + request.expiry,
        )  # fmt: skip
        await self._journal.write(lambda c: table.record(c, row))
        self._more.set()

    async def find(self, id: str | None) -> OpenRequest | None:
        """The request with that id."""
        return None if id is None else await self._journal.read(lambda c: table.find(c, id))

    async def is_over(self, id: str) -> bool:
        """True when a request has expired: its asker was told Rejected, so that its owner must not act on it."""
        found = await self.find(id)
        return found is not None and found.state is Asked.EXPIRED

    async def act_on(self, id: str) -> bool:
        """Keep a request from expiring while its owner is told of it; False when it has expired already.

        Its asker is told Rejected or its owner acts on it, never both, whenever either is killed: both are decided in
        the journal. Delivery lets it go where nothing came of it.
        """
        return bool(await self._journal.write(lambda c: table.act_on(c, id)))

    def running(self) -> tuple[Coroutine[None, None, None], Coroutine[None, None, None]]:
        """What closes and what expires, for ever: each for a task of its own.

        The broker's client may swallow a cancellation, and a group of tasks passes on the first one only.
        """
        return self._read_answers(), self._expire_in_time()

    async def expire(self, now: datetime) -> int:
        """Reject what nobody answered until `now`; returns how many that were.

        The row is closed first, so that no answer can come after; a kill before the asker is told is made up for later.
        """
        await self._journal.write(lambda c: table.expire(c, now))
        told = 0
        while late := await self._journal.read(table.untold):
            for request in late:
                await self._bus.publish(_expired(request, now))
                await self._journal.write(partial(table.told, id=request.id, now=now))
                asked = f"{request.verb} {request.object} {request.key}"
                self._observe(f"{asked} of {request.asker} expired: {request.owner} didn't answer")
            told += len(late)
        return told

    async def _expire_in_time(self) -> None:
        while True:
            self._more.clear()
            try:
                await self.expire(datetime.now(UTC))
                upcoming = await self._journal.read(table.next_expiry)
            except (BusError, SQLAlchemyError) as error:
                self._observe(f"open requests can't be expired: {error}; trying again")
                await asyncio.sleep(_LOOK_S)
                continue
            try:
                async with asyncio.timeout(self._pause_s(upcoming)):
                    await self._more.wait()
            except TimeoutError:
                continue

    def _pause_s(self, upcoming: datetime | None) -> float:
        """How long nothing expires. One that should have is looked at again soon: it is acted on, and may be let go."""
        if upcoming is None:
            return self._look_s
        left_s = (upcoming - datetime.now(UTC)).total_seconds()
        return min(self._look_s, left_s if left_s > 0 else _LOOK_S)

    async def _read_answers(self) -> None:
        from nats.errors import Error  # noqa: PLC0415
        from nats.js.errors import APIError  # noqa: PLC0415

        reader = None
        while True:
            try:
                reader = reader or await _subscribe(self._bus.js)
                for delivery in await reader.fetch(_BATCH, timeout=_FETCH_S):
                    await self._answered(delivery)
            except TimeoutError:
                continue
            except (Error, APIError, ConnectionError) as error:
                self._observe(f"answers can't be read: {error}; trying again")
                reader = None
                await asyncio.sleep(_LOOK_S)

    async def _answered(self, delivery: Msg) -> None:
        try:
            reply = from_stored(delivery.subject, delivery.headers or {}, delivery.data)
        except (HeaderError, UnknownObjectError):
            await delivery.ack()
            return
        if reply.correlation is not None:
            await self._close(partial(
                table.answer, id=reply.correlation, owner=reply.source, action=reply.action, reason=reply.reason,
                document=reply.document, now=datetime.now(UTC),
            ))  # fmt: skip
        await delivery.ack()

    async def _close(self, work: Callable[[Connection], bool]) -> None:
        """Until it is written: an answer that isn't would let its request expire."""
        while True:
            try:
                await self._journal.write(work)
            except SQLAlchemyError as error:
                self._observe(f"an answer can't be noted: {error}; trying again")
                await asyncio.sleep(_LOOK_S)
            else:
                return


async def _subscribe(js: JetStreamContext) -> JetStreamContext.PullSubscription:
    from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy  # noqa: PLC0415

    config = ConsumerConfig(
        durable_name=DURABLE, ack_policy=AckPolicy.EXPLICIT, deliver_policy=DeliverPolicy.ALL, ack_wait=30,
        filter_subjects=[filter_subject(verb=verb) for verb in ANSWERS], max_ack_pending=1000,
    )  # fmt: skip
    await js.add_consumer(MOM, config)
    return await js.pull_subscribe_bind(DURABLE, MOM)


def _expired(request: OpenRequest, now: datetime) -> Message:
    """What the asker is told. It is the owner's silence, so it comes from the owner, by the hub."""
    return Message(
        id=f"{request.id}:expired", object=request.object, verb=Verb.ACKNOWLEDGE, action=Action.REJECTED,
        source=request.owner, site=request.site, key=request.key,
        lanes=tuple(unquote(lane) for lane in request.lanes.split(",")), occurred=now, recorded=now, revision=0,
        by="mombus", correlation=request.id, to=request.asker,
        reason=f"expired: {request.owner} did not answer until {request.expires.isoformat(timespec='seconds')}",
    )  # fmt: skip
