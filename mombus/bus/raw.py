"""Documents as they came, kept in RAW; larger ones in parts."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

from canonical.subjects import token
from canonical.wire import MESSAGE_ID
from mombus.bus.publishing import Letter
from mombus.bus.streams import RAW, RAW_ROOT

if TYPE_CHECKING:
    from mombus.bus.connection import Bus

RAW_HEADER = "ce-raw"
"""On a message: the id of the document it came in."""
PART_BYTES = 900_000


async def store_raw(
    bus: Bus, *, site: str, system: str, raw: bytes, content_type: str, document: str | None = None
) -> str:
    """Keep a document and return its id, which is the same whenever the same document comes again."""
    id = blake2b(f"{system}\x1f{document or ''}\x1f".encode() + raw, digest_size=16).hexdigest()
    parts = [raw[start : start + PART_BYTES] for start in range(0, len(raw), PART_BYTES)] or [b""]
    for number, part in enumerate(parts, 1):
        headers = {
            MESSAGE_ID: f"{id}/{number}", "ce-id": id, "ce-source": token(system), "ce-type": "raw",
            "ce-datacontenttype": token(content_type), "ce-subject": token(document or ""),
            "ce-part": f"{number}/{len(parts)}",
        }  # fmt: skip
        await bus.publish_letters([Letter(_subject(site, system, id, number), headers, part)])
    return id


async def read_raw(bus: Bus, *, site: str, system: str, id: str) -> bytes | None:
    """The document with that id, None when it isn't kept (any more)."""
    parts: list[bytes] = []
    while True:
        found = await bus.stored(RAW, _subject(site, system, id, len(parts) + 1))
        if found is None:
            return None
        headers, content = found
        parts.append(content)
        if len(parts) == int(headers["ce-part"].partition("/")[2]):
            return b"".join(parts)


def _subject(site: str, system: str, id: str, number: int) -> str:
    return f"{RAW_ROOT}.{token(site)}.{token(system)}.{id}.{number}"
