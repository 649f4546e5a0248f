"""What the broker notices by itself: consumers and streams that disappear, messages nobody settles."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from mombus.bus.requests import DURABLE

if TYPE_CHECKING:
    from collections.abc import Callable

    from mombus.bus.connection import Bus

INBOX = "to-"
"""How the names of the targets' consumers begin."""
GRACE_S = 3.0
"""A consumer that is made again within this was deleted to be read from another place."""

_ROOT = "$JS.EVENT.ADVISORY"
_NEVER_SETTLED = "{consumer} of {stream} never settled message {stream_seq} in {deliveries} deliveries"


async def watch_advisories(bus: Bus, observe: Callable[[str], None], *, grace_s: float = GRACE_S) -> None:
    """Tell `observe` in a sentence from now on, until the bus is closed.

    Only what matters here: a broker of one's own has other streams and consumers too, and readers come and go.
    """

    async def never_settled(message: Any) -> None:
        observe(_said(_NEVER_SETTLED, message.data))

    async def stream_deleted(message: Any) -> None:
        observe(_said("the stream {stream} was deleted", message.data))

    async def consumer_deleted(message: Any) -> None:
        stream, consumer = _names(message.subject)
        if not (consumer.startswith(INBOX) or consumer == DURABLE):
            return
        await asyncio.sleep(grace_s)
        if not await _there(bus, stream, consumer):
            observe(f"the consumer {consumer} of {stream} was deleted, and isn't made again")

    for kind, told in {
        "CONSUMER.MAX_DELIVERIES.>": never_settled, "CONSUMER.DELETED.>": consumer_deleted,
        "STREAM.DELETED.>": stream_deleted,
    }.items():  # fmt: skip
        await bus.client.subscribe(f"{_ROOT}.{kind}", cb=told)


async def _there(bus: Bus, stream: str, consumer: str) -> bool:
    """False only if the broker says that it isn't."""
    from nats.errors import Error  # noqa: PLC0415 - imported where it is used
    from nats.js.errors import NotFoundError  # noqa: PLC0415

    try:
        await bus.js.consumer_info(stream, consumer)
    except NotFoundError:
        return False
    except (Error, TimeoutError, ConnectionError):
        return True
    return True


def _names(subject: str) -> tuple[str, str]:
    """Stream and consumer of an advisory's subject."""
    *_, stream, consumer = subject.split(".")
    return stream, consumer


def _said(sentence: str, data: bytes) -> str:
    try:
        return sentence.format_map(_Fields(json.loads(data)))
    except ValueError:
        return f"the broker reports something unreadable: {data[:200]!r}"


class _Fields(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return f"({key} unknown)"
