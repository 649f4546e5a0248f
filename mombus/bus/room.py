"""Room in MOM: when its size limit is near, the oldest history that nobody needs any more makes room before its age."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mombus.bus.streams import LATEST, MOM

if TYPE_CHECKING:
    from nats.js import JetStreamContext
    from nats.js.api import ConsumerInfo

NEARLY_FULL = 0.9
"""The share of its limit at which the oldest make room."""
AT_ONCE = 0.1
"""The share of the limit that is freed in one go."""
HEARD_NS = 5_000_000_000
"""A source of LATEST that told nothing for so long has no connection."""
PAGE = 256


class Room(NamedTuple):
    """How much of its limit MOM uses, in bytes; how many messages were dropped; whose reading keeps the oldest."""

    used: int
    limit: int
    dropped: int = 0
    kept_for: str | None = None

    @property
    def full(self) -> bool:
        """True if it is nearly full and nothing can be dropped."""
        return self.limit > 0 and not self.dropped and self.used >= NEARLY_FULL * self.limit


async def make_room(js: JetStreamContext) -> Room:
    """Drop the oldest of MOM if it is nearly full, only what every durable has settled, and what LATEST has.

    What a target has still to get is never dropped: then MOM stays full and takes nothing in, until it got it.
    """
    stream = await js.stream_info(MOM)
    limit, state = stream.config.max_bytes or -1, stream.state
    if limit <= 0 or state.bytes < NEARLY_FULL * limit or not state.messages:
        return Room(state.bytes, limit)
    span = state.last_seq - state.first_seq + 1
    wanted = state.first_seq + max(1, int(span * AT_ONCE * limit / state.bytes))
    needed, reader = await _needed_from(js, state.last_seq + 1)
    first = min(wanted, needed)
    if first <= state.first_seq:
        return Room(state.bytes, limit, 0, reader)
    await js.purge_stream(MOM, seq=first)
    return Room(state.bytes, limit, first - state.first_seq, reader)


async def _needed_from(js: JetStreamContext, end: int) -> tuple[int, str | None]:
    """The first sequence that a durable hasn't settled yet, and which; `end` when all of them have everything."""
    if not await _latest_has_all(js):
        return 0, LATEST
    first, reader, offset = end, None, 0
    while page := await js.consumers_info(MOM, offset=offset):
        for one in page:
            if one.config.durable_name and _floor(one, end) + 1 < first:
                first, reader = _floor(one, end) + 1, one.name
        offset += PAGE
    return first, reader


async def _latest_has_all(js: JetStreamContext) -> bool:
    """Each source tells every second how far it is; the oldest tenth of MOM is older than that second."""
    sources = (await js.stream_info(LATEST)).sources or ()
    return all(not one.lag and 0 <= (one.active or 0) < HEARD_NS for one in sources)


def _floor(consumer: ConsumerInfo, end: int) -> int:
    if not consumer.num_pending and not consumer.num_ack_pending:
        return end - 1
    return (consumer.ack_floor.stream_seq or 0) if consumer.ack_floor else 0
