"""How spans and their attributes are called: the one place that follows OpenTelemetry's messaging conventions.

They are still in development (semantic conventions 1.36, "messaging spans"); when names change, they change here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from canonical.message import Message
    from mombus.delivery.target import Hop

SERVICE = "service.name"
VERSION = "service.version"
SITE = "mombus.site"


def stored_name(message: Message) -> str:
    """The span from a message's first note to its place on the bus: `{operation} {destination}`."""
    return f"receive {message.object}"


def stored_attributes(message: Message) -> Mapping[str, Any]:
    """What is known of it when it is stored."""
    known = {
        "messaging.system": "mombus", "messaging.operation.type": "receive", "messaging.operation.name": message.verb,
        "messaging.destination.name": message.object, "messaging.message.id": message.id,
        "messaging.message.conversation_id": message.correlation, "mombus.source": message.source,
        "mombus.site": message.site, "mombus.key": message.key, "mombus.lane": message.lane,
        "mombus.revision": message.revision, "mombus.document": message.document,
    }  # fmt: skip
    return {name: value for name, value in known.items() if value is not None}


def hop_name(hop: Hop) -> str:
    """The span from a message's place on the bus to what became of it at a target."""
    return f"send {hop.object} to {hop.target}"


def hop_attributes(hop: Hop) -> Mapping[str, Any]:
    """What became of it."""
    known = {
        "messaging.system": "mombus", "messaging.operation.type": "send", "messaging.operation.name": hop.state,
        "messaging.destination.name": hop.object, "messaging.message.id": hop.message_id, "mombus.target": hop.target,
        "mombus.key": hop.key, "mombus.state": hop.state, "mombus.document": hop.document, "mombus.late": hop.late,
    }  # fmt: skip
    return {name: value for name, value in known.items() if value is not None}
