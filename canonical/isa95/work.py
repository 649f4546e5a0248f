"""Work models of IEC 62264-4: masters, job orders and responses, alerts, calendars, capability."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import model_validator

from canonical.element import (
    UNSAID,
    Element,
    EquipmentId,
    Identifier,
    JobOrderId,
    OrderId,
    Timestamp,
    Unless,
    WorkMasterId,
)
from canonical.isa95.operations import (
    EquipmentActual,
    EquipmentRequirement,
    IsoDuration,
    MaterialActual,
    MaterialRequirement,
    OperationsType,
    Parameter,
    PersonnelActual,
    PersonnelRequirement,
    PhysicalAssetActual,
    PhysicalAssetRequirement,
    ResponseState,
    SegmentData,
    in_order,
)
from canonical.isa95.resources import HierarchyScope, Property
from canonical.quantity import DecimalText

Command = Literal["Start", "Stop", "Hold", "Restart", "Abort", "Reset", "Pause", "Resume", "Other"]
DispatchStatus = Literal[
    "Waiting", "Pending", "Cancelled", "Dispatched", "Ready", "Running", "Completed", "Aborted", "Held",
    "Suspended", "Closed", "Other",
]  # fmt: skip


class WorkMaster(Element):
    """Instructions and recipe parameters for a kind of work (WorkMasterType)."""

    id: Identifier
    version: Identifier | None = None
    description: str | None = None
    published_date: Timestamp | None = None
    effective_start_date: Timestamp | None = None
    effective_end_date: Timestamp | None = None
    work_type: OperationsType | None = None
    duration: IsoDuration | None = None
    operations_definition_id: Identifier | None = None
    parameter: tuple[Parameter, ...] = ()
    equipment_requirement: tuple[EquipmentRequirement, ...] = ()
    material_requirement: tuple[MaterialRequirement, ...] = ()


class JobOrder(Element):
    """Work dispatched to a line or machine (JobOrderType)."""

    id: Identifier
    description: str | None = None
    version: Identifier | None = None
    published_date: Timestamp | None = None
    start_time: Timestamp | None = None
    end_time: Timestamp | None = None
    hierarchy_scope: HierarchyScope | None = None
    work_type: OperationsType | None = None
    work_master_id: WorkMasterId | None = None
    work_master_version: Identifier | None = None
    priority: DecimalText | None = None
    command: Command | None = None
    command_rule: str | None = None
    dispatch_status: DispatchStatus | None = None
    job_order_parameter: tuple[Parameter, ...] = ()
    personnel_requirement: tuple[PersonnelRequirement, ...] = ()
    equipment_requirement: tuple[EquipmentRequirement, ...] = ()
    physical_asset_requirement: tuple[PhysicalAssetRequirement, ...] = ()
    material_requirement: tuple[MaterialRequirement, ...] = ()
    segment_requirement_id: Identifier | None = None
    production_order_id: OrderId | None = None
    """The production order this job serves; B2MML carries it as job order parameter `ProductionOrder`."""

    @model_validator(mode="after")
    def _times_in_order(self) -> JobOrder:
        in_order(self.start_time, self.end_time, "start_time/end_time")
        return self


class JobResponse(Element):
    """What became of a job (JobResponseType)."""

    id: Identifier
    description: str | None = None
    version: Identifier | None = None
    published_date: Timestamp | None = None
    start_time: Timestamp | None = None
    end_time: Timestamp | None = None
    hierarchy_scope: HierarchyScope | None = None
    work_type: OperationsType | None = None
    job_order_id: JobOrderId | None = None
    work_master_id: WorkMasterId | None = None
    job_state: ResponseState | None = None
    job_response_data: tuple[SegmentData, ...] = ()
    personnel_actual: tuple[PersonnelActual, ...] = ()
    equipment_actual: tuple[EquipmentActual, ...] = ()
    physical_asset_actual: tuple[PhysicalAssetActual, ...] = ()
    material_actual: tuple[MaterialActual, ...] = ()
    production_order_id: OrderId | None = None
    """The production order this job served; B2MML carries it as job response data `ProductionOrder`."""

    @model_validator(mode="after")
    def _times_in_order(self) -> JobResponse:
        in_order(self.start_time, self.end_time, "start_time/end_time")
        return self


class WorkAlert(Element):
    """A call for somebody's attention (WorkAlertType)."""

    id: Identifier
    description: str | None = None
    published_date: Timestamp | None = None
    effective_start_date: Timestamp | None = None
    effective_end_date: Timestamp | None = None
    message_text: str | None = None
    hierarchy_scope: HierarchyScope | None = None
    time_stamp: Timestamp | None = None
    priority: DecimalText | None = None
    category: Identifier | None = None
    work_alert_property: tuple[Property, ...] = ()


class CalendarEntry(Element):
    """A stretch of a calendar: a shift, a break, a planned stop (WorkCalendarEntryType)."""

    id: Identifier
    description: str | None = None
    start_time: Timestamp
    end_time: Timestamp
    entry_type: Annotated[Identifier, Unless("shift")] = UNSAID

    @model_validator(mode="after")
    def _times_in_order(self) -> CalendarEntry:
        in_order(self.start_time, self.end_time, "start_time/end_time")
        return self


class WorkCalendar(Element):
    """When a place works (WorkCalendarType)."""

    id: Identifier
    description: str | None = None
    hierarchy_scope: HierarchyScope | None = None
    work_calendar_entry: tuple[CalendarEntry, ...] = ()


class WorkCapability(Element):
    """When equipment can or can't work: planned stops and maintenance windows (WorkCapabilityType)."""

    id: Identifier
    description: str | None = None
    equipment_id: EquipmentId
    capability_type: Literal["Used", "Unused", "Total", "Available", "Unattainable", "Committed"]
    reason: str | None = None
    start_time: Timestamp
    end_time: Timestamp

    @model_validator(mode="after")
    def _times_in_order(self) -> WorkCapability:
        in_order(self.start_time, self.end_time, "start_time/end_time")
        return self
