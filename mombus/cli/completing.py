"""What the shell completes beyond commands and options: names of the catalogue, of routes.yaml, of connectors.

A completion must be quick and may never fail: without a configuration there is nothing to offer.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

MOST_BYTES = 2_000_000


def object_names(incomplete: str) -> list[str]:
    """The catalogue's data objects."""
    from canonical.objects import CATALOGUE  # noqa: PLC0415 - heavy, only where it is completed

    return _starting(CATALOGUE, incomplete)


def kind_names(incomplete: str) -> list[str]:
    """The kinds of connectors that are installed."""
    from mombus.config.kinds import kinds  # noqa: PLC0415 - the same

    return _starting(kinds(), incomplete)


def system_names(incomplete: str) -> list[str]:
    """The systems of routes.yaml in this folder."""
    from mombus.config.document import Table, read  # noqa: PLC0415 - the same
    from mombus.config.finding import Findings  # noqa: PLC0415

    file = Path("routes.yaml")
    try:
        data = file.read_bytes() if file.stat().st_size <= MOST_BYTES else b""
    except OSError:
        return []
    root = read(data, str(file), Findings())
    systems = root.nodes.get("systems") if root is not None else None
    return _starting(systems.nodes, incomplete) if isinstance(systems, Table) else []


def _starting(names: Iterable[str], incomplete: str) -> list[str]:
    return sorted(name for name in names if name.startswith(incomplete))
