"""A message as headers and body: CloudEvents 1.0 attributes in binary mode (`ce-*`), percent-encoded.

Headers alone are enough to route; the body stays bytes until something needs it.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from canonical.claim import Claim
from canonical.message import Action, Message, Origin, Verb

if TYPE_CHECKING:
    from collections.abc import Mapping

MESSAGE_ID = "Nats-Msg-Id"
CONTENT_TYPE = "application/json"
CLAIM = "ce-dataref"
"""CloudEvents extension Dataref 1.0.2: the content is kept there."""

_UNSAFE = re.compile(r'[^\x21-\x7e]|["%]')
_OPTIONAL = tuple(
    (name, f"ce-{name}") for name in ("by", "revises", "reverses", "correlation", "to", "reason", "document")
)
"""Attributes and their headers."""


class HeaderError(ValueError):
    """Headers that don't make a message; the text names the header."""


def to_headers(message: Message) -> dict[str, str]:
    """The headers of a message, its id among them as the broker's deduplication id."""
    headers = {
        MESSAGE_ID: message.id,
        "ce-specversion": "1.0",
        "ce-id": message.id,
        "ce-source": _encode(message.source),
        "ce-type": f"mom.{message.object}.{message.verb}",
        "ce-subject": _encode(message.key),
        "ce-time": message.occurred.isoformat(),
        "ce-recorded": message.recorded.isoformat(),
        "ce-site": _encode(message.site),
        "ce-lanes": ",".join(_encode(lane).replace(",", "%2C") for lane in message.lanes),
        "ce-origin": message.origin,
        "ce-datacontenttype": CONTENT_TYPE,
    }
    if message.revision is not None:
        headers["ce-revision"] = str(message.revision)
    if message.action is not None:
        headers["ce-action"] = message.action
    if message.posting is not None:
        headers["ce-posting"] = message.posting.isoformat()
    for name, header in _OPTIONAL:
        value = getattr(message, name)
        if value is not None:
            headers[header] = _encode(value)
    if message.claim is not None:
        headers[CLAIM] = str(message.claim)
    if message.traceparent is not None:
        headers["traceparent"] = message.traceparent
    return headers


def from_headers(headers: Mapping[str, str], content: bytes) -> Message:
    """Read a message back. Raises HeaderError naming what is missing or malformed."""
    try:
        _, object_, verb = headers["ce-type"].split(".")
        posting, revision, action = headers.get("ce-posting"), headers.get("ce-revision"), headers.get("ce-action")
        return Message(
            id=headers["ce-id"], object=object_, verb=Verb(verb), source=_decode(headers["ce-source"]),
            site=_decode(headers["ce-site"]), key=_decode(headers["ce-subject"]),
            lanes=tuple(_decode(lane) for lane in headers["ce-lanes"].split(",")),
            occurred=datetime.fromisoformat(headers["ce-time"]),
            recorded=datetime.fromisoformat(headers["ce-recorded"]), content=content,
            action=Action(action) if action else None, revision=int(revision) if revision is not None else None,
            posting=date.fromisoformat(posting) if posting else None, origin=Origin(headers["ce-origin"]),
            traceparent=headers.get("traceparent"), claim=Claim.parse(claim) if (claim := headers.get(CLAIM)) else None,
            **_optional(headers),
        )  # fmt: skip
    except KeyError as missing:
        raise HeaderError(f"header {missing} is missing") from None
    except ValueError as malformed:
        raise HeaderError(str(malformed)) from None


def from_stored(subject: str, headers: Mapping[str, str], content: bytes) -> Message:
    """Read back what is stored on `subject`. Raises HeaderError, also when the headers contradict the subject.

    The broker lets a system publish on its own subjects only; what its headers say is the system's own saying.
    """
    message = from_headers(headers, content)
    tokens = subject.split(".")
    del tokens[5:6]
    if ".".join(tokens) != message.subject:
        raise HeaderError(f"its headers say {message.subject}, but it is stored on {subject}")
    return message


def _optional(headers: Mapping[str, str]) -> dict[str, Any]:
    return {name: _decode(headers[header]) for name, header in _OPTIONAL if header in headers}


def _encode(text: str) -> str:
    """Percent-encode what a header line can't hold (CloudEvents NATS and HTTP bindings, section 3.1.3.2)."""
    return quote(text, safe="!#$&'()*+,/:;=?@[]~^`{|}<>\\", errors="surrogatepass") if _UNSAFE.search(text) else text


def _decode(text: str) -> str:
    return unquote(text, errors="surrogatepass") if "%" in text else text
