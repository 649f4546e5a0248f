"""Operations models of IEC 62264-2: definitions, requests and responses, with their segments and resources."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, model_validator

from canonical.element import (
    UNSAID,
    AssetId,
    BusinessDate,
    Element,
    EquipmentId,
    Identifier,
    LocationId,
    LotId,
    MaterialClassId,
    MaterialId,
    OrderId,
    PersonId,
    SpecificationId,
    SubLotId,
    Timestamp,
    Unless,
)
from canonical.isa95.quality import TestResult
from canonical.isa95.resources import AssemblyRelationship, AssemblyType, HierarchyScope, Property
from canonical.quantity import DecimalText, Quantity, Value

OperationsType = Literal["Production", "Maintenance", "Quality", "Inventory", "Mixed", "Other"]
RequestState = Literal[
    "Forecast", "Released", "Waiting", "Cancelled", "Ready", "Running", "Completed", "Aborted", "Held",
    "Suspended", "Closed", "Other",
]  # fmt: skip
ResponseState = Literal[
    "Waiting", "Ready", "Running", "Completed", "Aborted", "Held", "Paused", "Suspended", "Closed", "Other"
]
MaterialUse = Literal[
    "Consumable", "Consumed", "Produced", "By-product Produced", "Co-product Produced", "Yield Produced",
    "Material Consumed", "Material Produced", "Destructive Sample", "Returned Sample", "Retained Sample",
    "Inventoried", "Other",
]  # fmt: skip
CONSUMED: frozenset[str] = frozenset({"Consumed", "Material Consumed", "Consumable"})


def _duration(value: Any) -> Any:
    if isinstance(value, str):
        from isodate import Duration, parse_duration  # noqa: PLC0415 - only documents carry durations as text

        parsed = parse_duration(value)
        if isinstance(parsed, Duration):
            raise ValueError(f"{value} has years or months: their length isn't fixed, write days or hours")
        return parsed
    return value


def duration_text(value: timedelta) -> str:
    """A length of time as ISO 8601 in days and seconds, which have a fixed length."""
    if value < timedelta():
        return "-" + duration_text(-value)
    days, seconds = value.days, value.seconds
    clock = f"{seconds}.{value.microseconds:06}".rstrip("0") if value.microseconds else str(seconds)
    time = f"T{clock}S" if seconds or value.microseconds or not days else ""
    return f"P{days}D{time}" if days else f"P{time}"


IsoDuration = Annotated[timedelta, BeforeValidator(_duration), PlainSerializer(duration_text, when_used="json")]
"""A length of time of fixed length: ISO 8601 without years or months."""


def in_order(start: datetime | None, end: datetime | None, names: str) -> None:
    """Raise ValueError when the end is before the start. `names` is "start_field/end_field"."""
    if start and end and end < start:
        first, last = names.split("/")
        raise ValueError(f"{last} {end.isoformat()} is before {first} {start.isoformat()}")


class MaterialRequirement(Element):
    """A material a segment needs or makes (OpMaterialRequirementType)."""

    id: Identifier
    material_class_id: MaterialClassId | None = None
    material_definition_id: MaterialId | None = None
    material_lot_id: LotId | None = None
    material_sub_lot_id: SubLotId | None = None
    description: str | None = None
    material_use: MaterialUse | None = None
    storage_location: LocationId | None = None
    quantity: Quantity | None = None
    assembly_requirement: tuple[MaterialRequirement, ...] = ()
    assembly_type: AssemblyType | None = None
    assembly_relationship: AssemblyRelationship | None = None
    material_requirement_property: tuple[Property, ...] = ()
    test_specification_id: SpecificationId | None = None


class EquipmentRequirement(Element):
    """Equipment a segment needs (OpEquipmentRequirementType)."""

    id: Identifier
    equipment_class_id: Identifier | None = None
    equipment_id: EquipmentId | None = None
    description: str | None = None
    equipment_use: str | None = None
    quantity: Quantity | None = None
    equipment_requirement_property: tuple[Property, ...] = ()


class PersonnelRequirement(Element):
    """People a segment needs (OpPersonnelRequirementType)."""

    id: Identifier
    personnel_class_id: Identifier | None = None
    person_id: PersonId | None = None
    description: str | None = None
    personnel_use: str | None = None
    quantity: Quantity | None = None
    personnel_requirement_property: tuple[Property, ...] = ()


class PhysicalAssetRequirement(Element):
    """The asset a (maintenance) segment is about (OpPhysicalAssetRequirementType)."""

    id: Identifier
    physical_asset_class_id: Identifier | None = None
    physical_asset_id: AssetId | None = None
    description: str | None = None
    physical_asset_use: str | None = None
    quantity: Quantity | None = None
    physical_asset_requirement_property: tuple[Property, ...] = ()


class Parameter(Element):
    """A parameter of a segment or job (ParameterType)."""

    id: Identifier
    value: Value | None = None
    description: str | None = None


class SegmentRequirement(Element):
    """One step of an order with what it needs (OpSegmentRequirementType)."""

    id: Identifier
    description: str | None = None
    earliest_start_time: Timestamp | None = None
    latest_end_time: Timestamp | None = None
    operations_type: OperationsType | None = None
    process_segment_id: Identifier | None = None
    duration: IsoDuration | None = None
    operations_definition_id: Identifier | None = None
    operations_segment_id: Identifier | None = None
    segment_state: RequestState | None = None
    segment_parameter: tuple[Parameter, ...] = ()
    personnel_requirement: tuple[PersonnelRequirement, ...] = ()
    equipment_requirement: tuple[EquipmentRequirement, ...] = ()
    physical_asset_requirement: tuple[PhysicalAssetRequirement, ...] = ()
    material_requirement: tuple[MaterialRequirement, ...] = ()
    segment_requirement_child: tuple[SegmentRequirement, ...] = ()

    @model_validator(mode="after")
    def _times_in_order(self) -> SegmentRequirement:
        in_order(self.earliest_start_time, self.latest_end_time, "earliest_start_time/latest_end_time")
        return self


class OperationsRequest(Element):
    """An order: what is to be made, maintained, tested or moved, when and with what (OperationsRequestType)."""

    id: Identifier
    description: str | None = None
    version: Identifier | None = None
    start_time: Timestamp | None = None
    end_time: Timestamp | None = None
    hierarchy_scope: HierarchyScope | None = None
    operations_type: OperationsType | None = None
    priority: DecimalText | None = None
    request_state: RequestState | None = None
    operations_definition_id: Identifier | None = None
    operations_segment_id: Identifier | None = None
    segment_requirement: tuple[SegmentRequirement, ...] = Field(min_length=1)
    production_order_id: OrderId | None = None
    """The production order that a maintenance, inspection or transfer order serves, when it names one."""

    @model_validator(mode="after")
    def _times_in_order(self) -> OperationsRequest:
        in_order(self.start_time, self.end_time, "start_time/end_time")
        return self


class MaterialActual(Element):
    """A material that was made or used (OpMaterialActualType).

    Scrap is `Produced` with the disposition property `scrap`: ISA-95 has no scrap in MaterialUse.
    """

    id: Identifier
    material_class_id: MaterialClassId | None = None
    material_definition_id: MaterialId | None = None
    material_lot_id: LotId | None = None
    material_sub_lot_id: SubLotId | None = None
    description: str | None = None
    material_use: MaterialUse | None = None
    storage_location: LocationId | None = None
    quantity: Quantity | None = None
    assembly_actual: tuple[MaterialActual, ...] = ()
    assembly_type: AssemblyType | None = None
    assembly_relationship: AssemblyRelationship | None = None
    test_result: tuple[TestResult, ...] = ()
    material_actual_property: tuple[Property, ...] = ()


class EquipmentActual(Element):
    """Equipment that was used (OpEquipmentActualType)."""

    id: Identifier
    equipment_class_id: Identifier | None = None
    equipment_id: EquipmentId | None = None
    description: str | None = None
    equipment_use: str | None = None
    quantity: Quantity | None = None
    equipment_actual_property: tuple[Property, ...] = ()


class PersonnelActual(Element):
    """People who worked, for how long (OpPersonnelActualType)."""

    id: Identifier
    personnel_class_id: Identifier | None = None
    person_id: PersonId | None = None
    description: str | None = None
    personnel_use: str | None = None
    quantity: Quantity | None = None
    personnel_actual_property: tuple[Property, ...] = ()


class PhysicalAssetActual(Element):
    """The asset that was worked on (OpPhysicalAssetActualType)."""

    id: Identifier
    physical_asset_class_id: Identifier | None = None
    physical_asset_id: AssetId | None = None
    description: str | None = None
    physical_asset_use: str | None = None
    quantity: Quantity | None = None
    physical_asset_actual_property: tuple[Property, ...] = ()


class SegmentData(Element):
    """A named value reported with a segment or job (OpSegmentDataType). `Shift` names the shift."""

    id: Identifier
    description: str | None = None
    value: Value | None = None


class SegmentResponse(Element):
    """What a segment reported (OpSegmentResponseType). Each output has a material_actual of its own."""

    id: Identifier
    description: str | None = None
    published_date: Timestamp | None = None
    posting_date: Timestamp | None = None
    actual_start_time: Timestamp | None = None
    actual_end_time: Timestamp | None = None
    hierarchy_scope: HierarchyScope | None = None
    operations_type: OperationsType | None = None
    process_segment_id: Identifier | None = None
    operations_request_id: OrderId | None = None
    segment_requirement_id: Identifier | None = None
    operations_definition_id: Identifier | None = None
    operations_segment_id: Identifier | None = None
    job_response_id: Identifier | None = None
    segment_state: ResponseState | None = None
    segment_data: tuple[SegmentData, ...] = ()
    personnel_actual: tuple[PersonnelActual, ...] = ()
    equipment_actual: tuple[EquipmentActual, ...] = ()
    physical_asset_actual: tuple[PhysicalAssetActual, ...] = ()
    material_actual: tuple[MaterialActual, ...] = ()
    segment_response_child: tuple[SegmentResponse, ...] = ()

    @model_validator(mode="after")
    def _times_in_order(self) -> SegmentResponse:
        in_order(self.actual_start_time, self.actual_end_time, "actual_start_time/actual_end_time")
        return self


class ResponseLine(SegmentResponse):
    """One line of a segment response that is a fact of its own: exactly one actual, under its response's context."""


