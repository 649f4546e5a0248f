"""Every message in the log, when it is asked for: a line when it is stored, one for what becomes of it at each target.

Each has the message's id, what it answers, and its trace, so that logs, traces and pages lead to each other. A line
costs its time, so these are told at the level `info` only, which `mombus run --verbose` shows.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import structlog

from mombus.tracing.context import place_of

if TYPE_CHECKING:
    from datetime import datetime

    from canonical.message import Message
    from mombus.delivery.target import Hop

log = structlog.get_logger()


def log_stored(message: Message, at: datetime) -> None:
    """A message is on the bus."""
    if _is_asked_for():
        log.info(
            "stored", id=message.id, object=message.object, verb=message.verb, key=message.key, source=message.source,
            lane=message.lane, correlation=message.correlation, stored=at.isoformat(),
            trace=_trace(message.id, message.traceparent, message.correlation),
        )  # fmt: skip


def log_hop(hop: Hop) -> None:
    """Something became of it at a target."""
    if _is_asked_for():
        log.info(
            hop.state.value, id=hop.message_id, object=hop.object, key=hop.key, target=hop.target,
            reason=hop.reason or None, document=hop.document, delay_s=hop.delay_s, correlation=hop.correlation,
            trace=_trace(hop.message_id, hop.traceparent, hop.correlation),
        )  # fmt: skip


def _is_asked_for() -> bool:
    """Nobody who uses the hub as a library is told on their terminal what they didn't ask for."""
    return structlog.is_configured() and bool(log.is_enabled_for(logging.INFO))


def _trace(id: str, traceparent: str | None, correlation: str | None) -> str:
    return f"{place_of(id, traceparent, correlation, 1.0).trace_id:032x}"
