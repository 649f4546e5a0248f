"""Texts line by line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from canonical.difference.aligned import by_content
from canonical.difference.found import What

if TYPE_CHECKING:
    from canonical.difference.found import Found


def compare_lines(before: bytes, after: bytes, found: Found) -> None:
    """Add the lines that differ, each by its number; bytes that are no text are told as �."""
    was, now = (content.decode("utf-8", "replace").splitlines() for content in (before, after))
    for pair in by_content(was, now, found):
        old = was[pair.before] if pair.before is not None else None
        new = now[pair.after] if pair.after is not None else None
        if old == new:
            continue
        number = (pair.after if pair.after is not None else pair.before or 0) + 1
        what = What.ADDED if old is None else What.REMOVED if new is None else What.CHANGED
        found.add(f"line {number}", "", what, old, new)