class MaterialConsumption(ResponseLine):
    """One consumed material: `id` is the response's, `material_actual` holds exactly the consumed one."""

    material_actual: tuple[MaterialActual, ...] = Field(min_length=1, max_length=1)


class Labour(ResponseLine):
    """One person's or crew's time: `id` is the response's, `personnel_actual` holds exactly the one."""

    personnel_actual: tuple[PersonnelActual, ...] = Field(min_length=1, max_length=1)


class Defect(ResponseLine):
    """Defective output: one material_actual with a disposition and a reason among its properties."""

    material_actual: tuple[MaterialActual, ...] = Field(min_length=1, max_length=1)


class LotTransformation(SegmentResponse):
    """Lots split, merged or relabelled: n Consumed become m Produced, balanced per unit of measure."""

    material_actual: tuple[MaterialActual, ...] = Field(min_length=2)

    @model_validator(mode="after")
    def _balanced(self) -> LotTransformation:
        totals: dict[str, Any] = {}
        for actual in self.material_actual:
            if actual.quantity is None:
                raise ValueError(f"material_actual {actual.id} has no quantity: a transformation is balanced")
            sign = -1 if actual.material_use in CONSUMED else 1
            unit = actual.quantity.unit_of_measure
            totals[unit] = totals.get(unit, 0) + sign * actual.quantity.value
        for unit, rest in totals.items():
            if rest:
                raise ValueError(f"consumed and produced differ by {rest} {unit}")
        return self


