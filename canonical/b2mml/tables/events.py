"""Operations events and their records (B2MML-OperationsEvent, -InformationObject).

What an event is about travels in a record of it, as data and actuals of a JobResponse.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from canonical.b2mml.table import table
from canonical.isa95.events import Alarm, Deviation, Downtime, MaintenanceEvent

if TYPE_CHECKING:
    from collections.abc import Callable

EVENT = """ID! Description* Version? HierarchyScope?:HierarchyScopeType EffectiveTimeStamp? RecordTimeStamp? Priority?
    OperationsEventType? OperationsEventLevel? OperationsType? (MOMFunction?) (EnterpriseFunction?) Category*
    Acknowledgement* Source* OperationsDefinitionID? (OperationsEventChild*)"""
DATA = {
    "Downtime": """JobResponseData[ProductionOrder]=production_order_id JobResponseData[State]=state
        JobResponseData[Reason]=reason.id JobResponseData[ReasonCategory]=reason.category
        JobResponseData[ReasonDescription]=reason.description JobResponseData[ProcessSegment]=process_segment_id
        JobResponseData[Shift]=shift""",
    "Alarm": """JobResponseData[Condition]=condition JobResponseData[Occurrence]=occurrence
        JobResponseData[Active]=active""",
    "Deviation": """JobResponseData[MaterialLot]=material_lot_id
        JobResponseData[ProductionOrder]=production_order_id""",
    "MaintenanceEvent": "",
}
EQUIPMENT = "EquipmentActual*>OpEquipmentActualType/ID"
ACTUALS = {
    "Downtime": "(EquipmentActual*) (PhysicalAssetActual*)",
    "Alarm": f"{EQUIPMENT} (PhysicalAssetActual*)",
    "Deviation": "(EquipmentActual*) (PhysicalAssetActual*)",
    "MaintenanceEvent": f"{EQUIPMENT} PhysicalAssetActual*>OpPhysicalAssetActualType/ID",
}


def declare() -> None:
    """Declare the family."""
    _actuals()
    for object_ in DATA:
        _record(object_)
    table("OperationsEventType/Downtime", Downtime, """ID! Description* (Version?)
        HierarchyScope?>HierarchyScopeType/Equipment EffectiveTimeStamp?=start_time (RecordTimeStamp?) (Priority?)
        OperationsEventType?"Event" OperationsEventLevel?"Level 3" OperationsType?"Production" (MOMFunction?)
        (EnterpriseFunction?) Category*"Downtime" (Acknowledgement*) (Source*) (OperationsDefinitionID?)
        (OperationsEventChild*) OperationsEventRecord*>OperationsRecordTemplateType/Downtime""",
        implied=(("state", _state),))  # fmt: skip
    for model in (Alarm, Deviation, MaintenanceEvent):
        table(f"OperationsEventType/{model.__name__}", model,
            f"{EVENT} OperationsEventRecord*>OperationsRecordTemplateType/{model.__name__}")  # fmt: skip


def _state(get: Callable[[str], Any]) -> str:
    """A downtime's state where none is written: it follows from what is known."""
    if get("reason"):
        return "reasoned"
    return "closed" if get("end_time") else "open"


def _actuals() -> None:
    table("OpEquipmentActualType/ID", None, """ID!~equipment_id (EquipmentClassID*) EquipmentID*=equipment_id
        (Description*) (EquipmentUse?) (Quantity*) (HierarchyScope?) (SpatialDefinition?) (OperationalLocation?)
        (TestResult*) (EquipmentActualProperty*) (EquipmentActualChild*)
        (RequiredByRequestedSegmentResponse?)""")  # fmt: skip
    table("OpPhysicalAssetActualType/ID", None, """ID!~physical_asset_id (PhysicalAssetClassID*)
        PhysicalAssetID*=physical_asset_id (Description*) (PhysicalAssetUse?) (Quantity*) (HierarchyScope?)
        (SpatialDefinition?) (PhysicalLocation?) (TestResult*) (PhysicalAssetActualProperty*)
        (PhysicalAssetActualChild*) (RequiredByRequestedSegmentResponse?)""")  # fmt: skip


def _record(object_: str) -> None:
    times = "EffectiveTimestamp?~start_time EffectiveEndDate?=end_time"
    job = "JobOrderID?=job_order_id"
    if object_ != "Downtime":
        times, job = "(EffectiveTimestamp?) (EffectiveEndDate?)", "(JobOrderID?)"
    table(f"JobResponseType/{object_}", None, f"""ID!~id (Description*) (Version?) (PublishedDate?) (StartTime?)
        (EndTime?) (HierarchyScope?) (WorkType?) {job} (WorkDirective?) (WorkDirectiveVersion?) (WorkMasterID?)
        (WorkMasterVersion?) (WorkflowSpecificationID?) (WorkflowSpecificationNodeID?) (JobState?) {DATA[object_]}
        (JobResponseData*) (PersonnelActual*) {ACTUALS[object_]} (MaterialActual*)
        (RequiredByRequestedSegmentResponse?)""")  # fmt: skip
    table(f"InformationObjectType/{object_}", None, f"JobResponse!>JobResponseType/{object_}", unqualified=True)
    table(f"OperationsRecordEntryTemplateType/{object_}", None, f"""ID!~id (Description*) (Version?) (RecordTimestamp?)
        (EffectiveTimestamp?) (EffectiveEndDate?) (HierarchyScope?)
        InformationObject!>InformationObjectType/{object_} (ExternalReferenceID?)
        InformationObjectType?"Job Response" (OperationsRecordEntryChild*)""")  # fmt: skip
    table(f"OperationsRecordTemplateType/{object_}", None, f"""ID!~id (Description*) (Version?) (RecordTimestamp?)
        {times} (HierarchyScope?) (Action?)
        OperationsRecordEntry+>OperationsRecordEntryTemplateType/{object_}
        OperationsRecordSpecificationID!"{object_}" (OperationsRecordChild*)""")  # fmt: skip
