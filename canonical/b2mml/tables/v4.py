"""B2MML V4.01, read only: schedules, performances and materials of plants that have not moved on.

V4.01 names no operations type: everything is Production. Requirements and actuals have no IDs there: they get their
position. Produced, consumed and consumable materials are elements of their own there and MaterialUse here.
"""

from __future__ import annotations

from canonical.b2mml.table import V4, table
from canonical.element import Element
from canonical.isa95 import operations, resources
from canonical.quantity import Quantity, Value

RESOURCES = (
    ("Material", "MaterialClassID* MaterialDefinitionID* MaterialLotID* MaterialSubLotID*"),
    ("Equipment", "EquipmentClassID* EquipmentID*"),
    ("Personnel", "PersonnelClassID* PersonID*"),
)
MODELS: dict[str, type[Element]] = {
    "MaterialRequirement": operations.MaterialRequirement, "MaterialActual": operations.MaterialActual,
    "EquipmentRequirement": operations.EquipmentRequirement, "EquipmentActual": operations.EquipmentActual,
    "PersonnelRequirement": operations.PersonnelRequirement, "PersonnelActual": operations.PersonnelActual,
}  # fmt: skip
USES = {
    "MaterialProducedRequirement": ("Requirement", "Produced"),
    "MaterialConsumedRequirement": ("Requirement", "Consumed"),
    "ConsumableExpectedRequirement": ("Requirement", "Consumable"),
    "MaterialProducedActual": ("Actual", "Produced"),
    "MaterialConsumedActual": ("Actual", "Consumed"),
    "ConsumableActual": ("Actual", "Consumable"),
}
"""V4's elements for materials of one use."""


def declare() -> None:
    """Declare the family."""
    table("QuantityValueType", Quantity, "QuantityString!=value DataType! UnitOfMeasure! Key?", version=V4, terse=True)
    table("ValueType", Value, "ValueString!=value DataType! UnitOfMeasure! Key?", version=V4)
    table(
        "LocationType",
        resources.HierarchyScope,
        "EquipmentID! EquipmentElementLevel!=equipment_level (Location?)",
        version=V4,
    )
    table("LocationType/Storage", None, "EquipmentID!=$ (EquipmentElementLevel!) (Location?)", version=V4)
    table("PropertyType", resources.Property, "ID? Description* Value*:ValueType", version=V4, numbered=True)
    table("ParameterType", operations.Parameter, "ID! Value*:ValueType Description* (Parameter*)", version=V4)
    table("ProductionDataType", operations.SegmentData, "ID! Description* Value*:ValueType", version=V4)
    for kind in ("Requirement", "Actual"):
        for resource, ids in RESOURCES:
            _resource(kind, resource, ids)
    for name, (kind, use) in USES.items():
        _material(name, kind, use)
    _segments()
    _materials()


def _resource(kind: str, resource: str, ids: str) -> None:
    name, held = f"{resource}{kind}", f"{resource.lower()}_{kind.lower()}_property"
    place = "Location?>LocationType/Storage=storage_location MaterialUse?" if resource == "Material" else "(Location?)"
    table(f"{name}Type", MODELS[name], f"""{ids} Description* {place} Quantity*:QuantityValueType
        {name}Property*:PropertyType={held}""", version=V4, numbered=True)  # fmt: skip


def _material(name: str, kind: str, use: str) -> None:
    lots = "" if use == "Consumable" else "MaterialLotID* MaterialSubLotID*"
    table(f"{name}Type", MODELS[f"Material{kind}"], f"""MaterialClassID* MaterialDefinitionID* {lots}
        Description* Location?>LocationType/Storage=storage_location Quantity*:QuantityValueType
        {name}Property*:PropertyType=material_{kind.lower()}_property""",
        version=V4, numbered=True, implied=(("material_use", lambda _: use),))  # fmt: skip


def _uses(kind: str) -> str:
    return " ".join(
        f"{name}*:{name}Type=material_{kind.lower()}" for name, (each, _) in USES.items() if each == kind
    )  # fmt: skip


def _segments() -> None:
    table("SegmentRequirementType", operations.SegmentRequirement, f"""ID? ProductSegmentID?=operations_segment_id
        ProcessSegmentID? Description* (Location?) EarliestStartTime? LatestEndTime? Duration?
        ProductionParameter*>ProductionParameterType PersonnelRequirement*:PersonnelRequirementType
        EquipmentRequirement*:EquipmentRequirementType MaterialRequirement*:MaterialRequirementType
        {_uses("Requirement")} SegmentRequirement*:SegmentRequirementType=segment_requirement_child
        SegmentState?""", version=V4, numbered=True)  # fmt: skip
    table("ProductionParameterType", None, """(ProductSegmentID?) (ProcessSegmentID?)
        Parameter?:ParameterType=segment_parameter""", version=V4)  # fmt: skip
    table("ProductionRequestType", operations.OperationsRequest, """ID? Description*
        ProductProductionRuleID*=operations_definition_id Location?:LocationType=hierarchy_scope StartTime? EndTime?
        Priority? SegmentRequirement*:SegmentRequirementType (SegmentResponse*) RequestState?""",
        version=V4)  # fmt: skip
    table("SegmentResponseType", operations.SegmentResponse, f"""ID? ProcessSegmentID*
        ProductSegmentID*=operations_segment_id Description* Location?:LocationType=hierarchy_scope ActualStartTime?
        ActualEndTime? ProductionData*:ProductionDataType=segment_data PersonnelActual*:PersonnelActualType
        EquipmentActual*:EquipmentActualType MaterialActual*:MaterialActualType {_uses("Actual")}
        SegmentResponse*:SegmentResponseType=segment_response_child SegmentState?""",
        version=V4, numbered=True)  # fmt: skip


def _materials() -> None:
    table("MaterialClassType", resources.MaterialClass, """ID! Description*
        MaterialClassProperty*:PropertyType""", version=V4)  # fmt: skip
    table("MaterialDefinitionType", resources.MaterialDefinition, """ID! Description*
        MaterialDefinitionProperty*:PropertyType MaterialClassID*""", version=V4)  # fmt: skip
    table("MaterialLotType", resources.MaterialLot, """ID! Description* MaterialDefinitionID? Status?
        MaterialLotProperty*:PropertyType MaterialSubLot*:MaterialSubLotType (Location?)
        StorageLocation? Quantity*:QuantityValueType""",
        version=V4)  # fmt: skip
    table("MaterialSubLotType", resources.MaterialSubLot, """ID! Description* Status?
        MaterialSublotProperty*:PropertyType=material_lot_property StorageLocation? Quantity*:QuantityValueType
        MaterialLotID?""", version=V4)  # fmt: skip
