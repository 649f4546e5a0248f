"""Results and errors of a connector as bytes, for a hub whose connector runs in another process.

An error of the connectors' tree arrives as the same class of that tree; what isn't of the tree as UnexpectedError.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from connectors import connector
from connectors.connector import (
    Absent,
    ConfigError,
    ConnectorError,
    Item,
    Level,
    Outcome,
    OutcomeUnknown,
    Receipt,
    RetryableError,
)
from connectors.exchange import MOST_BYTES
from mombus.bus.calls.framing import ROOM_FOR_HEADERS, Failure
from mombus.bus.items import pack, unpack
from mombus.hub.apart.overheard import heard, told

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from canonical.message import Message
    from connectors.exchange import Noted

ONE_MESSAGE = 1024 * 1024 - ROOM_FOR_HEADERS
"""Bytes in one message of a broker whose limits are left as they are."""
LONGEST_S = 86_400.0
"""The longest that a target may ask us to wait."""
MOST_DOCUMENT = 1000
"""Characters of a document number."""
MOST_FAILED, MOST_OF_FAILED = 4, 16 * 1024
"""What of the exchanges goes with an error, which is one message: so many calls, so many bytes of each text."""
LEAST_TOLD = 2048
"""Bytes that telling of one exchange needs at least."""
_TREE = {
    kind.__name__: kind
    for kind in vars(connector).values()
    if isinstance(kind, type) and issubclass(kind, ConnectorError)
}


class UnexpectedError(Exception):
    """A connector in another process failed with what is none of its errors."""


def failure(error: BaseException, noted: Sequence[Noted] = (), room: int = ONE_MESSAGE) -> Failure:
    """An error as it is told to the other process, with what of the exchanges before it there is `room` for."""
    last = list(noted)[-MOST_FAILED:]
    more: dict[str, Any] = {"exchanges": _exchanges(last, room // 2, MOST_OF_FAILED)} if last else {}
    if isinstance(error, RetryableError):
        more["retry_after_s"] = error.retry_after_s
    if isinstance(error, ConfigError):
        more["field"] = error.field
    if isinstance(error, OutcomeUnknown):
        more["answered"] = error.answered
    kind = next((cls.__name__ for cls in type(error).__mro__ if _TREE.get(cls.__name__) is cls), None)
    if kind is None:
        return Failure("unexpected", f"{type(error).__name__}: {error}", more)
    return Failure(kind, str(error), more)


def raised(failed: Failure) -> Exception:
    """The error that `failure` told."""
    kind = _TREE.get(failed.kind)
    if kind is None:
        return UnexpectedError(failed.text)
    if issubclass(kind, RetryableError):
        after_s = failed.more.get("retry_after_s")
        return kind(failed.text, after_s if isinstance(after_s, int | float) and 0 <= after_s <= LONGEST_S else None)
    if issubclass(kind, ConfigError):
        field = failed.more.get("field")
        return kind(failed.text, field if isinstance(field, str) else None)
    if issubclass(kind, OutcomeUnknown):
        return kind(failed.text, answered=failed.more.get("answered") is True)
    return kind(failed.text)


def pack_messages(messages: Sequence[Message]) -> bytes:
    """Messages as bytes."""
    return pack(Item(messages=tuple(messages)))


def unpack_messages(data: bytes) -> tuple[Message, ...]:
    """The messages that were packed. Raises ItemError."""
    return tuple(unpack(data).messages)  # type: ignore[arg-type] # no gaps were packed


def pack_answers(
    answers: Sequence[Receipt | Absent | BaseException], noted: Sequence[Noted] = (), room: int = ONE_MESSAGE
) -> bytes:
    """One answer per message: receipts with their replies, Absent, or errors; and of what was exchanged for them as
    much as goes with them in one message of `room` bytes. An answer of several may be lost between them."""
    replies: list[Message] = []
    said = json.dumps([_said(answer, replies) for answer in answers]).encode()
    packed = pack_messages(replies)
    exchanges = _exchanges(noted, room - len(said) - len(packed) - 2, MOST_BYTES)
    return b"\n".join((said, json.dumps(exchanges).encode(), packed))


def _exchanges(noted: Sequence[Noted], room: int, most_bytes: int) -> list[dict[str, Any]]:
    """Each with its share of the room, the first ones of too many; of a text that is longer the beginning."""
    found: list[dict[str, Any]] = []
    left = room
    for number, one in enumerate(noted):
        share = max(left // (len(noted) - number), LEAST_TOLD)
        said = told(one, min(most_bytes, share // 4))
        size = len(json.dumps(said)) + 2
        if size <= min(share, left):
            found.append(said)
            left -= size
    return found


def unpack_answers(data: bytes) -> list[Receipt | Absent | Exception]:
    """The answers that were packed. Raises ValueError, whatever else came."""
    said, _, rest = data.partition(b"\n")
    replies = unpack_messages(rest.partition(b"\n")[2])
    try:
        return [_read(answer, replies) for answer in json.loads(said)]
    except (LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"an answer that makes no sense: {said[:200]!r}") from error


def unpack_noted(data: bytes, messages: Collection[str]) -> list[Noted]:
    """What was exchanged for these messages; what makes no sense or is about others is left out."""
    try:
        return heard(json.loads(data.split(b"\n", 2)[1]), messages)
    except (ValueError, LookupError, RecursionError):
        return []


def pack_outcomes(outcomes: Sequence[Outcome]) -> bytes:
    """What became of an item's messages."""
    return json.dumps([[one.message_id, one.key, one.accepted, one.reason] for one in outcomes]).encode()


def unpack_outcomes(data: bytes) -> list[Outcome]:
    """The outcomes that were packed."""
    return [Outcome(*one) for one in json.loads(data)]


def _said(answer: Receipt | Absent | BaseException, replies: list[Message]) -> dict[str, Any]:
    match answer:
        case Receipt():
            if answer.reply is not None:
                replies.append(answer.reply)
            reply = None if answer.reply is None else len(replies) - 1
            return {"level": answer.level, "document": answer.document, "reply": reply}
        case Absent():
            return {"absent": True}
    failed = failure(answer)
    return {"failed": failed.kind, "text": failed.text, "more": failed.more}


def _read(said: dict[str, Any], replies: Sequence[Message]) -> Receipt | Absent | Exception:
    if "absent" in said:
        return Absent()
    if "failed" in said:
        return raised(Failure(str(said["failed"]), str(said["text"]), dict(said["more"])))
    reply = None if said["reply"] is None else replies[said["reply"]]
    document = said["document"]
    return Receipt(Level(said["level"]), None if document is None else str(document)[:MOST_DOCUMENT], reply)
