"""Bodies over the broker's limit, kept apart in CLAIMS in parts (Claim Check); see canonical/claim.py.

The body is stored before the message that refers to it, so that a message on the bus always has its body; a kill in
between leaves a body that nothing refers to, and saying the message again stores the same parts under the same ids.
Reading checks the digest. Nothing but `sweep` drops a body, and only when it is older than MOM keeps messages, the
latest statement of its thing is another, and nothing that waits refers to it: a body outlives every message, what
LATEST says, and what waits for a person for months. One that is said again meanwhile is stored anew first, so that a
sweep, which drops nothing that was stored after it began, can't meet it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from canonical.claim import ROOT, Claim, owner_of
from canonical.subjects import LATEST_ROOT
from canonical.wire import CLAIM, MESSAGE_ID
from mombus.bus.errors import BodyGone
from mombus.bus.streams import CLAIMS, LATEST

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Set

    from nats.js import JetStreamContext
    from nats.js.api import RawStreamMsg

    from canonical.message import Message

PART_BYTES = 900_000
FOR = "ce-for"
"""On a part: the subject of the message whose body it is."""
_PART = "ce-part"


def parts(claim: Claim, subject: str, content: bytes, most: int) -> Iterator[tuple[str, dict[str, str], bytes]]:
    """Subject, headers and content, of at most `most` bytes, of the parts of the body of a message on `subject`."""
    part_bytes = min(PART_BYTES, most)
    starts = range(0, len(content), part_bytes)
    for number, start in enumerate(starts, 1):
        headers = {
            MESSAGE_ID: f"{claim}.{number}", "ce-id": str(claim), "ce-type": "body", _PART: f"{number}/{len(starts)}",
            FOR: subject,
        }  # fmt: skip
        yield f"{claim}.{number}", headers, content[start : start + part_bytes]


async def whole(js: JetStreamContext, message: Message) -> Message:
    """The message with its body; itself when it has travelled with it.

    Raises BodyGone when the body isn't there or isn't the one that was stored; nats-py's errors, or TimeoutError, when
    the broker can't be asked now.
    """
    claim = message.claim
    if claim is None:
        return message
    what = f"the body of {message.verb} {message.object} {message.key}"
    if claim.owner != owner_of(message.subject):
        raise BodyGone(f"{what} is another message's")
    content = b"".join([part async for part in _read(js, claim, what)])
    if not claim.fits(content):
        raise BodyGone(f"{what} is not what was stored: its digest or its size is another")
    return replace(message, content=content, claim=None)


async def beginning(js: JetStreamContext, message: Message) -> bytes:
    """The beginning of the body, as much as is kept in one part; nothing is checked. Raises as `whole`."""
    if message.claim is None:
        return message.content
    part = await _stored(js, f"{message.claim}.1")
    if part is None:
        raise BodyGone(f"the body of {message.verb} {message.object} {message.key} is not kept any more")
    return part.data or b""


async def _read(js: JetStreamContext, claim: Claim, what: str) -> AsyncIterator[bytes]:
    number, count = 0, 1
    while number < count:
        number += 1
        part = await _stored(js, f"{claim}.{number}")
        if part is None:
            raise BodyGone(f"{what} ({claim.size} bytes) is not kept any more: part {number} is missing")
        count = int((part.headers or {}).get(_PART, "1/1").partition("/")[2])
        yield part.data or b""


async def sweep(js: JetStreamContext, *, before: datetime, waiting: Set[str]) -> int:
    """Drop the bodies stored before then that LATEST doesn't refer to and that aren't in `waiting`; returns how many.

    `waiting` are the claims of what waits, read after `before` was chosen.
    """
    info = await js.stream_info(CLAIMS, subjects_filter=f"{ROOT}.*.*.*.1")
    dropped = 0
    for first in info.state.subjects or {}:
        claim = first.rpartition(".")[0]
        part = await _stored(js, first)
        if claim in waiting or part is None or _time(part) >= before or await _is_latest(js, part, claim):
            continue
        await js.purge_stream(CLAIMS, subject=f"{claim}.*", seq=info.state.last_seq + 1)
        dropped += 1
    return dropped


async def _is_latest(js: JetStreamContext, part: RawStreamMsg, claim: str) -> bool:
    """True if the owner's last word about the thing has this body."""
    from nats.js.errors import NotFoundError  # noqa: PLC0415

    _, site, object_, _, system, _, key = (part.headers or {})[FOR].split(".")
    try:
        latest = await js.get_msg(LATEST, subject=f"{LATEST_ROOT}.{site}.{object_}.{system}.{key}")
    except NotFoundError:
        return False
    return (latest.headers or {}).get(CLAIM) == claim


async def _stored(js: JetStreamContext, subject: str) -> RawStreamMsg | None:
    from nats.js.errors import NotFoundError  # noqa: PLC0415

    try:
        return await js.get_msg(CLAIMS, subject=subject)
    except NotFoundError:
        return None


def _time(part: RawStreamMsg) -> datetime:
    return part.time.astimezone(UTC) if part.time is not None else datetime.max.replace(tzinfo=UTC)
