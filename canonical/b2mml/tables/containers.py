"""The nouns that hold items: their own elements, so that none is overlooked. They are kept as they came."""

from __future__ import annotations

from canonical.b2mml.table import V4, table

PLANNED = "(ID!) (Description*) (Version?) (PublishedDate?) (StartTime?)"
INFORMATION = "(Description*) (HierarchyScope?) (PublishedDate?)"
V4_HEAD = "(Description*) (Location?) (PublishedDate?)"


def declare() -> None:
    """Declare the family."""
    table("OperationsScheduleType", None, f"""{PLANNED} (EndTime?) (HierarchyScope?) (OperationsType?) (ScheduleState?)
        (OperationsRequest+)""")  # fmt: skip
    table("OperationsPerformanceType", None, f"""{PLANNED} (Endtime?) (HierarchyScope?) (OperationsType?)
        (OperationsScheduleID?) (PerformanceState?) (OperationsResponse+)""")  # fmt: skip
    table("OperationsResponseType/Container", None, """(ID!) (Description*) (Version?) (StartTime?) (EndTime?)
        (HierarchyScope?) (OperationsType?) (OperationsRequestID*) (SegmentRequirementID*) (OperationsDefinitionID*)
        (OperationsSegmentID*) (ResponseState?) (SegmentResponse+)""")  # fmt: skip
    table("JobListType", None, f"{PLANNED} (EndTime?) (HierarchyScope?) (WorkType?) (JobOrder*)")
    table("MaterialInformationType", None, f"""(ID?) {INFORMATION} (MaterialClass*) (MaterialDefinition*) (MaterialLot*)
        (MaterialSubLot*) (TestSpecification*)""")  # fmt: skip
    table("EquipmentInformationType", None, f"""(ID!) {INFORMATION} (Equipment*) (EquipmentClass*)
        (TestSpecification*)""")  # fmt: skip
    _v4()


def _v4() -> None:
    table("ProductionScheduleType", None, f"""(ID?) {V4_HEAD} (StartTime?) (EndTime?) (EquipmentElementLevel?)
        (ProductionRequest*) (ScheduleState?)""", version=V4)  # fmt: skip
    table("ProductionPerformanceType", None, f"""(ID?) {V4_HEAD} (ProductionScheduleID?) (StartTime?) (EndTime?)
        (EquipmentElementLevel?) (ProductionResponse*) (PerformanceState?)""", version=V4)  # fmt: skip
    table("ProductionResponseType/Container", None, """(ID?) (ProductionRequestID?) (ProductProductionRuleID*)
        (Location?) (StartTime?) (EndTime?) (SegmentResponse*) (ResponseState?)""", version=V4)  # fmt: skip
    table("MaterialInformationType", None, f"""(ID?) {V4_HEAD} (MaterialClass*) (MaterialDefinition*) (MaterialLot*)
        (MaterialSubLot*) (QAMaterialTestSpecification*)""", version=V4)  # fmt: skip
