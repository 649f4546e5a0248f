"""A configuration on its way: what could be read so far, and where it stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mombus.config.document import Node, Table
from mombus.config.equipment import every
from mombus.config.model import Bus, Http, Ownership, Plant, Route, System, Traces
from mombus.config.needs import EVERY_SECRET, Needs
from mombus.config.validation import Place, locate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from connectors.connector import Accept, Connector, Offer
    from mombus.config.finding import Mark


@dataclass
class Draft:
    """What the rules look at. Parts that couldn't be read are missing: they have their findings already."""

    root: Table
    folder: Path
    needs: Needs = EVERY_SECRET
    plant: Plant | None = None
    bus: Bus | None = None
    http: Http | None = None
    traces: Traces | None = None
    declared: frozenset[str] = frozenset()
    """Every system that is named, also those that couldn't be read."""
    systems: dict[str, System] = field(default_factory=dict)
    connectors: dict[str, Connector] = field(default_factory=dict)
    objects: list[tuple[Ownership, Place]] = field(default_factory=list)
    routes: list[tuple[Route, Place]] = field(default_factory=list)
    aliases: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)
    complete: bool = False
    """True if objects could be read to the last: only then something can be said to be missing."""

    def mark(self, *place: str | int) -> Mark:
        """Where a place stands, as far as it can be followed."""
        return locate(self.root, place).mark

    def key(self, *place: str | int) -> Mark:
        """Where the key of a place stands."""
        return locate(self.root, place).key

    def node(self, *place: str | int) -> Node:
        """The node at a place, as far as it can be followed."""
        return locate(self.root, place).node

    def owners(self, object: str) -> list[str]:
        """The systems that own an object, in any scope."""
        return [ownership.owner for ownership, _ in self.objects if ownership.object == object]

    def offers(self, system: str) -> frozenset[Offer]:
        """What a system can say."""
        return frozenset(getattr(self.connectors.get(system), "offers", ()))

    def accepts(self, system: str) -> Mapping[Offer, Accept]:
        """What a system can take."""
        found: Mapping[Offer, Accept] = getattr(self.connectors.get(system), "accepts", {})
        return found

    def family(self, system: str) -> str:
        """The kind of system, such as `erp`; empty if its connector doesn't tell."""
        known = self.systems.get(system)
        return known.kind.partition(".")[0] if known and "." in known.kind else ""

    def scopes(self) -> dict[str, tuple[str, ...]]:
        """Every piece of equipment with its ancestors, itself first."""
        return dict(self._lines()) if self.plant else {}

    def _lines(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        above: dict[str, tuple[str, ...]] = {}
        for one in every(self.plant.equipment if self.plant else ()):
            line = above.get(one.id, (one.id,))
            above.update({child.id: (child.id, *line) for child in one.equipment_child})
            yield one.id, line
