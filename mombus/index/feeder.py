"""Reads the stream of business messages into the index, from where it stopped."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import structlog
from sqlalchemy import delete, func, insert, select

from canonical.objects import UnknownObjectError, data_object
from canonical.references import references
from canonical.wire import HeaderError, from_stored
from mombus.bus import claims
from mombus.bus.errors import BodyGone
from mombus.bus.streams import MOM
from mombus.index import texts
from mombus.index.searching import LAST
from mombus.index.tables import REVERSES, hops, messages, read_from, read_outcomes, refs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from nats.aio.msg import Msg
    from nats.js import JetStreamContext
    from nats.js.api import ConsumerInfo
    from sqlalchemy import Connection

    from canonical.message import Message
    from mombus.journal.journal import Journal

BATCH = 500
IN_ONE_STEP = 25
"""Bodies looked into until others have their turn: an order takes a tenth of a millisecond and more."""
IDLE_S = 1.0
AGAIN_S = 1.0
GOODBYE_S = 1.0

log = structlog.get_logger()


class _Arrivals:
    """Whether all that was delivered has arrived: a connection that ends loses what is on its way, and the broker, whom
    nobody tells what came, doesn't say it again.
    """

    def __init__(self) -> None:
        self._number = 0
        self._sent = 0

    def came(self, batch: Sequence[Msg]) -> None:
        """These came next. Raises ConnectionError when one before them was lost."""
        for msg in batch:
            self._number += 1
            if msg.metadata.sequence.consumer != self._number:
                raise ConnectionError(f"delivery {self._number} was lost on its way")

    def none_came(self, info: ConsumerInfo) -> None:
        """Nothing came for IDLE_S. Raises ConnectionError when something was sent before that."""
        if self._number < self._sent:
            raise ConnectionError(f"deliveries {self._number + 1} to {self._sent} were lost on their way")
        self._sent = (info.delivered.consumer_seq or 0) if info.delivered else 0


class Feeder:
    """Feeds one index. `seen` is called with every message once it is indexed.

    `unreadable` is told the subject and the reason of what is no message, or another than its subject says. With
    `bodies` their words are kept too, for free text.
    """

    def __init__(
        self,
        js: JetStreamContext,
        index: Journal,
        seen: Callable[[Message, datetime], None],
        unreadable: Callable[[str, str], None] = lambda _subject, _reason: None,
        *,
        bodies: bool = True,
    ) -> None:
        self._js = js
        self._index = index
        self._seen = seen
        self._unreadable = unreadable
        self._bodies = bodies

    async def run(self) -> None:
        """Read for ever; an outage of the broker is waited out, then reading goes on where it stopped."""
        from nats.errors import Error  # noqa: PLC0415 - the client is imported where it is used

        while True:
            try:
                await self._read()
            except (Error, ConnectionError, TimeoutError) as error:
                log.debug("index paused", reason=str(error) or type(error).__name__)
            except Exception:
                log.exception("the index can't be fed now; the hub doesn't need it")
            await asyncio.sleep(AGAIN_S)

    async def _read(self) -> None:
        from nats.errors import TimeoutError as NothingYet  # noqa: PLC0415
        from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy  # noqa: PLC0415

        created = (await self._js.stream_info(MOM)).created
        if created is None:
            raise ConnectionError("the broker doesn't tell when the stream was created")
        last = await self._index.write(lambda connection: _resume(connection, created))
        config = ConsumerConfig(
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=last + 1, ack_policy=AckPolicy.NONE,
            inactive_threshold=60.0,
        )  # fmt: skip
        consumer = await self._js.pull_subscribe("", stream=MOM, config=config)
        name = (await consumer.consumer_info()).name
        arrivals = _Arrivals()
        try:
            while True:
                try:
                    batch = await consumer.fetch(BATCH, timeout=IDLE_S)
                except NothingYet:
                    arrivals.none_came(await consumer.consumer_info())
                    continue
                arrivals.came(batch)
                await self._store(batch)
        finally:
            await asyncio.shield(_put_away(self._js, consumer, name))

    async def _store(self, batch: Sequence[Msg]) -> None:
        entries: list[tuple[Message, int, datetime]] = []
        named: list[dict[str, Any]] = []
        words: list[tuple[int, str]] = []
        for start in range(0, len(batch), IN_ONE_STEP):
            part = [entry for entry in map(self._read_one, batch[start : start + IN_ONE_STEP]) if entry is not None]
            for message, seq, _ in part:
                whole = await self._whole(message)
                named += _refs(whole, seq)
                words.append((seq, _words(whole, bodies=self._bodies)))
            entries += part
            await asyncio.sleep(0)
        rows = [_row(message, seq, stored) for message, seq, stored in entries]
        await self._index.write(lambda connection: _insert(connection, rows, named, words))
        for message, _, stored in entries:
            self._tell(message, stored)

    async def _whole(self, message: Message) -> Message:
        """With the body, once, for what it names; nothing of it stays in memory."""
        try:
            return await claims.whole(self._js, message)
        except BodyGone as gone:
            log.warning("references not indexed", id=message.id, reason=str(gone))
            return message

    def _read_one(self, msg: Msg) -> tuple[Message, int, datetime] | None:
        try:
            message = from_stored(msg.subject, msg.headers or {}, msg.data)
            data_object(message.object)
        except (HeaderError, UnknownObjectError) as error:
            log.warning("not indexed", subject=msg.subject, reason=str(error))
            self._unreadable(msg.subject, str(error))
            return None
        return message, msg.metadata.sequence.stream, msg.metadata.timestamp

    def _tell(self, message: Message, stored: datetime) -> None:
        try:
            self._seen(message, stored)
        except Exception:
            log.exception("what follows from a message failed", id=message.id)


async def _put_away(js: JetStreamContext, consumer: Any, name: str) -> None:
    """Nobody reads with it any more. Where the broker doesn't hear of that, it forgets it after a while."""
    from nats.errors import Error  # noqa: PLC0415

    try:
        await consumer.unsubscribe()
        async with asyncio.timeout(GOODBYE_S):
            await js.delete_consumer(MOM, name)
    except (Error, ConnectionError, TimeoutError) as error:
        log.debug("index consumer already gone", reason=str(error))


