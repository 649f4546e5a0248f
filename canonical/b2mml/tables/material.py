"""Material, lots, equipment and what every type shares (B2MML-Common, -Material, -Equipment, -PhysicalAsset)."""

from __future__ import annotations

from canonical.b2mml.table import table
from canonical.isa95.operations import Parameter
from canonical.isa95.quality import ReleaseDecision
from canonical.isa95.resources import (
    Equipment,
    HierarchyScope,
    MaterialClass,
    MaterialDefinition,
    MaterialLot,
    MaterialSubLot,
    Property,
    StockLevel,
)
from canonical.quantity import Quantity, Value

RESOURCE = """ID! Version? Description* PublishedDate? EffectiveStartDate? EffectiveEndDate?
    HierarchyScope?:HierarchyScopeType"""
LOT_TAIL = "(AssemblyLot*) (AssemblySubLot*) (AssemblyType?) (AssemblyRelationship?)"
KEPT_RESOURCE = """(Version?) {} (PublishedDate?) (EffectiveStartDate?) (EffectiveEndDate?) (HierarchyScope?)
    (SpatialDefinition?)"""


def declare() -> None:
    """Declare the family."""
    _shared()
    _properties()
    _materials()
    _lots()
    _equipment()


def _shared() -> None:
    table("QuantityValueType", Quantity, "QuantityString!=value DataType? UnitOfMeasure? Key?", terse=True)
    table("ValueType", Value, "ValueString!=value DataType? UnitOfMeasure? Key?")
    table(
        "HierarchyScopeType",
        HierarchyScope,
        "EquipmentID! EquipmentLevel!|EquipmentElementLevel (HierarchyScopeChild?)",
    )
    table(
        "HierarchyScopeType/Equipment",
        None,
        'EquipmentID!=equipment_id EquipmentLevel!|EquipmentElementLevel"WorkUnit" (HierarchyScopeChild?)',
    )
    table("ResourceLocationType", None, 'Location!=$ LocationType!"Operational Location" (LocationChild*)')
    table("ParameterType", Parameter, """ID! Value*:ValueType Description* (HierarchyScope?) (ParameterChild*)
        (ParameterSpecificationID*) (ProcessSegmentParameterID*)""")  # fmt: skip


def _properties() -> None:
    for owner, rest in {
        "MaterialClass": "(PropertyType?) Value*:ValueType (MaterialClassPropertyChild*)",
        "MaterialLot": "Value*:ValueType (MaterialLotPropertyChild*) (MaterialDefinitionPropertyID?)",
        "Equipment": "Value*:ValueType (EquipmentPropertyChild*) (EquipmentClassPropertyID?)",
        "WorkAlert": "Value*:ValueType (WorkAlertDefinitionPropertyID?) (WorkAlertPropertyChid*)",
        "TestSpecification": "Value*:ValueType (TestSpecificationPropertyChild*)",
    }.items():
        table(f"{owner}PropertyType", Property, f"ID! Description* {rest}")
    table("MaterialDefinitionPropertyType", Property, """ID! (Version?) Description* (PropertyType?) Value*:ValueType
        (MaterialDefinitionPropertyChild*) (MaterialClassPropertyID?)""")  # fmt: skip


def _materials() -> None:
    table("MaterialClassType", MaterialClass, f"""{RESOURCE} (MaterialClassBaseID*)
        MaterialClassProperty*:MaterialClassPropertyType (MaterialDefinitionSourceID*) (TestSpecificationID*)
        (AssemblyClass*) (AssemblyType?) (AssemblyRelationship?)""")  # fmt: skip
    table("MaterialDefinitionType", MaterialDefinition, f"""{RESOURCE} (SpatialDefinition?)
        MaterialDefinitionProperty*:MaterialDefinitionPropertyType MaterialClassID* (MaterialLotSourceID*)
        TestSpecificationID* AssemblyDefinition*:MaterialDefinitionType AssemblyType?
        AssemblyRelationship?""")  # fmt: skip


def _lots() -> None:
    table("MaterialLotType", MaterialLot, f"""{RESOURCE} (SpatialDefinition?) MaterialDefinitionID? Status? Disposition?
        MaterialLotProperty*:MaterialLotPropertyType MaterialSubLot*:MaterialSubLotType
        StorageLocation?>ResourceLocationType Quantity*:QuantityValueType TestSpecificationID*
        {LOT_TAIL}""")  # fmt: skip
    table("MaterialLotType/ReleaseDecision", ReleaseDecision, f"""ID!=material_lot_id
        {KEPT_RESOURCE.format("Description*")} MaterialDefinitionID? Status? Disposition?
        MaterialLotProperty[ReleaseDecision]=id MaterialLotProperty[ProductionOrder]=production_order_id
        MaterialLotProperty[Decided]=decided MaterialLotProperty[DecidedBy]=decided_by (MaterialLotProperty*)
        (MaterialSubLot*) (StorageLocation?) (Quantity*) (TestSpecificationID*) {LOT_TAIL}""")  # fmt: skip
    table("MaterialLotType/StockLevel", StockLevel, f"""ID!=material_lot_id {KEPT_RESOURCE.format("(Description*)")}
        MaterialDefinitionID? (Status?) (Disposition?) MaterialLotProperty[StockLevelAsOf]=as_of
        MaterialLotProperty[StockStatus]=status (MaterialLotProperty*) (MaterialSubLot*)
        StorageLocation?>ResourceLocationType Quantity*:QuantityValueType (TestSpecificationID*)
        {LOT_TAIL}""")  # fmt: skip
    table("MaterialSubLotType", MaterialSubLot, f"""{RESOURCE} (SpatialDefinition?) Status? Disposition?
        MaterialLotProperty[MaterialDefinition]=material_definition_id MaterialLotProperty*:MaterialLotPropertyType
        StorageLocation?>ResourceLocationType Quantity*:QuantityValueType (TestSpecificationID*) (MaterialSubLotChild*)
        MaterialLotID? {LOT_TAIL}""")  # fmt: skip


def _equipment() -> None:
    table("EquipmentType", Equipment, f"""{RESOURCE} EquipmentLevel? (SpatialDefinition?) (EquipmentAssetMapping*)
        PhysicalAssetID? OperationalLocation?>ResourceLocationType EquipmentProperty*:EquipmentPropertyType
        EquipmentChild*:EquipmentType EquipmentClassID* (TestSpecificationID*)""")  # fmt: skip
