"""The tables, one file per family of nouns; `load` declares them all, once."""

from __future__ import annotations

from functools import cache


@cache
def load() -> None:
    """Declare every table. Called by whoever needs one; importing this package declares nothing."""
    from canonical.b2mml.tables import (  # noqa: PLC0415
        containers,
        events,
        material,
        operations,
        performance,
        quality,
        v4,
        work,
    )

    for family in (material, quality, operations, performance, work, events, containers, v4):
        family.declare()
