"""Where a message's spans belong: ids that every process derives alike, so that nothing has to be carried.

A message that brought a trace context (W3C `traceparent`) goes on in that trace. Any other begins one, whose id is
derived from its own id; what answers it is in the same one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256

TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
"""Version 00 of W3C Trace Context, section 3.2."""
SAMPLED = 1


@dataclass(frozen=True, slots=True)
class Place:
    """Where a span goes: its trace, its parent if it has one, and whether the trace is recorded."""

    trace_id: int
    parent_id: int | None
    is_sampled: bool


def stored_id(message_id: str) -> int:
    """The id of the span that ends when a message is stored: parent of all that follows."""
    return _number(f"{message_id} stored", 8)


def hop_id(message_id: str, target: str, state: str, at_ns: int) -> int:
    """The id of a span that ends when something became of a message at a target."""
    return _number(f"{message_id} {target} {state} {at_ns}", 8)


def place_of(message_id: str, traceparent: str | None, correlation: str | None, share: float) -> Place:
    """Where the span of a message's storing goes. `share` (0 to 1) of the traces that begin here is recorded.

    An unreadable `traceparent` is as good as none.
    """
    brought = TRACEPARENT.fullmatch(traceparent or "")
    if brought and int(brought[1], 16) and int(brought[2], 16):
        return Place(int(brought[1], 16), int(brought[2], 16), bool(int(brought[3], 16) & SAMPLED))
    trace_id = _number(correlation or message_id, 16)
    parent_id = stored_id(correlation) if correlation else None
    return Place(trace_id, parent_id, (trace_id & (2**64 - 1)) < share * 2**64)


def _number(text: str, size: int) -> int:
    """Never 0, which means none."""
    return int.from_bytes(sha256(text.encode()).digest()[:size], "big") or 1
