"""The tables, one file per family of nouns; `load` declares them all, once."""

from __future__ import annotations

from functools import cache


@cache
def load() -> None:
    """Declare every table. Called by whoever needs one; importing this package declares nothing."""
    from canonical.b2mml.tables import events, material, operations, performance, quality, v4, work  # noqa: PLC0415

    for family in (material, quality, operations, performance, work, events, v4):
        family.declare()
