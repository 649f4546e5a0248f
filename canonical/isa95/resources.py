"""Resource models of IEC 62264-2: material, equipment, physical assets, locations and people."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import model_validator

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
    PersonId,
    SpecificationId,
    Timestamp,
    Unless,
)
from canonical.quantity import Quantity, Value

EquipmentLevel = Literal[
    "Enterprise", "Site", "Area", "ProcessCell", "Unit", "ProductionLine", "WorkCell", "ProductionUnit",
    "StorageZone", "StorageUnit", "WorkCenter", "WorkUnit", "EquipmentModule", "ControlModule", "Other",
]  # fmt: skip
Disposition = Literal["Planned", "In-Process", "Restricted", "UnRestricted", "Closed", "Other"]
AssemblyType = Literal["Physical", "Logical", "Other"]
AssemblyRelationship = Literal["Permanent", "Transient", "Other"]


class Property(Element):
    """A property of a resource, requirement or actual (B2MML …PropertyType)."""

    id: Identifier
    description: str | None = None
    value: Value | None = None


class HierarchyScope(Element):
    """Where in the equipment hierarchy a statement holds."""

    equipment_id: EquipmentId
    equipment_level: Annotated[EquipmentLevel, Unless("Site")] = UNSAID


class Resource(Element):
    """What master data of every resource has: id, version and dates of effect."""

    id: Identifier
    version: Identifier | None = None
    description: str | None = None
    published_date: Timestamp | None = None
    effective_start_date: Timestamp | None = None
    effective_end_date: Timestamp | None = None
    hierarchy_scope: HierarchyScope | None = None

    @model_validator(mode="after")
    def _effective_in_order(self) -> Resource:
        start, end = self.effective_start_date, self.effective_end_date
        if start and end and end < start:
            raise ValueError(f"effective_end_date {end} is before effective_start_date {start}")
        return self


class MaterialClass(Resource):
    """A grouping of materials (MaterialClassType)."""

    material_class_property: tuple[Property, ...] = ()


class MaterialDefinition(Resource):
    """A material that can be made, bought or used (MaterialDefinitionType)."""

    material_definition_property: tuple[Property, ...] = ()
    material_class_id: MaterialClassId | None = None
    test_specification_id: SpecificationId | None = None
    assembly_definition: tuple[MaterialDefinition, ...] = ()
    assembly_type: AssemblyType | None = None
    assembly_relationship: AssemblyRelationship | None = None


class MaterialSubLot(Resource):
    """A handling unit, container or serial number within a lot (MaterialSubLotType); its id is the SSCC or serial."""

    material_lot_id: LotId | None = None
    material_definition_id: MaterialId | None = None
    status: str | None = None
    disposition: Disposition | None = None
    material_lot_property: tuple[Property, ...] = ()
    storage_location: LocationId | None = None
    quantity: Quantity | None = None


class MaterialLot(Resource):
    """An identifiable amount of one material (MaterialLotType)."""

    material_definition_id: MaterialId
    status: str | None = None
    disposition: Disposition | None = None
    material_lot_property: tuple[Property, ...] = ()
    material_sub_lot: tuple[MaterialSubLot, ...] = ()
    storage_location: LocationId | None = None
    quantity: Quantity | None = None
    test_specification_id: SpecificationId | None = None


class StockLevel(Element):
    """How much of a material lay where when it was counted: a snapshot, never added up."""

    material_definition_id: MaterialId
    storage_location: LocationId
    material_lot_id: LotId | None = None
    status: Annotated[str, Unless("unrestricted")] = UNSAID
    quantity: Quantity
    as_of: Timestamp


class Equipment(Resource):
    """A role in the equipment hierarchy (EquipmentType)."""

    equipment_level: EquipmentLevel | None = None
    physical_asset_id: AssetId | None = None
    operational_location: LocationId | None = None
    equipment_property: tuple[Property, ...] = ()
    equipment_child: tuple[Equipment, ...] = ()
    equipment_class_id: Identifier | None = None


class PhysicalAsset(Resource):
    """A thing with a serial number that fills a role; not the place where it stands (PhysicalAssetType)."""

    physical_location: LocationId | None = None
    fixed_asset_id: Identifier | None = None
    vendor_id: Identifier | None = None
    equipment_id: EquipmentId | None = None
    physical_asset_property: tuple[Property, ...] = ()
    physical_asset_class_id: Identifier | None = None


class OperationalLocation(Resource):
    """A place where things are kept or done (OperationalLocationType)."""

    operational_location_property: tuple[Property, ...] = ()
    operational_location_class_id: Identifier | None = None


class Person(Resource):
    """Somebody who works at the plant (PersonType)."""

    name: str | None = None
    person_property: tuple[Property, ...] = ()
    personnel_class_id: Identifier | None = None


class Qualification(Element):
    """What a person may do, until when (PersonProperty with an expiry)."""

    person_id: PersonId
    id: Identifier
    description: str | None = None
    value: Value | None = None
    expiration: BusinessDate | None = None