def _resume(connection: Connection, created: datetime) -> int:
    """Where to read on; a stream made anew empties the index first."""
    known = connection.execute(select(read_from.c.created).where(read_from.c.stream == MOM)).scalar()
    if known != created:
        for table in (messages, refs, hops, read_from, read_outcomes):
            connection.execute(delete(table))
        texts.forget(connection, LAST)
        connection.execute(insert(read_from).values(stream=MOM, created=created))
    return connection.execute(select(func.max(messages.c.seq))).scalar() or 0


def _row(message: Message, seq: int, stored: datetime) -> dict[str, Any]:
    return {
        "seq": seq, "id": message.id, "object": message.object, "verb": message.verb, "action": message.action,
        "source": message.source, "recipient": message.to, "key": message.key, "lane": message.lane,
        "revision": message.revision, "occurred": message.occurred, "recorded": message.recorded, "stored": stored,
        "correlation": message.correlation, "document": message.document, "reason": message.reason,
    }  # fmt: skip


def _refs(message: Message, seq: int) -> list[dict[str, Any]]:
    """What the message is about and names, each once."""
    found = {(message.object, message.key)} if message.key else set()
    if message.document:
        found.add(("document", message.document))
    if message.reverses:
        found.add((REVERSES, message.reverses))
    try:
        if message.content:
            own_id = getattr(message.body, "id", None)
            if own_id:
                found.add((message.object, own_id))
            found.update((named, value) for named, value, _ in references(message.body))
    except (ValueError, UnknownObjectError) as error:
        log.warning("references not indexed", id=message.id, reason=str(error))
    return [{"object": named, "value": value[:250], "seq": seq} for named, value in found]


def _words(message: Message, *, bodies: bool) -> str:
    try:
        return texts.words_of(message, bodies=bodies)
    except ValueError as error:
        log.warning("words not indexed", id=message.id, reason=str(error))
        return ""


def _insert(
    connection: Connection, rows: list[dict[str, Any]], named: list[dict[str, Any]], words: list[tuple[int, str]]
) -> None:
    if rows:
        connection.execute(insert(messages), rows)
    if named:
        connection.execute(insert(refs), named)
    texts.add(connection, words)
