"""Which data object stands where: the B2MML nouns, their items, and what an item's own words make of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from canonical.b2mml.faults import DocumentError
from canonical.b2mml.table import NAMESPACES, V4, V7, named
from canonical.b2mml.tables import load
from canonical.objects import CATALOGUE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Self

    from lxml import etree


@dataclass(frozen=True, slots=True)
class Form:
    """How one data object stands in V7: noun, item element, table; `header`: what the noun says of its items."""

    object: str
    noun: str
    element: str
    table: str
    header: tuple[tuple[str, str], ...] = ()


def _operations(object_: str, type_: str, state: str = "") -> Form:
    header = (("OperationsType", type_), *((("ScheduleState", state),) if state else ()))
    return Form(object_, "OperationsSchedule", "OperationsRequest", "OperationsRequestType", header)


def _segment(object_: str) -> Form:
    header = (("OperationsType", "Production"),)
    return Form(object_, "OperationsPerformance", "SegmentResponse", "OpSegmentResponseType", header)


def _response(object_: str, type_: str, table: str) -> Form:
    return Form(object_, "OperationsPerformance", "OperationsResponse", table, (("OperationsType", type_),))


def _event(object_: str, table: str) -> Form:
    return Form(object_, "OperationsEvent", "OperationsEvent", f"OperationsEventType/{table}")


def _flat(object_: str, noun: str, table: str = "") -> Form:
    return Form(object_, noun, noun, table or f"{noun}Type")


FORMS: Mapping[str, Form] = {
    form.object: form
    for form in (
        _operations("production_order", "Production"),
        _operations("maintenance_order", "Maintenance"),
        _operations("maintenance_request", "Maintenance", "Forecast"),
        _operations("inspection_order", "Quality"),
        _operations("transfer_order", "Inventory"),
        _segment("production_response"),
        _segment("material_consumption"),
        _segment("labour"),
        _segment("defect"),
        _segment("lot_transformation"),
        _response("maintenance_response", "Maintenance", "OperationsResponseType"),
        _response("inventory_movement", "Inventory", "OperationsResponseType/InventoryMovement"),
        _flat("material", "MaterialDefinition"),
        _flat("material_class", "MaterialClass"),
        _flat("material_lot", "MaterialLot"),
        _flat("release_decision", "MaterialLot", "MaterialLotType/ReleaseDecision"),
        _flat("stock_level", "MaterialLot", "MaterialLotType/StockLevel"),
        _flat("handling_unit", "MaterialSubLot"),
        _flat("equipment", "Equipment"),
        _flat("test_specification", "TestSpecification"),
        _flat("quality_result", "TestResult", "TestResultType/QualityResult"),
        _flat("escalation", "WorkAlert"),
        _flat("job_response", "JobResponse"),
        Form("job_order", "JobList", "JobOrder", "JobOrderType"),
        _event("downtime", "Downtime"),
        _event("alarm", "Alarm"),
        _event("deviation", "Deviation"),
        _event("maintenance_event", "MaintenanceEvent"),
    )
}

CONTAINERS: Mapping[str, frozenset[str]] = {
    "OperationsSchedule": frozenset({"OperationsRequest"}),
    "OperationsPerformance": frozenset({"OperationsResponse"}),
    "JobList": frozenset({"JobOrder"}),
    "MaterialInformation": frozenset({"MaterialClass", "MaterialDefinition", "MaterialLot", "MaterialSubLot"}),
    "EquipmentInformation": frozenset({"Equipment"}),
    "ProductionSchedule": frozenset({"ProductionRequest"}),
    "ProductionPerformance": frozenset({"ProductionResponse"}),
}
"""Nouns that hold items, and the elements that are items."""

V7_NOUNS = frozenset(form.noun for form in FORMS.values()) | {"MaterialInformation", "EquipmentInformation"}
V4_NOUNS = frozenset({
    "ProductionSchedule", "ProductionPerformance", "MaterialInformation", "MaterialDefinition", "MaterialClass",
    "MaterialLot", "MaterialSubLot",
})  # fmt: skip
V4_TABLES = {
    "ProductionRequest": "ProductionRequestType", "SegmentResponse": "SegmentResponseType",
    "MaterialDefinition": "MaterialDefinitionType", "MaterialClass": "MaterialClassType",
    "MaterialLot": "MaterialLotType", "MaterialSubLot": "MaterialSubLotType",
}  # fmt: skip

_BY_TYPE = {
    "Production": "production_order", "Maintenance": "maintenance_order", "Quality": "inspection_order",
    "Inventory": "transfer_order", "Mixed": "production_order", "Other": "production_order",
}  # fmt: skip
_FLAT = {form.noun: form.object for form in FORMS.values() if form.element == form.noun and "/" not in form.table}
CONFIRMED = "BOD"
"""What ConfirmBOD is about: a document, no data object."""
SEGMENT = "segment"
"""Stands for the objects that one SegmentResponse is split into."""


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a document: its element, the elements around it (nearest first), object and table."""

    element: etree._Element
    around: tuple[etree._Element, ...]
    object: str
    table: str


