"""What the broker notices by itself: consumers and streams that disappear, messages nobody settles."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from mombus.bus.connection import Bus

_ROOT = "$JS.EVENT.ADVISORY"
_KINDS = {
    "CONSUMER.MAX_DELIVERIES.>": "{consumer} of {stream} never settled message {stream_seq} in {deliveries} deliveries",
    "CONSUMER.DELETED.>": "the consumer {consumer} of {stream} was deleted",
    "STREAM.DELETED.>": "the stream {stream} was deleted",
}


async def watch_advisories(bus: Bus, observe: Callable[[str], None]) -> None:
    """Tell `observe` in a sentence from now on, until the bus is closed."""
    for kind, sentence in _KINDS.items():

        async def told(message: Any, sentence: str = sentence) -> None:
            observe(_said(sentence, message.data))

        await bus.client.subscribe(f"{_ROOT}.{kind}", cb=told)


def _said(sentence: str, data: bytes) -> str:
    try:
        return sentence.format_map(_Fields(json.loads(data)))
    except ValueError:
        return f"the broker reports something unreadable: {data[:200]!r}"


class _Fields(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return f"({key} unknown)"
