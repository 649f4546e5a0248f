"""Which lots went into which work, and which came out of it: both ways from one lot, in bounded steps.

The work is an order, whose consumptions and outputs are told apart in time only by their order, or a transformation of
lots. A lot that comes back to itself (rework) is found once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from canonical.isa95.operations import CONSUMED, LotTransformation, MaterialConsumption, SegmentResponse

if TYPE_CHECKING:
    from canonical.isa95.operations import MaterialActual
    from mombus.hub.floor.reading import Fact

OBJECTS = ("production_response", "material_consumption", "lot_transformation")
MOST_LOTS = 150
MOST_LOOKED_AT = 5000
"""Looks, and uses that they find, for one graph: a lot may have gone into any number of orders."""
Direction = Literal["consumed", "produced"]
PRODUCED = frozenset({"Produced", "By-product Produced", "Co-product Produced", "Yield Produced", "Material Produced"})
"""What else is done with material, samples say, makes no lot of another."""


@dataclass(frozen=True, slots=True)
class Use:
    """One actual: a lot of a material went into a piece of work, or came out of it. `lot` is empty if none is named."""

    work: str
    lot: str
    material: str | None
    direction: Direction
    quantity: Decimal | None
    unit: str | None
    message_id: str


@dataclass(slots=True)
class Graph:
    """What is found so far: the depth of each lot, every use, and which messages were read."""

    depths: dict[str, int] = field(default_factory=dict)
    uses: dict[tuple[str, str, Direction], list[Use]] = field(default_factory=dict)
    open: set[str] = field(default_factory=set)
    read: set[str] = field(default_factory=set)
    partial: bool = False
    looked_at: int = 0

    async def found(self, look: Look, what: str, id: str) -> list[Use]:
        """The uses that name it, kept; none once too much was looked at."""
        if self.looked_at >= MOST_LOOKED_AT:
            self.partial = True
            return []
        uses, more = await look(what, id)
        self.looked_at += 1 + len(uses)
        self.partial |= more
        self.add(uses)
        return uses

    def add(self, uses: Iterable[Use]) -> None:
        """Keep what messages say, each message once: it may say the same of two containers."""
        new = [use for use in uses if use.message_id not in self.read]
        self.read.update(use.message_id for use in new)
        for use in new:
            self.uses.setdefault((use.work, use.lot, use.direction), []).append(use)


Look: TypeAlias = "Callable[[str, str], Awaitable[tuple[list[Use], bool]]]"
"""The uses that name `lot` or `work` with an id, and whether there are more."""


async def grow(lot: str, depth: int, look: Look) -> Graph:
    """Follow a lot back and forth, `depth` steps of work in each direction."""
    graph = Graph({lot: 0})
    back, forth = [lot], [lot]
    for step in range(1, depth + 1):
        back, forth = await _step(graph, back, -step, look), await _step(graph, forth, step, look)
    graph.open.update(back, forth)
    return graph


async def _step(graph: Graph, edge: Iterable[str], depth: int, look: Look) -> list[str]:
    """From lots to those beyond the work that they came out of, or went into."""
    from_there: Direction = "produced" if depth < 0 else "consumed"
    beyond: Direction = "consumed" if depth < 0 else "produced"
    works: dict[str, None] = {}
    for lot in edge:
        uses = await graph.found(look, "lot", lot)
        works.update(dict.fromkeys(use.work for use in uses if use.lot == lot and use.direction == from_there))
    found: list[str] = []
    for work in works:
        for use in await graph.found(look, "work", work):
            if use.direction == beyond and use.lot and use.lot not in graph.depths:
                if len(graph.depths) >= MOST_LOTS:
                    graph.partial = True
                    return found
                graph.depths[use.lot] = depth
                found.append(use.lot)
    return found


def uses_of(facts: Iterable[Fact]) -> list[Use]:
    """What messages say of material that was used or made, also in the segments inside."""
    found: list[Use] = []
    for fact in facts:
        body = fact.message.body
        if isinstance(body, SegmentResponse):
            work = body.id if isinstance(body, LotTransformation) else body.operations_request_id or body.id
            eaten = isinstance(body, MaterialConsumption)
            uses = (_use(work, actual, fact.message.id, eaten) for actual in _actuals(body))
            found += [use for use in uses if use is not None]
    return found


def _actuals(body: SegmentResponse) -> Iterable[MaterialActual]:
    yield from body.material_actual
    for inside in body.segment_response_child:
        yield from _actuals(inside)


def _use(work: str, actual: MaterialActual, message_id: str, eaten: bool) -> Use | None:
    """None for what neither uses material up nor makes any."""
    use, quantity = actual.material_use, actual.quantity
    direction: Direction = "consumed" if use in CONSUMED or (use is None and eaten) else "produced"
    if direction == "produced" and use not in PRODUCED:
        return None
    return Use(
        work=work, lot=actual.material_lot_id or "", material=actual.material_definition_id, direction=direction,
        quantity=quantity.value if quantity else None, unit=quantity.unit_of_measure if quantity else None,
        message_id=message_id,
    )  # fmt: skip


def answered(lot: str, graph: Graph) -> dict[str, Any]:
    """The graph as it is answered: lots that are known with the links between them."""
    materials = {use.lot: use.material for uses in graph.uses.values() for use in uses if use.material}
    links = [
        {
            "work": work, "lot": one, "direction": direction, "quantity": _added(uses),
            "message_ids": list(dict.fromkeys(use.message_id for use in uses)),
        }
        for (work, one, direction), uses in graph.uses.items() if one in graph.depths
    ]  # fmt: skip
    return {
        "lot": lot, "links": links, "partial": graph.partial, "without_lot": _without_lot(graph),
        "lots": [
            {"id": one, "material": materials.get(one), "depth": depth, "more": one in graph.open}
            for one, depth in sorted(graph.depths.items(), key=lambda item: (item[1], item[0]))
        ],
    }  # fmt: skip


def _without_lot(graph: Graph) -> list[dict[str, Any]]:
    """What the same work used or made of which no lot is named."""
    found: dict[tuple[str, str | None, Direction], list[Use]] = {}
    for (work, lot, direction), uses in graph.uses.items():
        for use in uses if not lot else ():
            found.setdefault((work, use.material, direction), []).append(use)
    return [
        {
            "work": work, "material": material, "direction": direction, "quantity": _added(uses),
            "message_ids": list(dict.fromkeys(use.message_id for use in uses)),
        }
        for (work, material, direction), uses in found.items()
    ]  # fmt: skip


def _added(uses: Iterable[Use]) -> str | None:
    """The quantities added up, each unit by itself."""
    sums: dict[str, Decimal] = {}
    for use in uses:
        if use.quantity is not None:
            sums[use.unit or ""] = sums.get(use.unit or "", Decimal(0)) + use.quantity
    return " + ".join(f"{value:f} {unit}".strip() for unit, value in sums.items()) or None
