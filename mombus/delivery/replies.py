"""What a request is answered with: the target's own reply or the plain acknowledgement."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from canonical.message import Action, Message, Verb
from canonical.wire import from_headers, to_headers

if TYPE_CHECKING:
    from datetime import datetime

    from connectors.connector import Receipt


def reply_id(request_id: str, system: str) -> str:
    """The id of a system's reply to a request: said again, it is the same."""
    return f"{request_id}:{system}"


def accepted(request: Message, receipt: Receipt, system: str, now: datetime) -> Message:
    """The target's answer, addressed to who asked; without one the plain acknowledgement."""
    if receipt.reply is not None:
        return addressed(receipt.reply, request, reply_id(request.id, system))
    return _acknowledgement(request, system, now, Action.ACCEPTED, document=receipt.document)


def rejected(request: Message, reason: str, system: str, now: datetime) -> Message:
    """The refusal, with its reason."""
    return _acknowledgement(request, system, now, Action.REJECTED, reason=reason)


def addressed(reply: Message, request: Message, id: str) -> Message:
    """`reply` as the answer to `request`."""
    return replace(reply, id=id, to=request.source, correlation=request.id)


def packed(reply: Message) -> tuple[str, bytes]:
    """A reply as the journal keeps it: headers as JSON, content."""
    return json.dumps(to_headers(reply)), reply.content


def unpacked(headers: str, content: bytes) -> Message:
    """A reply from the journal."""
    return from_headers(json.loads(headers), content)


def _acknowledgement(
    request: Message, system: str, now: datetime, action: Action, *, reason: str | None = None,
    document: str | None = None,
) -> Message:  # fmt: skip
    return Message(
        id=reply_id(request.id, system), object=request.object, verb=Verb.ACKNOWLEDGE, action=action, source=system,
        site=request.site, key=request.key, lanes=request.lanes, occurred=now, recorded=now, revision=0,
        correlation=request.id, to=request.source, reason=reason, document=document, traceparent=request.traceparent,
    )  # fmt: skip
