"""Test specifications and results (B2MML-OperationsTest)."""

from __future__ import annotations

from canonical.b2mml.table import table
from canonical.isa95.quality import (
    EvaluatedProperty,
    PropertyMeasurement,
    QualityResult,
    TestCriterion,
    TestResult,
    TestSpecification,
)

RESULT = """ID! Description* EvaluationDate? Expiration? HierarchyScope?:HierarchyScopeType TestableObjectID?
    (OperationsTestRequirementID?) EvaluatedCriterionResult? (TestResultChild*)"""
MEASUREMENTS = "PropertyMeasurement*:PropertyMeasurementType"


def declare() -> None:
    """Declare the family."""
    table("TestSpecificationCriteriaType", TestCriterion,
        "ID! Description* Sequence* Expression* Result* (EvaluatedPropertyID*)")  # fmt: skip
    table("TestSpecificationEvaluatedPropertyType", EvaluatedProperty,
        "ID! Description* (TestSpecificationCriteriaID*) TestableObjectPropertyID* (WorkDefinitionID*)")  # fmt: skip
    table("TestSpecificationType", TestSpecification, """ID? Description* Version? (PublishedEndDate?)
        EffectiveStartDate? EffectiveEndDate? HierarchyScope?:HierarchyScopeType TestSampleSize?:ValueType
        (RecurrenceQuantity?) (RecurrenceTimeInterval?) PhysicalSampleRequired? (TestSpecificationChild*)
        TestSpecificationProperty*:TestSpecificationPropertyType
        TestSpecificationCriteria*:TestSpecificationCriteriaType
        EvaluatedProperty+:TestSpecificationEvaluatedPropertyType (OperationsTestRequirementID?)
        TestableObjectID?""")  # fmt: skip
    table("PropertyMeasurementType", PropertyMeasurement, """ID! Description* TestableObjectPropertyID* MeasurementDate?
        Value?:ValueType (Expiration?) (WorkDefinitionID?)""")  # fmt: skip
    table("TestResultType", TestResult, f"{RESULT} {MEASUREMENTS}")
    table("TestResultType/QualityResult", QualityResult, f"""{RESULT} {MEASUREMENTS}
        PropertyMeasurement[ProductionOrder]=production_order_id
        PropertyMeasurement[TestSpecification]=test_specification_id
        PropertyMeasurement[TestSpecificationVersion]=test_specification_version
        PropertyMeasurement[Sample]=sample_id PropertyMeasurement[Replicate]=replicate""")  # fmt: skip
