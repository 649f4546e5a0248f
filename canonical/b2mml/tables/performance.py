"""Segment and operations responses and their actuals (B2MML-OperationsPerformance, -OperationsPerformanceTypes)."""

from __future__ import annotations

from canonical.b2mml.table import table
from canonical.b2mml.tables.operations import PROPERTY_IDS, REQUIRED_BY
from canonical.isa95.operations import (
    EquipmentActual,
    InventoryMovement,
    MaterialActual,
    OperationsResponse,
    PersonnelActual,
    PhysicalAssetActual,
    SegmentData,
    SegmentResponse,
)
from canonical.isa95.resources import Property

RESPONSE = """ID! Description* Version? StartTime? EndTime? HierarchyScope?:HierarchyScopeType OperationsType?
    OperationsRequestID* (SegmentRequirementID*) OperationsDefinitionID* (OperationsSegmentID*) ResponseState?
    SegmentResponse+:OpSegmentResponseType"""


def declare() -> None:
    """Declare the family."""
    for resource, ids in PROPERTY_IDS.items():
        table(f"Op{resource}ActualPropertyType", Property, f"""ID! Description* Value*:ValueType (Quantity*)
            ({resource}ActualPropertyChild*) {ids} {REQUIRED_BY}""")  # fmt: skip
    _resources()
    _material()
    _responses()


def _resources() -> None:
    for resource, person, model, place in (
        ("Equipment", "Equipment", EquipmentActual, "OperationalLocation"),
        ("Personnel", "Person", PersonnelActual, "OperationalLocation"),
        ("PhysicalAsset", "PhysicalAsset", PhysicalAssetActual, "PhysicalLocation"),
    ):
        table(f"Op{resource}ActualType", model, f"""ID! {resource}ClassID* {person}ID* Description* {resource}Use?
            Quantity*:QuantityValueType (HierarchyScope?) (SpatialDefinition?) ({place}?) (TestResult*)
            {resource}ActualProperty*:Op{resource}ActualPropertyType ({resource}ActualChild*)
            {REQUIRED_BY}""")  # fmt: skip


def _material() -> None:
    table("OpMaterialActualType", MaterialActual, f"""ID! MaterialClassID* MaterialDefinitionID* MaterialLotID*
        MaterialSubLotID* Description* MaterialUse? (SpatialDefinition?) StorageLocation?>ResourceLocationType
        Quantity*:QuantityValueType AssemblyActual*:OpMaterialActualType AssemblyType? AssemblyRelationship?
        (HierarchyScope?) TestResult*:TestResultType MaterialActualProperty*:OpMaterialActualPropertyType
        {REQUIRED_BY}""")  # fmt: skip


def _responses() -> None:
    table("OpSegmentDataType", SegmentData, f"""ID! Description* (HierarchyScope?) Value*:ValueType (SegmentDataChild*)
        {REQUIRED_BY}""")  # fmt: skip
    table("OpSegmentResponseType", SegmentResponse, f"""ID! Description* PublishedDate? PostingDate? ActualStartTime?
        ActualEndTime? HierarchyScope?:HierarchyScopeType OperationsType? ProcessSegmentID* OperationsRequestID*
        SegmentRequirementID* OperationsDefinitionID* OperationsSegmentID* (WorkResponseID*) JobResponseID*
        SegmentState? SegmentData*:OpSegmentDataType PersonnelActual*:OpPersonnelActualType
        EquipmentActual*:OpEquipmentActualType PhysicalAssetActual*:OpPhysicalAssetActualType
        MaterialActual*:OpMaterialActualType SegmentResponseChild*:OpSegmentResponseType {REQUIRED_BY}""")  # fmt: skip
    table("OperationsResponseType", OperationsResponse, RESPONSE)
    table("OperationsResponseType/InventoryMovement", InventoryMovement, RESPONSE,
        lifts=(("posting_date", "segment_response", "segment_data", "PostingDate"),))  # fmt: skip
