"""What an ERP takes, and how each of it is recognised in the ERP's own documents.

The paths are of element names without namespaces: ERPs differ in those, not in the names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from canonical.isa95.operations import CONSUMED, InventoryMovement, MaterialActual, SegmentResponse
from canonical.isa95.quality import QualityResult, ReleaseDecision

if TYPE_CHECKING:
    from lxml.etree import _Element

    from canonical.message import Message

PROPERTY = "MaterialLotProperty"
ANY = "*"
"""Stands in a question for an id that the schema wants and the question doesn't ask for."""


@dataclass(frozen=True, slots=True)
class Trace:
    """Where an effect of a message shows in a document.

    `noun` is the B2MML noun, `element` the one that carries `id`. `actuals` are the material actuals it must hold,
    by id and whether they are consumed, `properties` the lot's properties, by id and value. `own_number` is true if the
    document number belongs to the actual, not to the element.
    """

    noun: str
    element: str
    id: str
    actuals: tuple[tuple[str, bool], ...] = ()
    properties: tuple[tuple[str, str], ...] = ()
    own_number: bool = False

    @property
    def certain(self) -> bool:
        """False if the same element could stand for another fact: what was used is reported under the same id."""
        return self.element != "SegmentResponse" or bool(self.actuals)


def trace(message: Message) -> Trace:
    """The trace of a message that an ERP takes. Raises MappingError for others."""
    body = message.body
    match message.object:
        case "production_response":
            response = cast("SegmentResponse", body)
            return Trace("OperationsPerformance", "SegmentResponse", response.id, _actuals(response.material_actual))
        case "material_consumption":
            response = cast("SegmentResponse", body)
            actuals = _actuals(response.material_actual)
            return Trace("OperationsPerformance", "SegmentResponse", response.id, actuals, own_number=True)
        case "inventory_movement":
            return Trace("OperationsPerformance", "OperationsResponse", cast("InventoryMovement", body).id)
        case "release_decision":
            decision = cast("ReleaseDecision", body)
            decided = (("ReleaseDecision", decision.id),)
            return Trace("MaterialLot", "MaterialLot", decision.material_lot_id, properties=decided)
        case _:
            return Trace("TestResult", "TestResult", cast("QualityResult", body).id)


def _actuals(actuals: tuple[MaterialActual, ...]) -> tuple[tuple[str, bool], ...]:
    return tuple((actual.id, actual.material_use in CONSUMED) for actual in actuals)


def find(trace: Trace, document: _Element) -> _Element | None:
    """The element of a document in which the effect shows whole; None if it doesn't."""
    for element in document.iter(f"{{*}}{trace.element}"):
        if _text(element, "ID") == trace.id and _holds(trace, element):
            return element
    return None


def _holds(trace: Trace, element: _Element) -> bool:
    said = {(_text(one, "ID"), _text(one, "Value/{*}ValueString")) for one in element.iterchildren(f"{{*}}{PROPERTY}")}
    held = {_identity(actual) for actual in element.iterchildren("{*}MaterialActual")}
    return held.issuperset(trace.actuals) and said.issuperset(trace.properties)


def _identity(actual: _Element) -> tuple[str, bool]:
    return _text(actual, "ID"), _text(actual, "MaterialUse") in CONSUMED


def number(trace: Trace, element: _Element, name: str) -> str | None:
    """The document number noted in the element as the property or segment data `name`; None if none is noted."""
    if trace.own_number:
        places = [actual for actual in element.iterchildren("{*}MaterialActual") if _identity(actual) in trace.actuals]
    else:
        places = [element, *element.iterchildren("{*}SegmentResponse")]
    for place in places:
        for noted in place.iterchildren("{*}SegmentData", "{*}MaterialActualProperty", f"{{*}}{PROPERTY}"):
            if _text(noted, "ID") == name:
                return _text(noted, "Value/{*}ValueString") or None
    return None


def _text(element: _Element, path: str) -> str:
    return (element.findtext("{*}" + path) or "").strip()
