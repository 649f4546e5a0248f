"""Reading a target's messages from the stream: one durable consumer, whose position is the journal's."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from mombus.delivery.pull import Pull, RequestEnded

if TYPE_CHECKING:
    from datetime import datetime

    from nats.aio.msg import Msg
    from nats.js import JetStreamContext

    from mombus.delivery.target import Patience

STREAM = "MOM"
BATCH = 500


class Place(NamedTuple):
    """Where a delivered message stands: in the stream, among the consumer's deliveries, and how many come after."""

    seq: int
    number: int
    stored_ns: int
    pending: int


class ReadingLost(Exception):  # noqa: N818 - a fact to act on
    """The consumer is gone, or deliveries were lost on the way: read again from the journal's position."""


class OtherStream(Exception):  # noqa: N818 - a fact to act on
    """The stream isn't the one the journal knows."""


def place(reply: str) -> Place:
    """Read a place from an acknowledgement subject, `$JS.ACK.…`, of a server with or without a domain."""
    parts = reply.split(".")
    first = 5 if len(parts) == 9 else 7
    seq, number, stored_ns, pending = parts[first : first + 4]
    return Place(int(seq), int(number), int(stored_ns), int(pending))


class Reader:
    """One target's durable consumer.

    Opening makes it anew at the given position, so that what was in hand when the hub stopped comes again at once and
    in order; what is done of it meets the journal. A hole in the consumer's numbering is a delivery lost on the way:
    going on would let later messages overtake it, so it is ReadingLost.
    """

    def __init__(self, js: JetStreamContext, name: str, patience: Patience, stream: str = STREAM) -> None:
        self._js = js
        self._name = name
        self._patience = patience
        self._stream = stream
        self._pull: Pull | None = None
        self._number = 0
        self._leaving = False

    async def open(self, subject: str, after: int) -> None:
        """Read `subject` from the first message after stream sequence `after`."""
        from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy  # noqa: PLC0415 - heavy
        from nats.js.errors import NotFoundError  # noqa: PLC0415

        await self.close()
        with suppress(NotFoundError):
            await self._js.delete_consumer(self._stream, self._name)
        config = ConsumerConfig(
            durable_name=self._name, filter_subject=subject, deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=after + 1, ack_policy=AckPolicy.EXPLICIT, ack_wait=self._patience.ack_wait_s,
            max_deliver=-1, max_ack_pending=2 * self._patience.window,
        )  # fmt: skip
        await self._js.add_consumer(self._stream, config)
        self._pull = Pull(self._js, self._stream, self._name)
        await self._pull.open()
        self._number = 0

    async def fetch(self, most: int) -> list[tuple[Place, Msg]] | None:
        """About `most` messages, none after `idle_s` without any; None when the broker didn't say whether there are.

        A request may be lost on its way, or its answer late, or not be waited for any more: that is no sign that
        everything was read. Raises ReadingLost, and OSError without a broker.
        """
        from nats.errors import Error  # noqa: PLC0415 - heavy

        if self._pull is None:
            raise ReadingLost("not open")
        if self._leaving:
            return None
        try:
            fetched = await self._pull.fetch(min(most, BATCH), self._patience.idle_s)
        except TimeoutError:
            await self._check()
            return None
        except (RequestEnded, Error) as error:
            raise ReadingLost(str(error) or type(error).__name__) from error
        if self._leaving and not fetched:
            return None
        return [self._next(message) for message in fetched]

    def leave(self) -> None:
        """Wait no more for what may come: whoever fetches gets what is there."""
        self._leaving = True
        if self._pull is not None:
            self._pull.leave()

    async def all_read(self) -> int | None:
        """The stream's last sequence if all up to it has come; None if something is on its way, or nobody says."""
        from nats.errors import Error  # noqa: PLC0415 - heavy

        try:
            last, _ = await self.facts()
            consumer = await self._js.consumer_info(self._stream, self._name)
        except (Error, OSError):
            return None
        complete = consumer.num_pending == 0 and consumer.delivered.consumer_seq == self._number
        return last if complete else None

    async def left(self, otherwise: int) -> int:
        """How much isn't read yet; `otherwise` when nobody says."""
        from nats.errors import Error  # noqa: PLC0415 - heavy

        try:
            consumer = await self._js.consumer_info(self._stream, self._name)
        except (Error, OSError):
            return otherwise
        on_its_way: int = consumer.delivered.consumer_seq - self._number
        return (consumer.num_pending or 0) + on_its_way

    async def facts(self) -> tuple[int, datetime]:
        """The stream's last sequence and creation time."""
        info = await self._js.stream_info(self._stream)
        if info.created is None:
            raise OtherStream(f"the broker doesn't say when stream {self._stream} was created")
        return info.state.last_seq, info.created

    async def close(self) -> None:
        """Stop reading. The durable stays, so that the broker keeps its interest."""
        if self._pull is not None:
            with suppress(Exception):
                await self._pull.close()
        self._pull = None

    def _next(self, message: Msg) -> tuple[Place, Msg]:
        where = place(message.reply)
        if where.number != self._number + 1:
            raise ReadingLost(f"deliveries {self._number + 1} to {where.number - 1} didn't arrive")
        self._number = where.number
        return where, message

    async def _check(self) -> None:
        from nats.errors import Error  # noqa: PLC0415 - heavy
        from nats.js.errors import NotFoundError  # noqa: PLC0415

        try:
            await self._js.consumer_info(self._stream, self._name)
        except NotFoundError as error:
            raise ReadingLost(f"consumer {self._name} was deleted") from error
        except Error as error:
            raise ConnectionError(f"the broker doesn't answer: {type(error).__name__}") from error
