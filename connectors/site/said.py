"""What another site stored, as a message of the system that the site is here."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pydantic import ValidationError

from canonical.claim import owner_of
from canonical.message import message_id
from canonical.wire import HeaderError, from_headers
from connectors.connector import Fault, MappingError

if TYPE_CHECKING:
    from canonical.message import Message
    from connectors.connector import Surroundings
    from connectors.site.line import Line, Stored

CLAIMS = "CLAIMS"


async def said_here(line: Line, stored: Stored, surroundings: Surroundings) -> tuple[Message | None, Fault | None]:
    """The message in our words, or what is wrong with it.

    Its ids get names of their own: both sites may have a system `mes` and a confirmation 1. What it corrects or
    reverses is renamed the same way, so that they go on naming each other.
    """
    place = f"{stored.stream} {stored.sequence}"
    try:
        message = await _whole(line, from_headers(stored.headers, stored.data))
        if message.content:
            _ = message.body
    except (HeaderError, MappingError, ValidationError, LookupError) as error:
        return None, Fault(place, str(error), stored.data)
    system = surroundings.system
    return replace(
        message, id=_renamed(system, message.id), source=system, site=surroundings.site, to=None, correlation=None,
        revises=message.revises and _renamed(system, message.revises),
        reverses=message.reverses and _renamed(system, message.reverses),
    ), None  # fmt: skip


def _renamed(system: str, id: str) -> str:
    return message_id(system, "", "", id, "")


async def _whole(line: Line, message: Message) -> Message:
    """The message with its body, which may have travelled apart (canonical/claim.py). Raises MappingError."""
    claim = message.claim
    if claim is None:
        return message
    content, number = b"", 1
    while claim.owner == owner_of(message.subject) and len(content) < claim.size:
        part = await line.last(CLAIMS, f"{claim}.{number}")
        if part is None or not part.data:
            break
        content, number = content + part.data, number + 1
    if not claim.fits(content):
        raise MappingError(f"the body of {message.object} {message.key} isn't at its site any more as it was stored")
    return replace(message, content=content, claim=None)
