"""Test models of IEC 62264-2: specifications, samples and results."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from canonical.element import (
    UNSAID,
    Element,
    Identifier,
    LotId,
    MaterialId,
    OrderId,
    SpecificationId,
    Timestamp,
    Unless,
)
from canonical.isa95.resources import HierarchyScope, Property
from canonical.quantity import DecimalText, Quantity, Value


class TestCriterion(Element):
    """A rule of a specification: when the expression holds, the result is this (TestSpecificationCriteriaType)."""

    __test__ = False

    id: Identifier
    description: str | None = None
    sequence: DecimalText | None = None
    expression: str | None = None
    result: str | None = None


class EvaluatedProperty(Element):
    """A characteristic that the test measures (TestSpecificationEvaluatedPropertyType)."""

    id: Identifier
    description: str | None = None
    testable_object_property_id: Identifier | None = None


class TestSpecification(Element):
    """How a material is tested and judged (TestSpecificationType)."""

    __test__ = False

    id: Identifier
    description: str | None = None
    version: Identifier | None = None
    effective_start_date: Timestamp | None = None
    effective_end_date: Timestamp | None = None
    hierarchy_scope: HierarchyScope | None = None
    test_sample_size: Value | None = None
    physical_sample_required: bool | None = None
    test_specification_property: tuple[Property, ...] = ()
    test_specification_criteria: tuple[TestCriterion, ...] = ()
    evaluated_property: tuple[EvaluatedProperty, ...] = Field(min_length=1)
    testable_object_id: Identifier | None = None


class PropertyMeasurement(Element):
    """One measured characteristic (PropertyMeasurementType)."""

    id: Identifier
    description: str | None = None
    testable_object_property_id: Identifier | None = None
    measurement_date: Timestamp | None = None
    value: Value | None = None


class TestResult(Element):
    """What a test found (TestResultType)."""

    __test__ = False

    id: Identifier
    description: str | None = None
    evaluation_date: Timestamp | None = None
    expiration: Timestamp | None = None
    hierarchy_scope: HierarchyScope | None = None
    testable_object_id: Identifier | None = None
    evaluated_criterion_result: str | None = None
    property_measurement: tuple[PropertyMeasurement, ...] = ()


class QualityResult(TestResult):
    """A test result about a lot; `evaluated_criterion_result` is Pass, Fail or the laboratory's own word."""

    testable_object_id: LotId | None = None
    production_order_id: OrderId | None = None
    test_specification_id: SpecificationId | None = None
    test_specification_version: Identifier | None = None
    sample_id: Identifier | None = None
    replicate: Annotated[int, Unless(1)] = UNSAID


class Sample(Element):
    """Material drawn to be tested."""

    id: Identifier
    material_lot_id: LotId
    material_definition_id: MaterialId | None = None
    test_specification_id: SpecificationId | None = None
    drawn: Timestamp | None = None
    quantity: Quantity | None = None
    status: Annotated[Literal["planned", "drawn", "received", "tested", "discarded"], Unless("planned")] = UNSAID


class ReleaseDecision(Element):
    """The quality owner's word on a lot: may it be used (MaterialLot disposition)."""

    id: Identifier
    material_lot_id: LotId
    material_definition_id: MaterialId | None = None
    production_order_id: OrderId | None = None
    disposition: Literal["Restricted", "UnRestricted", "Closed"]
    status: str | None = None
    decided: Timestamp
    decided_by: Identifier | None = None
    description: str | None = None
