"""What the shell completes beyond commands and options: names of the catalogue, of routes.yaml, of connectors, of
what the hub keeps.

A completion must be quick and may never fail: without a configuration there is nothing to offer.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

MOST_BYTES = 2_000_000
ANSWER_S = 1.0
"""How long the shell waits for a hub."""


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
    from mombus.config.document import Table  # noqa: PLC0415 - the same

    systems = _section("systems")
    return _starting(systems.nodes, incomplete) if isinstance(systems, Table) else []


def route_names(incomplete: str) -> list[str]:
    """The routes of routes.yaml in this folder, as OBJECT>TARGET."""
    from mombus.config.document import Items, Scalar, Table  # noqa: PLC0415 - the same

    routes = _section("routes")
    names = []
    for route in routes.nodes if isinstance(routes, Items) else ():
        nodes = route.nodes if isinstance(route, Table) else {}
        object_, to = nodes.get("object"), nodes.get("to")
        targets = to.nodes if isinstance(to, Items) else [to]
        names += [
            f"{object_.text}>{target.text}"
            for target in targets
            if isinstance(object_, Scalar) and isinstance(target, Scalar)
        ]
    return [name.replace(">", "\\>") if _bare_in_bash() else name for name in _starting(names, incomplete)]


def _bare_in_bash() -> bool:
    """True where bash puts what is offered on the line as it is: a `>` in it would write to a file."""
    word = os.environ.get("COMP_WORDS", "").rpartition("\n")[2]
    return os.environ.get("_MOMBUS_COMPLETE") == "complete_bash" and not word.startswith(("'", '"'))


def search_names(incomplete: str) -> list[str]:
    """The saved searches that the hub of this folder tells."""
    import asyncio  # noqa: PLC0415 - the same

    from mombus.cli.asking import asked, the_hub, whoami  # noqa: PLC0415

    async def names() -> list[str]:
        async with asyncio.timeout(ANSWER_S):
            return [row["name"] for row in await asked(the_hub(None), "searches_list", {"who": whoami()})]

    with suppress(Exception):
        return _starting(asyncio.run(names()), incomplete)
    return []


def _section(name: str) -> Any:
    """A section of routes.yaml in this folder; None where there is none."""
    from mombus.config.document import read  # noqa: PLC0415 - the same
    from mombus.config.finding import Findings  # noqa: PLC0415

    file = Path("routes.yaml")
    try:
        data = file.read_bytes() if file.stat().st_size <= MOST_BYTES else b""
    except OSError:
        return None
    root = read(data, str(file), Findings())
    return root.nodes.get(name) if root is not None else None


def _starting(names: Iterable[str], incomplete: str) -> list[str]:
    return sorted(name for name in names if name.startswith(incomplete))
