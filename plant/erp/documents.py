"""The ERP's B2MML V7: the documents it sends, and what it reads out of those it gets."""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from plant.erp.books import MATERIALS, PRODUCT, Line, Order
from plant.erp.soap import E

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lxml.etree import _Element

NUMBER = "DocumentNumber"
REVERSED = "ReversedDocumentNumber"
SEGMENT, LINE = "0010", "LINE1"
CONSUMED = frozenset({"Consumed", "Material Consumed", "Consumable"})
PRODUCED = frozenset({"Produced", "Material Produced", "Yield Produced"})


class Refusal(Exception):  # noqa: N818
    """The ERP says no; `code` is its reason code."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


def document(name: str, bod_id: str, verb: _Element, nouns: Iterable[_Element]) -> _Element:
    """A BOD from the ERP."""
    area = E.ApplicationArea(
        E.Sender(E.LogicalID("erp"), E.ConfirmationCode("Always")), E.CreationDateTime(_now()), E.BODID(bod_id)
    )
    return E(name, area, E.DataArea(verb, *nouns), releaseID="7.0.1")


def schedule(orders: Iterable[Order]) -> _Element:
    """Orders as an operations schedule."""
    return E.OperationsSchedule(
        E.ID("lyon"), E.PublishedDate(_now()), E.OperationsType("Production"), *(_request(order) for order in orders)
    )


def _request(order: Order) -> _Element:
    return E.OperationsRequest(
        E.ID(order.id), E.Description(f"{order.quantity} x {MATERIALS[PRODUCT].description}"),
        E.StartTime(order.start.isoformat()), E.EndTime(order.end.isoformat()),
        E.HierarchyScope(E.EquipmentID("LYON"), E.EquipmentLevel("Site")),
        E.OperationsType("Production"), E.Priority("1"), E.RequestState("Released"),
        E.SegmentRequirement(
            E.ID(SEGMENT), E.EarliestStartTime(order.start.isoformat()), E.LatestEndTime(order.end.isoformat()),
            E.OperationsType("Production"), E.ProcessSegmentID("FILLING"), E.OperationsDefinitionID(PRODUCT),
            E.OperationsSegmentID(SEGMENT),
            E.EquipmentRequirement(E.ID("1"), E.EquipmentID(LINE)),
            _requirement("1", PRODUCT, "Produced", order.quantity),
            *(
                _requirement(str(number), material, "Consumed", quantity)
                for number, (material, quantity) in enumerate(order.needs().items(), 2)
            ),
        ),
    )  # fmt: skip


def _requirement(number: str, material: str, use: str, quantity: Decimal) -> _Element:
    return E.MaterialRequirement(
        E.ID(number), E.MaterialDefinitionID(material), E.MaterialUse(use),
        E.Quantity(
            E.QuantityString(f"{quantity.normalize():f}"), E.DataType("decimal"),
            E.UnitOfMeasure(MATERIALS[material].unit),
        ),
    )  # fmt: skip


def materials() -> list[_Element]:
    """The material master."""
    return [E.MaterialDefinition(E.ID(name), E.Description(known.description)) for name, known in MATERIALS.items()]


def answer(asked: _Element, verb: str, bod_id: str, nouns: Iterable[_Element], refusal: Refusal | None) -> _Element:
    """An Acknowledge or a Show for a document."""
    noun = name_of(asked).removeprefix(verb_of(asked))
    criteria = [] if verb == "Show" else [_criteria(refusal)]
    return document(f"{verb}{noun}", bod_id, E(verb, _original(asked), *criteria), nouns)


def confirmation(asked: _Element, bod_id: str, refusal: Refusal | None) -> _Element:
    """A ConfirmBOD for a document."""
    area = E.ApplicationArea(E.Sender(E.LogicalID("erp")), E.CreationDateTime(_now()), E.BODID(bod_id))
    text = str(refusal) if refusal else "posted"
    confirm = E.Confirm(_original(asked), _criteria(refusal))
    return E.ConfirmBOD(area, E.DataArea(confirm, E.BOD(_original(asked), E.Description(text))))


def _criteria(refusal: Refusal | None) -> _Element:
    if refusal is None:
        return E.ResponseCriteria(E.ResponseExpression(actionCode="Accepted"))
    return E.ResponseCriteria(
        E.ResponseExpression(actionCode="Rejected"),
        E.ChangeStatus(E.Description(str(refusal)), E.ReasonCode(refusal.code), E.Reason(str(refusal))),
    )


def _original(asked: _Element) -> _Element:
    """The application area of what is answered, under the name it has in answers."""
    area = asked.find("{*}ApplicationArea")
    original = E.OriginalApplicationArea()
    if area is not None:
        original.extend(deepcopy(child) for child in area)
    return original


def stamp_segment(response: _Element, number: str) -> None:
    """Note the number of the confirmation in a segment response: SegmentData comes before the actuals."""
    later = ("PersonnelActual", "EquipmentActual", "PhysicalAssetActual", "MaterialActual", "SegmentResponseChild")
    value = E.Value(E.ValueString(number), E.DataType("string"))
    data = E.SegmentData(E.ID(NUMBER), value)
    following = next((child for child in response.iterchildren("*") if name_of(child) in later), None)
    if following is None:
        response.append(data)
    else:
        following.addprevious(data)


def number_of(response: _Element) -> str:
    """The number of the confirmation that a segment response was stamped with, empty if with none."""
    return data_of(response, NUMBER)


def data_of(response: _Element, name: str) -> str:
    """The value of a segment response's data of that id, empty if it has none."""
    return next(
        (text_of(data, "Value/{*}ValueString") for data in response.iterchildren("{*}SegmentData")
         if text_of(data, "ID") == name), "",
    )  # fmt: skip


