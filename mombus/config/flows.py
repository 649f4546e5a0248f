"""The declared flows: which object goes from which owner to which system, as a list and as text that others draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mombus.config.duration import written

if TYPE_CHECKING:
    from mombus.config.model import Config


@dataclass(frozen=True, slots=True)
class Flow:
    """One object from its owner to one system; `within` is the promise, such as `15m`, `when` the condition."""

    object: str
    source: str
    target: str
    within: str | None
    effect: str
    when: str | None
    scope: str | None
    """The subtree that the source owns the object for; None: the whole site."""

    def __str__(self) -> str:
        said = [self.object.replace("_", " "), f"within {self.within}" if self.within else "", self.scope or ""]
        return ", ".join(filter(None, said)) + (" (some)" if self.when else "")


def declared_flows(config: Config) -> list[Flow]:
    """Every declared flow, in the order of the routes."""
    return [
        Flow(
            route.object, ownership.owner, target, written(route.within) if route.within else None, str(route.effect),
            route.when, ownership.scope,
        )
        for route in config.routes
        for target in route.to
        for ownership in config.objects
        if ownership.object == route.object and ownership.owner != target
    ]  # fmt: skip


def mermaid(config: Config) -> str:
    """A Mermaid flowchart: systems as boxes, one arrow for all that one says to another."""
    lines = ["flowchart LR"]
    lines += [f'  {name}["{name}<br>{system.kind}"]' for name, system in config.systems.items()]
    for (source, target), flows in _by_pair(declared_flows(config)).items():
        told = "<br>".join(_quoted(str(flow), "#quot;") for flow in flows)
        lines.append(f'  {source} -->|"{told}"| {target}')
    return "\n".join(lines) + "\n"


def dot(config: Config) -> str:
    """The same in Graphviz's language."""
    lines = ["digraph mombus {", "  rankdir=LR; node [shape=box];"]
    lines += [f'  "{name}" [label="{name}\\n{system.kind}"];' for name, system in config.systems.items()]
    for (source, target), flows in _by_pair(declared_flows(config)).items():
        told = "\\n".join(_quoted(str(flow), '\\"') for flow in flows)
        lines.append(f'  "{source}" -> "{target}" [label="{told}"];')
    return "\n".join([*lines, "}"]) + "\n"


def _by_pair(flows: Sequence[Flow]) -> dict[tuple[str, str], list[Flow]]:
    found: dict[tuple[str, str], list[Flow]] = {}
    for flow in flows:
        found.setdefault((flow.source, flow.target), []).append(flow)
    return found


def _quoted(text: str, quote: str) -> str:
    return text.replace('"', quote)