class OperationsResponse(Element):
    """What became of an order (OperationsResponseType)."""

    id: Identifier
    description: str | None = None
    version: Identifier | None = None
    start_time: Timestamp | None = None
    end_time: Timestamp | None = None
    hierarchy_scope: HierarchyScope | None = None
    operations_type: OperationsType | None = None
    operations_request_id: Identifier | None = None
    operations_definition_id: Identifier | None = None
    response_state: ResponseState | None = None
    segment_response: tuple[SegmentResponse, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _times_in_order(self) -> OperationsResponse:
        in_order(self.start_time, self.end_time, "start_time/end_time")
        return self


class InventoryMovement(OperationsResponse):
    """Stock that moved: goods issue, receipt or transfer; `id` is document, year and item."""

    posting_date: BusinessDate | None = None


class MaterialBillItem(Element):
    """A component of a bill of material; a phantom has items of its own and assembly type Logical."""

    id: Identifier
    material_definition_id: MaterialId
    description: str | None = None
    quantity: Quantity
    use_type: Annotated[MaterialUse, Unless("Consumed")] = UNSAID
    assembly_type: AssemblyType | None = None
    assembly_bill_of_material_item: tuple[MaterialBillItem, ...] = ()


class BillOfMaterial(Element):
    """What one lot size of a material is made of (OperationsMaterialBillType)."""

    id: Identifier
    version: Identifier | None = None
    usage: Annotated[Identifier, Unless("production")] = UNSAID
    alternative: Annotated[Identifier, Unless("1")] = UNSAID
    description: str | None = None
    material_definition_id: MaterialId
    quantity: Quantity
    effective_start_date: Timestamp | None = None
    effective_end_date: Timestamp | None = None
    bill_of_material_item: tuple[MaterialBillItem, ...] = Field(min_length=1)


class OperationsSegment(Element):
    """A step of a routing (OperationsSegmentType)."""

    id: Identifier
    description: str | None = None
    operations_type: OperationsType | None = None
    duration: IsoDuration | None = None
    process_segment_id: Identifier | None = None
    parameter: tuple[Parameter, ...] = ()
    equipment_requirement: tuple[EquipmentRequirement, ...] = ()
    material_requirement: tuple[MaterialRequirement, ...] = ()


class OperationsDefinition(Element):
    """How something is made: its steps in order (OperationsDefinitionType)."""

    id: Identifier
    version: Identifier | None = None
    description: str | None = None
    published_date: Timestamp | None = None
    operations_type: OperationsType | None = None
    bill_of_material_id: Identifier | None = None
    work_definition_id: Identifier | None = None
    operations_segment: tuple[OperationsSegment, ...] = Field(min_length=1)