def stamp_property(element: _Element, property: str, number: str, before: tuple[str, ...] = ()) -> None:
    """Note a document's number as the last property of an actual or a lot."""
    value = E.Value(E.ValueString(number), E.DataType("string"))
    noted = E(property, E.ID(NUMBER), value)
    following = next((child for child in element.iterchildren("*") if name_of(child) in before), None)
    if following is None:
        element.append(noted)
    else:
        following.addprevious(noted)


def line_of(actual: _Element, inventory: bool) -> Line:
    """Read a material actual. Raises Refusal for an unknown material or a quantity that is none."""
    material = text_of(actual, "MaterialDefinitionID")
    if material not in MATERIALS:
        raise Refusal("MATERIAL_UNKNOWN", f"material {material} isn't in the material master")
    said = text_of(actual, "Quantity/{*}QuantityString")
    try:
        quantity = Decimal(said)
    except InvalidOperation:
        raise Refusal("QUANTITY_INVALID", f"'{said}' of {material} is no quantity") from None
    use = text_of(actual, "MaterialUse")
    if inventory:
        return Line(material, quantity, "received" if use in PRODUCED else "issued" if use in CONSUMED else "moved")
    return Line(material, quantity, "consumed" if use in CONSUMED else "scrap" if _is_scrap(actual) else "good")


def _is_scrap(actual: _Element) -> bool:
    return any(
        text_of(found, "ID").lower() == "disposition" and text_of(found, "Value/{*}ValueString").lower() == "scrap"
        for found in actual.iterchildren("{*}MaterialActualProperty")
    )


def text_of(element: _Element, path: str) -> str:
    """The text at a path, empty if there is none."""
    return (element.findtext("{*}" + path) or "").strip()


def name_of(element: _Element) -> str:
    """An element's name without its namespace."""
    return str(element.tag).rpartition("}")[2]


def verb_of(asked: _Element) -> str:
    """The verb a document's name begins with, empty if with none."""
    name = name_of(asked)
    return next((verb for verb in ("Process", "Change", "Cancel", "Sync", "Get", "Show") if name.startswith(verb)), "")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
