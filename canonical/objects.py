"""The catalogue: every data object the bus knows, one row each.

Subjects, linter, docs, pages and JSON Schemas derive from it. A row says what kind of thing the object is, which
ISA-95 type it follows, what identifies one (key), what must not overtake what (lanes) and who usually owns it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from canonical.isa95 import events, gap, kpi, operations, quality, resources, signals, work
from canonical.references import named_by

if TYPE_CHECKING:
    from collections.abc import Mapping

    from canonical.element import Element


class Kind(StrEnum):
    """What a second message about the same thing means."""

    STATE = "state"
    """The newest revision replaces the older one; never added up."""
    FACT = "fact"
    """Stands for itself and may be added up; a newer revision of the same key revises that one fact."""
    SIGNAL = "signal"
    """Level 2, by source time; never delivered to a business system as such."""


class UnknownObjectError(LookupError):
    """No row of the catalogue has that name."""


class KeyMissingError(ValueError):
    """A body lacks an attribute that its object's key or lane is made of."""


NOTHING = "-"
"""Stands in a key for a part that this thing doesn't have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataObject:
    """One row of the catalogue.

    `key` lists paths into the body, joined by `/`; a path may name alternatives with `|`, the last of which may be `-`.
    `lanes` lists `(name, path)` pairs, the first that the body has is the lane `name:value`; a path with a `*`
    gives a lane per element. `noun` is the B2MML noun or type, empty where ISA-95 has none.
    """

    name: str
    kind: Kind
    body: type[Element]
    isa95: str
    noun: str = ""
    key: tuple[str, ...]
    lanes: tuple[tuple[str, str], ...]
    owner: tuple[str, ...]
    enterprise: bool = False

    def key_of(self, body: Element) -> str:
        """The identity of `body`. Raises KeyMissingError naming the attribute that is missing."""
        return "/".join(_part(self.name, body, path) for path in self.key)

    @property
    def key_objects(self) -> tuple[str | None, ...]:
        """What each part of the key is the id of: a data object, perhaps itself, or None."""
        return tuple(self.name if path == "id" else named_by(self.body, path.partition("|")[0]) for path in self.key)

    def lanes_of(self, body: Element) -> tuple[str, ...]:
        """The lanes of `body`, at least one, the first is the one of its subject. Raises KeyMissingError."""
        for name, path in self.lanes:
            values = _values(body, path)
            if values:
                return tuple(dict.fromkeys(f"{name}:{value}" for value in values))
        raise KeyMissingError(f"{self.name} has no {' nor '.join(path for _, path in self.lanes)}: its lane is unknown")


def _part(name: str, body: Element, alternatives: str) -> str:
    for path in alternatives.split("|"):
        if path == NOTHING:
            return NOTHING
        values = _values(body, path)
        if values:
            return key_part(values[0])
    raise KeyMissingError(f"{name} has no {alternatives.replace('|', ' nor ')}: its key is unknown")


def key_part(value: str) -> str:
    """An id as a part of a key: `/` and `-` stay unambiguous."""
    if value == NOTHING:
        return "%2D"
    return value.replace("%", "%25").replace("/", "%2F")


def id_of(part: str) -> str:
    """The id that `key_part` made a part of a key of."""
    return part.replace("%2D", "-").replace("%2F", "/").replace("%25", "%")


def shown_key(object: str, key: str) -> str:
    """A key as people know it: the id itself where the key is nothing else."""
    row = CATALOGUE.get(object)
    return id_of(key) if row is not None and len(row.key) == 1 else key


def _values(body: object, path: str) -> list[str]:
    """The values at a dotted path: `a.b`, `a.0.b` (first element), `a.*.b` (every element)."""
    found: list[object] = [body]
    for step in path.split("."):
        if step == "*":
            found = [inner for value in found for inner in _tuple(value)]
        elif step.isdigit():
            found = [_tuple(value)[int(step)] for value in found if len(_tuple(value)) > int(step)]
        else:
            found = [getattr(value, step, None) for value in found]
    return [_text(value) for value in found if value is not None and value != ""]


def _text(value: object) -> str:
    """One spelling per value: a time is the same key whatever its offset."""
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else str(value)


def _tuple(value: object) -> tuple[object, ...]:
    return value if isinstance(value, tuple) else ()


ORDER = ("order", "operations_request_id")
PRODUCTION_ORDER = ("order", "production_order_id")


def _rows() -> tuple[DataObject, ...]:
    state, fact, signal = Kind.STATE, Kind.FACT, Kind.SIGNAL
    row = DataObject
    return (
        row(name="material", kind=state, body=resources.MaterialDefinition, isa95="MaterialDefinition",
            noun="MaterialDefinition", key=("id",), lanes=(("material", "id"),), owner=("erp",), enterprise=True),
        row(name="material_class", kind=state, body=resources.MaterialClass, isa95="MaterialClass",
            noun="MaterialClass", key=("id",), lanes=(("material_class", "id"),), owner=("erp",), enterprise=True),
        row(name="bill_of_material", kind=state, body=operations.BillOfMaterial, isa95="OperationsMaterialBill",
            noun="OperationsDefinition", key=("material_definition_id", "usage", "alternative", "version|-"),
            lanes=(("bill_of_material", "material_definition_id"),), owner=("erp",)),
        row(name="routing", kind=state, body=operations.OperationsDefinition, isa95="OperationsDefinition",
            noun="OperationsDefinition", key=("id", "version|-"), lanes=(("routing", "id"),), owner=("erp",)),
        row(name="work_master", kind=state, body=work.WorkMaster, isa95="WorkMaster", noun="WorkMaster",
            key=("id", "version|-"), lanes=(("work_master", "id"),), owner=("mes",)),
        row(name="equipment", kind=state, body=resources.Equipment, isa95="Equipment", noun="Equipment",
            key=("id",), lanes=(("equipment", "id"),), owner=("mes",)),
        row(name="physical_asset", kind=state, body=resources.PhysicalAsset, isa95="PhysicalAsset",
            noun="PhysicalAsset", key=("id",), lanes=(("asset", "id"),), owner=("cmms",)),
        row(name="location", kind=state, body=resources.OperationalLocation, isa95="OperationalLocation",
            noun="OperationalLocation", key=("id",), lanes=(("location", "id"),), owner=("wms",)),
        row(name="person", kind=state, body=resources.Person, isa95="Person", noun="Person",
            key=("id",), lanes=(("person", "id"),), owner=("mes",)),
        row(name="qualification", kind=state, body=resources.Qualification, isa95="PersonProperty with expiry",
            noun="Person", key=("person_id", "id"), lanes=(("person", "person_id"),), owner=("mes",)),
        row(name="work_calendar", kind=state, body=work.WorkCalendar, isa95="WorkCalendar", noun="WorkCalendar",
            key=("id",), lanes=(("work_calendar", "id"),), owner=("mes",)),
        row(name="reason_code", kind=state, body=events.ReasonCode, isa95="OperationsEventDefinition",
            noun="OperationsEventDefinition", key=("id", "version|-"), lanes=(("reason", "id"),), owner=("mes",)),
        row(name="capability", kind=state, body=work.WorkCapability, isa95="WorkCapability", noun="WorkCapability",
            key=("equipment_id", "id"), lanes=(("equipment", "equipment_id"),), owner=("cmms", "mes")),
        row(name="test_specification", kind=state, body=quality.TestSpecification, isa95="TestSpecification",
            noun="TestSpecification", key=("id", "version|-"), lanes=(("test_specification", "id"),), owner=("qms",)),
        row(name="production_order", kind=state, body=operations.OperationsRequest,
            isa95="OperationsRequest, Production", noun="OperationsSchedule", key=("id",),
            lanes=(("order", "id"),), owner=("erp",)),
        row(name="maintenance_order", kind=state, body=operations.OperationsRequest,
            isa95="OperationsRequest, Maintenance", noun="OperationsSchedule", key=("id",),
            lanes=(PRODUCTION_ORDER, ("maintenance_order", "id")), owner=("cmms",)),
        row(name="inspection_order", kind=state, body=operations.OperationsRequest,
            isa95="OperationsRequest, Quality", noun="OperationsSchedule", key=("id",),
            lanes=(PRODUCTION_ORDER, ("inspection_order", "id")), owner=("qms",)),
        row(name="transfer_order", kind=state, body=operations.OperationsRequest,
            isa95="OperationsRequest, Inventory", noun="OperationsSchedule", key=("id",),
            lanes=(PRODUCTION_ORDER, ("transfer_order", "id")), owner=("wms",)),
        row(name="job_order", kind=state, body=work.JobOrder, isa95="JobOrder", noun="JobList", key=("id",),
            lanes=(PRODUCTION_ORDER, ("job_order", "id")), owner=("mes",)),
        row(name="job_response", kind=fact, body=work.JobResponse, isa95="JobResponse", noun="JobResponse",
            key=("id",), lanes=(PRODUCTION_ORDER, ("job_order", "job_order_id"), ("response", "id")), owner=("mes",)),
        row(name="production_response", kind=fact, body=operations.SegmentResponse,
            isa95="SegmentResponse with PostingDate", noun="OperationsPerformance", key=("id",),
            lanes=(ORDER, ("response", "id")), owner=("mes",)),
        row(name="material_consumption", kind=fact, body=operations.MaterialConsumption,
            isa95="SegmentResponse, MaterialActual Consumed", noun="OperationsPerformance",
            key=("id", "material_actual.0.id"), lanes=(ORDER, ("response", "id")), owner=("mes",)),
        row(name="labour", kind=fact, body=operations.Labour, isa95="SegmentResponse, PersonnelActual",
            noun="OperationsPerformance", key=("id", "personnel_actual.0.id"), lanes=(ORDER, ("response", "id")),
            owner=("mes",)),
        row(name="defect", kind=fact, body=operations.Defect, isa95="SegmentResponse, MaterialActual with disposition",
            noun="OperationsPerformance", key=("id", "material_actual.0.id"), lanes=(ORDER, ("response", "id")),
            owner=("mes",)),
        row(name="maintenance_response", kind=fact, body=operations.OperationsResponse,
            isa95="OperationsResponse, Maintenance", noun="OperationsPerformance", key=("id",),
            lanes=(("maintenance_order", "operations_request_id"), ("response", "id")), owner=("cmms",)),
        row(name="inventory_movement", kind=fact, body=operations.InventoryMovement,
            isa95="OperationsResponse, Inventory", noun="OperationsPerformance", key=("id",),
            lanes=(ORDER, ("material", "segment_response.0.material_actual.0.material_definition_id"),
                   ("response", "id")), owner=("wms",)),
        row(name="lot_transformation", kind=fact, body=operations.LotTransformation,
            isa95="SegmentResponse, n Consumed to m Produced", noun="OperationsPerformance", key=("id",),
            lanes=(("lot", "material_actual.*.material_lot_id"), ("response", "id")), owner=("mes", "wms")),
        row(name="material_lot", kind=state, body=resources.MaterialLot, isa95="MaterialLot", noun="MaterialLot",
            key=("material_definition_id", "id"), lanes=(("lot", "id"),), owner=("mes", "wms")),
        row(name="handling_unit", kind=state, body=resources.MaterialSubLot, isa95="MaterialSubLot",
            noun="MaterialSubLot", key=("id",), lanes=(("lot", "material_lot_id"), ("handling_unit", "id")),
            owner=("wms",)),
        row(name="serial", kind=state, body=resources.MaterialSubLot, isa95="MaterialSubLot", noun="MaterialSubLot",
            key=("material_definition_id", "id"), lanes=(("lot", "material_lot_id"), ("serial", "id")), owner=("mes",)),
        row(name="stock_level", kind=state, body=resources.StockLevel, isa95="MaterialLot quantities",
            noun="MaterialLot", key=("material_definition_id", "storage_location", "material_lot_id|-", "status"),
            lanes=(("material", "material_definition_id"),), owner=("wms",)),
        row(name="sample", kind=state, body=quality.Sample, isa95="TestResult, physical sample", noun="",
            key=("id",), lanes=(("lot", "material_lot_id"),), owner=("qms",)),
        row(name="quality_result", kind=fact, body=quality.QualityResult, isa95="TestResult", noun="TestResult",
            key=("sample_id|testable_object_id|id", "test_specification_version|-",
                 "property_measurement.0.testable_object_property_id|property_measurement.0.id|id", "replicate"),
            lanes=(("lot", "testable_object_id"), ("test_result", "id")), owner=("qms",)),
        row(name="deviation", kind=state, body=events.Deviation, isa95="OperationsEvent, Quality",
            noun="OperationsEvent", key=("id",), lanes=(("lot", "material_lot_id"), ("deviation", "id")),
            owner=("qms",)),
        row(name="release_decision", kind=fact, body=quality.ReleaseDecision, isa95="MaterialLot, Disposition",
            noun="MaterialLot", key=("id",), lanes=(("lot", "material_lot_id"),), owner=("qms",)),
        row(name="downtime", kind=fact, body=events.Downtime, isa95="OperationsEventRecord with JobResponse",
            noun="OperationsEvent", key=("id",), lanes=(("equipment", "equipment_id"),), owner=("mes",)),
        row(name="maintenance_request", kind=state, body=operations.OperationsRequest,
            isa95="OperationsRequest, Maintenance, Forecast", noun="OperationsSchedule", key=("id",),
            lanes=(("asset", "segment_requirement.0.physical_asset_requirement.0.physical_asset_id"),
                   ("equipment", "segment_requirement.0.equipment_requirement.0.equipment_id"),
                   ("maintenance_request", "id")), owner=("cmms",)),
        row(name="maintenance_event", kind=fact, body=events.MaintenanceEvent, isa95="OperationsEvent, Maintenance",
            noun="OperationsEvent", key=("id",), lanes=(("asset", "physical_asset_id"), ("equipment", "equipment_id"),
            ("maintenance_event", "id")), owner=("cmms",)),
        row(name="alarm", kind=fact, body=events.Alarm, isa95="OperationsEvent Alarm, Level 2",
            noun="OperationsEvent", key=("equipment_id", "condition", "occurrence"),
            lanes=(("equipment", "equipment_id"),), owner=("scada",)),
        row(name="escalation", kind=state, body=work.WorkAlert, isa95="WorkAlert", noun="WorkAlert", key=("id",),
            lanes=(("escalation", "id"),), owner=("mom",)),
        row(name="equipment_state", kind=signal, body=signals.EquipmentState, isa95="Level 2",
            key=("equipment_id", "reading.0.signal", "reading.0.source_time"),
            lanes=(("equipment", "equipment_id"),), owner=("plc",)),
        row(name="process_value", kind=signal, body=signals.ProcessValue, isa95="Level 2",
            key=("equipment_id", "reading.0.signal", "reading.0.source_time"),
            lanes=(("equipment", "equipment_id"),), owner=("plc",)),
        row(name="count", kind=signal, body=signals.Count, isa95="Level 2",
            key=("equipment_id", "reading.0.signal", "reading.0.source_time"),
            lanes=(("equipment", "equipment_id"),), owner=("plc",)),
        row(name="gap", kind=fact, body=gap.Gap, isa95="mombus: what a wire lost", key=("system", "what", "since"),
            lanes=(("system", "system"),), owner=("every system about itself",)),
        row(name="kpi", kind=fact, body=kpi.Kpi, isa95="ISO 22400-2",
            key=("id", "formula_version", "equipment_id", "start_time", "end_time"),
            lanes=(("equipment", "equipment_id"),), owner=("mom",)),
    )  # fmt: skip


CATALOGUE: Mapping[str, DataObject] = MappingProxyType({row.name: row for row in _rows()})


def data_object(name: str) -> DataObject:
    """The catalogue's row for `name`. Raises UnknownObjectError."""
    try:
        return CATALOGUE[name]
    except KeyError:
        close = get_close_matches(name, CATALOGUE, n=1)
        hint = f"; did you mean '{close[0]}'?" if close else ""
        raise UnknownObjectError(f"'{name}' is no data object of the catalogue{hint}") from None
