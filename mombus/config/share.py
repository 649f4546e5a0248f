"""A share of a disk as people write it: `5%`, `2 GiB`, or `5%, at most 2 GiB`."""

from __future__ import annotations

import re

from mombus.config.size import Size

_SHARE = re.compile(r"(?P<percent>\d{1,2}(?:\.\d{1,2})?)\s*%(?:\s*,\s*at most\s+(?P<most>.+))?", re.IGNORECASE)
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_LARGEST = 1024**5
LEAST = Size(64 * 1024)
"""Less is no room to work with: it was meant otherwise."""


def share(text: str) -> str:
    """The text, if it is a share that leaves room to work with. Raises ValueError."""
    if bytes_of(text, _LARGEST) < LEAST:
        raise ValueError(f"'{text}' is hardly any room: write at least {LEAST}, such as 5% or 2 GiB")
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
        hint = f"{text}% or {text} GiB" if _NUMBER.fullmatch(text) else "5%, 2 GiB or 5%, at most 2 GiB"
        raise ValueError(f"'{text}' is no share of a disk; write {hint}") from None


def is_relative(text: str) -> bool:
    """True for a share that depends on the disk's size."""
    return _SHARE.fullmatch(text.strip()) is not None
