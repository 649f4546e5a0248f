"""What both sides of a call agree on: headers, frames and their limits, and how an error is told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from canonical.subjects import token
from mombus.bus.errors import AnswerLost, NobodyAnswers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nats.aio.client import Client

INBOXES = ("_INBOX.", "_R_.")
"""Where answers go: inboxes, and what the broker makes of them between accounts. Nothing else is ever answered to."""
ID, FRAME, MORE, AT, ERROR = "mombus-call", "mombus-frame", "mombus-more", "mombus-at", "mombus-error"
WORKING, DROP = "working", "drop"
ROOM_FOR_HEADERS = 8 * 1024
MAX_BYTES = 160 * 1024 * 1024
"""The largest question or answer."""
FRAME_S = 10.0


def intake_base(site: str) -> str:
    """Where connectors in other processes hand items over: `<base>.<system>.item`."""
    return f"mombus.in.{token(site)}"


def connectors_base(site: str) -> str:
    """Where those connectors are asked to write: `<base>.<system>.write`."""
    return f"mombus.connector.{token(site)}"


class Failure(Exception):  # noqa: N818 - what is carried, not what went wrong here
    """What the other side answered instead of a result: its kind, a text and more, as JSON can say it."""

    def __init__(self, kind: str, text: str, more: Mapping[str, Any] | None = None) -> None:
        super().__init__(text)
        self.kind = kind
        self.text = text
        self.more = dict(more or {})


class Call(NamedTuple):
    """One question: about which system, what is to be done, with what."""

    system: str
    name: str
    content: bytes


def room(client: Client) -> int:
    """How many bytes of content one frame carries."""
    return client.max_payload - ROOM_FOR_HEADERS


def frames(size: int, room: int) -> int:
    """How many frames of `room` bytes so many bytes need."""
    return max(1, -(-size // room))


def count(headers: Mapping[str, str], room: int) -> int:
    """How many frames an answer has. Raises AnswerLost: who answers may be anybody who has the system's account."""
    said = headers.get(FRAME, "1/1").partition("/")[2]
    if not (said.isascii() and said.isdigit() and len(said) < 10 and int(said) <= frames(MAX_BYTES, room)):
        raise AnswerLost(f"the answer says that it has {said[:20]!r} frames")
    return int(said)


def told(kind: str, data: bytes) -> Failure | NobodyAnswers:
    """The error that was answered. What is no error as `_fail` tells them is told as it came."""
    try:
        said = json.loads(data)
        text, more = str(said["text"]), dict(said["more"])
    except (ValueError, TypeError, LookupError, RecursionError):
        text, more = f"an answer that makes no sense: {data[:200]!r}", {}
    return NobodyAnswers(text) if kind == "begin again" else Failure(kind, text, more)
