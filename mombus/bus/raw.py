"""Documents as they came, kept in RAW; larger ones in parts."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from canonical.subjects import token
from canonical.wire import MESSAGE_ID
from connectors.connector import Raw
from mombus.bus.publishing import Letter
from mombus.bus.streams import RAW, RAW_ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mombus.bus.connection import Bus

RAW_HEADER = "ce-raw"
"""On a message: the id of the document it came in."""
PART_BYTES = 900_000


async def store_raw(bus: Bus, *, site: str, system: str, raw: Raw) -> str:
    """Keep a document and return its id, which is the same whenever the same document comes again."""
    said = f"{system}\x1f{raw.document or ''}\x1f{raw.channel or ''}\x1f"
    id = blake2b(said.encode() + raw.content, digest_size=16).hexdigest()
    starts = range(0, len(raw.content), PART_BYTES)
    parts = [raw.content[start : start + PART_BYTES] for start in starts] or [b""]
    for number, part in enumerate(parts, 1):
        headers = {
            MESSAGE_ID: f"{id}/{number}", "ce-id": id, "ce-source": token(system), "ce-type": "raw",
            "ce-datacontenttype": quote(raw.content_type), "ce-subject": quote(raw.document or ""),
            "ce-channel": quote(raw.channel or ""), "ce-part": f"{number}/{len(parts)}",
        }  # fmt: skip
        await bus.publish_letters([Letter(_subject(site, system, id, number), headers, part)])
    return id


async def read_raw(bus: Bus, *, site: str, system: str, id: str) -> Raw | None:
    """The document with that id, None when it isn't kept (any more)."""
    parts: list[bytes] = []
    while True:
        found = await bus.stored(RAW, _subject(site, system, id, len(parts) + 1))
        if found is None:
            return None
        headers, content = found
        parts.append(content)
        if len(parts) == int(headers["ce-part"].partition("/")[2]):
            return _document(headers, b"".join(parts))


async def glimpse_raw(bus: Bus, *, site: str, system: str, id: str) -> tuple[Raw, int] | None:
    """The beginning of the document with that id, and the bytes of all of it; None when it isn't kept (any more)."""
    found = await bus.stored(RAW, _subject(site, system, id, 1))
    if found is None:
        return None
    count = int(found[0]["ce-part"].partition("/")[2])
    last = await bus.stored(RAW, _subject(site, system, id, count)) if count > 1 else found
    size = (count - 1) * PART_BYTES + (len(last[1]) if last else 0)
    return _document(*found), size


def _document(headers: Mapping[str, str], content: bytes) -> Raw:
    return Raw(
        content=content, content_type=unquote(headers["ce-datacontenttype"]),
        document=unquote(headers["ce-subject"]) or None, channel=unquote(headers["ce-channel"]) or None,
    )  # fmt: skip


def _subject(site: str, system: str, id: str, number: int) -> str:
    return f"{RAW_ROOT}.{token(site)}.{token(system)}.{id}.{number}"