@dataclass(frozen=True, slots=True)
class Header:
    """What a noun says of all its items. Looked up once: a search among thousands of items takes its time."""

    type: str
    state: str

    @classmethod
    def of(cls, holder: etree._Element) -> Self:
        """The header of a noun."""
        return cls(word(holder, "OperationsType"), word(holder, "ScheduleState"))


NO_HEADER = Header("", "")


def items(version: str, noun: str, data_area: etree._Element) -> Iterator[Item]:
    """The items of a document in their order. Raises DocumentError for elements that a noun doesn't have."""
    if noun == CONFIRMED:
        return
    for holder in data_area.iterchildren(_tag(version, noun)):
        if noun not in CONTAINERS:
            yield _item(version, holder, (), NO_HEADER)
            continue
        header = Header.of(holder)
        _only_known(version, f"{noun}Type", holder)
        for child in holder:
            name = local(child)
            if name in ("OperationsResponse", "ProductionResponse"):
                yield from _responses(version, child, holder, header)
            elif name in CONTAINERS[noun]:
                yield _item(version, child, (holder,), header)


def _responses(version: str, response: etree._Element, performance: etree._Element, header: Header) -> Iterator[Item]:
    kind = word(response, "OperationsType") or header.type
    whole = {"Maintenance": "maintenance_response", "Inventory": "inventory_movement"}.get(kind)
    if whole:
        yield Item(response, (performance,), whole, FORMS[whole].table)
        return
    _only_known(version, f"{local(response)}Type/Container", response)
    table = V4_TABLES["SegmentResponse"] if version == V4 else "OpSegmentResponseType"
    for segment in response.iterchildren(_tag(version, "SegmentResponse")):
        yield Item(segment, (response, performance), SEGMENT, table)


def _only_known(version: str, table: str, holder: etree._Element) -> None:
    """Raise DocumentError for an element that the type doesn't have: a misspelt item must not be overlooked."""
    load()
    known = {row.name for row in named(version, table).rows} | {"Any"}
    space = f"{{{NAMESPACES[version]}}}"
    for child in holder:
        name = str(child.tag)
        if name.startswith(space) and name.removeprefix(space) not in known:
            place = f"{local(holder)}[{word(holder, 'ID')}]"
            kind = table.partition("/")[0]
            raise DocumentError(place, f"{local(child)} is no element of {kind} in B2MML {version}")


def _item(version: str, element: etree._Element, around: tuple[etree._Element, ...], header: Header) -> Item:
    name = local(element)
    if version == V4:
        return Item(element, around, _FLAT.get(name, "production_order"), V4_TABLES[name])
    object_ = _object_of(name, element, header)
    return Item(element, around, object_, FORMS[object_].table)


def _object_of(name: str, element: etree._Element, header: Header) -> str:
    if name == "OperationsRequest":
        return _request(element, header)
    if name == "OperationsEvent":
        return _event_object(element)
    if name == "MaterialLot":
        return _lot(element)
    if name == "TestResult":
        return "quality_result"
    return "job_order" if name == "JobOrder" else _FLAT[name]


def _request(element: etree._Element, header: Header) -> str:
    kind = word(element, "OperationsType") or header.type
    state = word(element, "RequestState") or header.state
    if kind == "Maintenance" and state == "Forecast":
        return "maintenance_request"
    return _BY_TYPE.get(kind, "production_order")


def _event_object(element: etree._Element) -> str:
    if word(element, "Category") == "Downtime":
        return "downtime"
    if word(element, "OperationsEventType") == "Alarm" or word(element, "OperationsEventLevel") == "Level 2":
        return "alarm"
    return "maintenance_event" if word(element, "OperationsType") == "Maintenance" else "deviation"


def _lot(element: etree._Element) -> str:
    for prop in element.iterchildren(_tag(V7, "MaterialLotProperty")):
        ident = word(prop, "ID")
        if ident == "ReleaseDecision":
            return "release_decision"
        if ident == "StockLevelAsOf":
            return "stock_level"
    return "material_lot"


def local(element: etree._Element) -> str:
    """The element's name without its namespace."""
    return str(element.tag).rpartition("}")[2]


def word(element: etree._Element, name: str) -> str:
    """The text of the first child called `name` in the element's own namespace, empty when there is none."""
    space = str(element.tag).rpartition("}")[0]
    found = element.find(f"{space}}}{name}" if space else name)
    return (found.text or "").strip() if found is not None else ""


def _tag(version: str, name: str) -> str:
    return f"{{{NAMESPACES[version]}}}{name}"


def unwritable() -> tuple[str, ...]:
    """The data objects of the catalogue that have no form in B2MML here."""
    return tuple(name for name in CATALOGUE if name not in FORMS)
