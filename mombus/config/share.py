"""A share of a disk as people write it: `5%`, `2 GiB`, or `5%, at most 2 GiB`."""

from __future__ import annotations

import re

from mombus.config.size import Size

_SHARE = re.compile(r"(?P<percent>\d{1,2}(?:\.\d{1,2})?)\s*%(?:\s*,\s*at most\s+(?P<most>.+))?", re.IGNORECASE)


def share(text: str) -> str:
    """The text, if it is a share. Raises ValueError."""
    bytes_of(text, 0)
    return text


def bytes_of(text: str, whole: int) -> int:
    """The share of `whole` bytes. Raises ValueError."""
    found = _SHARE.fullmatch(text.strip())
    try:
        if found is None:
            return Size.of(text)
        part = int(whole * float(found["percent"]) / 100)
        return min(part, Size.of(found["most"])) if found["most"] else part
    except ValueError:
        raise ValueError(f"'{text}' is no share of a disk; write 5%, 2 GiB or 5%, at most 2 GiB") from None
