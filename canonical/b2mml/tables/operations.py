"""Operations requests and their requirements (B2MML-OperationsSchedule, -Common)."""

from __future__ import annotations

from canonical.b2mml.table import table
from canonical.isa95.operations import (
    EquipmentRequirement,
    MaterialRequirement,
    OperationsRequest,
    PersonnelRequirement,
    PhysicalAssetRequirement,
    SegmentRequirement,
)
from canonical.isa95.resources import Property

REQUIRED_BY = "(RequiredByRequestedSegmentResponse?)"
PROPERTY_IDS = {
    "Material": "(MaterialClassPropertyID?) (MaterialDefinitionPropertyID?) (MaterialLotPropertyID?)",
    "Equipment": "(EquipmentClassPropertyID?) (EquipmentPropertyID?)",
    "Personnel": "(PersonnelClassPropertyID?) (PersonPropertyID?)",
    "PhysicalAsset": "(PhysicalAssetClassPropertyID?) (PhysicalAssetPropertyID?)",
}


def declare() -> None:
    """Declare the family."""
    for resource, ids in PROPERTY_IDS.items():
        table(f"Op{resource}RequirementPropertyType", Property, f"""ID! Description* Value*:ValueType (Quantity*) {ids}
            ({resource}RequirementPropertyChild*) {REQUIRED_BY}""")  # fmt: skip
    _resources()
    _material()
    _requests()


def _resources() -> None:
    table("OpEquipmentRequirementType", EquipmentRequirement, f"""ID! EquipmentClassID* EquipmentID* (EquipmentLevel?)
        Description* EquipmentUse? Quantity*:QuantityValueType (HierarchyScope?) (SpatialDefinition?)
        (OperationalLocation?) (EquipmentRequirementChild*)
        EquipmentRequirementProperty*:OpEquipmentRequirementPropertyType {REQUIRED_BY}
        (TestSpecificationID*)""")  # fmt: skip
    table("OpPersonnelRequirementType", PersonnelRequirement, f"""ID! PersonnelClassID* PersonID* Description*
        PersonnelUse? Quantity*:QuantityValueType (HierarchyScope?) (SpatialDefinition?) (OperationalLocation?)
        (PersonnelRequirementChild*) PersonnelRequirementProperty*:OpPersonnelRequirementPropertyType {REQUIRED_BY}
        (TestSpecificationID*)""")  # fmt: skip
    table("OpPhysicalAssetRequirementType", PhysicalAssetRequirement, f"""ID! PhysicalAssetClassID* PhysicalAssetID*
        Description* PhysicalAssetUse? Quantity*:QuantityValueType (HierarchyScope?) (SpatialDefinition?)
        (PhysicalLocation?) (EquipmentLevel?) (PhysicalAssetRequirementChild*)
        PhysicalAssetRequirementProperty*:OpPhysicalAssetRequirementPropertyType {REQUIRED_BY}
        (TestSpecificationID*)""")  # fmt: skip


def _material() -> None:
    table("OpMaterialRequirementType", MaterialRequirement, f"""ID! MaterialClassID* MaterialDefinitionID*
        MaterialLotID* MaterialSubLotID* Description* MaterialUse? (SpatialDefinition?)
        StorageLocation?>ResourceLocationType Quantity*:QuantityValueType AssemblyRequirement*:OpMaterialRequirementType
        AssemblyType? AssemblyRelationship? (HierarchyScope?)
        MaterialRequirementProperty*:OpMaterialRequirementPropertyType {REQUIRED_BY}
        TestSpecificationID*""")  # fmt: skip


def _requests() -> None:
    table("OpSegmentRequirementType", SegmentRequirement, f"""ID! Description* (Version?) EarliestStartTime?
        LatestEndTime? (HierarchyScope?) OperationsType? ProcessSegmentID! Duration? OperationsDefinitionID!
        OperationsSegmentID! SegmentState? SegmentParameter*:ParameterType
        PersonnelRequirement*:OpPersonnelRequirementType EquipmentRequirement*:OpEquipmentRequirementType
        PhysicalAssetRequirement*:OpPhysicalAssetRequirementType MaterialRequirement*:OpMaterialRequirementType
        SegmentRequirementChild*:OpSegmentRequirementType (RequestedSegmentResponse*) {REQUIRED_BY}""")  # fmt: skip
    table("OperationsRequestType", OperationsRequest, f"""ID! Description* Version? StartTime? EndTime?
        HierarchyScope?:HierarchyScopeType OperationsType? Priority? RequestState? OperationsDefinitionID?
        OperationsSegmentID? SegmentRequirement+:OpSegmentRequirementType (RequestedSegmentResponse*)
        {REQUIRED_BY}""",
        lifts=(("production_order_id", "segment_requirement", "segment_parameter", "ProductionOrder"),))  # fmt: skip
