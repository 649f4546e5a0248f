"""Job orders, job responses and work alerts (B2MML-WorkSchedule, -WorkPerformance, -WorkAlert)."""

from __future__ import annotations

from canonical.b2mml.table import table
from canonical.isa95.work import JobOrder, JobResponse, WorkAlert

WORK = "ID! Description* Version? PublishedDate? StartTime? EndTime? HierarchyScope?:HierarchyScopeType WorkType?"


def declare() -> None:
    """Declare the family."""
    table("JobOrderType", JobOrder, f"""{WORK} WorkMasterID? WorkMasterVersion? Priority? Command? CommandRule?
        DispatchStatus? JobOrderParameter*:ParameterType JobOrderParameter[ProductionOrder]=production_order_id
        PersonnelRequirement*:OpPersonnelRequirementType EquipmentRequirement*:OpEquipmentRequirementType
        PhysicalAssetRequirement*:OpPhysicalAssetRequirementType MaterialRequirement*:OpMaterialRequirementType
        SegmentRequirementID*""")  # fmt: skip
    table("JobResponseType", JobResponse, f"""{WORK} JobOrderID? (WorkDirective?) (WorkDirectiveVersion?) WorkMasterID?
        (WorkMasterVersion?) (WorkflowSpecificationID?) (WorkflowSpecificationNodeID?) JobState?
        JobResponseData*:OpSegmentDataType JobResponseData[ProductionOrder]=production_order_id
        PersonnelActual*:OpPersonnelActualType EquipmentActual*:OpEquipmentActualType
        PhysicalAssetActual*:OpPhysicalAssetActualType MaterialActual*:OpMaterialActualType
        (RequiredByRequestedSegmentResponse?)""")  # fmt: skip
    table("WorkAlertType", WorkAlert, """ID! Description* PublishedDate? EffectiveStartDate? EffectiveEndDate?
        MessageText* HierarchyScope?:HierarchyScopeType TimeStamp? Priority? Category?
        WorkAlertProperty*:WorkAlertPropertyType""")  # fmt: skip
