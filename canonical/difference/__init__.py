"""What is different between two texts: by structure where both are JSON or both are XML, else line by line.

Pure, and bounded on what strangers wrote: so much is looked at, so many differences are told, and no more.
"""

from __future__ import annotations

from canonical.difference.found import Compared, Difference, Format, Found, What
from canonical.difference.lines import compare_lines
from canonical.difference.structure import NotJsonError, compare_json

__all__ = ["Compared", "Difference", "Format", "What", "compare"]

_BOM = b"\xef\xbb\xbf"


def compare(before: bytes, after: bytes, *, most: int = 500) -> Compared:
    """The differences, at most so many of them.

    JSON is compared by values, whatever its spacing and the order of names; lists by the ids of what is in them where
    each has one. XML is compared by elements in their order, whatever the prefixes. What is neither, or says that it
    is and can't be read, is compared line by line. Never raises.
    """
    found = Found(most)
    if before == after:
        return found.compared(_format_of(before))
    if _format_of(before) == _format_of(after) == Format.JSON:
        try:
            compare_json(before, after, found)
            return found.compared(Format.JSON)
        except NotJsonError:
            found = Found(most)
    elif _format_of(before) == _format_of(after) == Format.XML:
        from canonical.difference.elements import NotXmlError, compare_xml  # noqa: PLC0415 - lxml is heavy

        try:
            compare_xml(before, after, found)
            return found.compared(Format.XML)
        except NotXmlError:
            found = Found(most)
    compare_lines(before, after, found)
    return found.compared(Format.TEXT)


def _format_of(content: bytes) -> Format:
    start = content[:200].removeprefix(_BOM).lstrip()[:1]
    return Format.XML if start == b"<" else Format.JSON if start in (b"{", b"[") else Format.TEXT
