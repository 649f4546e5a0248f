"""Contents as people see them: text, of a long one the beginning, all of an answer in one message of the broker."""

from __future__ import annotations

import codecs
import json
import re

from mombus.desk.stages import Content

MOST_BYTES = 700_000
"""Bytes of all texts of an answer, as JSON."""
EACH_BYTES = 64 * 1024
"""Bytes of one text, as JSON."""

_DECLARED = re.compile(rb"""^<\?xml[^>]{0,80}encoding=["']([A-Za-z0-9._-]{1,40})["']""")
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


class Room:
    """The room that one answer has for texts."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._left = most_bytes

    def content(self, content: bytes, media_type: str | None = None, size: int | None = None) -> Content:
        """As much of a text as there is room for. `size` is that of the whole, where `content` is its beginning."""
        begun = text_of(content[:EACH_BYTES])
        text = _within(begun, min(EACH_BYTES, self._left))
        self._left -= _spelt(text)
        whole = len(content) if size is None else size
        return Content(text=text, media_type=media_type, size=whole, cut=whole > EACH_BYTES or len(text) < len(begun))


def missing(why: str, size: int | None = None) -> Content:
    """There is no text, for this reason."""
    return Content(missing=why, size=size)


def text_of(content: bytes) -> str:
    """Bytes as text, in the encoding that they declare; what is none of it stands as �."""
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), None)
    if encoding is None and (declared := _DECLARED.match(content)):
        encoding = _known(declared[1].decode("ascii"))
    return content.decode(encoding or "utf-8", "replace")


def _known(name: str) -> str | None:
    try:
        found = codecs.lookup(name).name
    except LookupError:
        return None
    return found if found.startswith(("utf-8", "utf-16", "utf-32", "iso8859", "cp12", "ascii")) else None


def _within(text: str, most: int) -> str:
    """The beginning of a text that takes at most so many bytes as JSON."""
    text = text[:most]
    while (size := _spelt(text)) > most:
        text = text[: int(len(text) * most / size) - 1] if most > 0 else ""
    return text


def _spelt(text: str) -> int:
    return len(json.dumps(text, ensure_ascii=False).encode("utf-8", "replace")) - 2
