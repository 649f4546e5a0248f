"""As much of a list as one answer carries: texts that people and systems write are as long as they like."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Row = TypeVar("Row", bound="Mapping[str, Any]")

MOST_BYTES = 900_000
"""Of the rows as JSON; a NATS message carries 1 MiB, and there is something around them."""


def fitting(rows: Sequence[Row]) -> list[Row]:
    """The first of them that fit into one answer, one at least: what is left out is the next page."""
    shown: list[Row] = []
    left = MOST_BYTES
    for row in rows:
        left -= len(json.dumps(row, default=str, ensure_ascii=False).encode("utf-8", "replace")) + 2
        if shown and left < 0:
            break
        shown.append(row)
    return shown
