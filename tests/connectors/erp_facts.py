"""Messages for the ERP, as the other systems of the plant would send them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from canonical.element import Element
from canonical.isa95.operations import InventoryMovement, MaterialActual, MaterialConsumption, SegmentResponse
from canonical.isa95.quality import PropertyMeasurement, QualityResult, ReleaseDecision
from canonical.isa95.resources import Property
from canonical.message import Message
from canonical.quantity import Quantity, Value

AT = datetime(2026, 3, 2, 6, 30, tzinfo=UTC)
ORDER = "PO-4711"
SCRAP = Property(id="disposition", value=Value(value="scrap"))


def fact(object: str, body: Element, source: str = "mes", **attributes: Any) -> Message:
    return Message.of(object, body, source=source, site="lyon", occurred=AT, recorded=AT, **attributes)


def amount(value: str, unit: str = "H87") -> Quantity:
    return Quantity(value=value, unit_of_measure=unit)  # type: ignore[arg-type]


def produced(id: str, good: str = "118", scrap: str | None = "2", order: str = ORDER, **attributes: Any) -> Message:
    actuals = [MaterialActual(id="1", material_definition_id="FG-1000", material_use="Produced", quantity=amount(good))]
    if scrap is not None:
        actuals.append(
            MaterialActual(
                id="2", material_definition_id="FG-1000", material_use="Produced", quantity=amount(scrap),
                material_actual_property=(SCRAP,),
            )
        )  # fmt: skip
    body = SegmentResponse(
        id=id, operations_type="Production", operations_request_id=order, segment_requirement_id="0010",
        actual_end_time=AT, material_actual=tuple(actuals),
    )  # fmt: skip
    return fact("production_response", body, **attributes)


def consumed(id: str, material: str, quantity: str, unit: str = "H87", line: str = "1") -> Message:
    actual = MaterialActual(
        id=line, material_definition_id=material, material_use="Consumed", quantity=amount(quantity, unit)
    )
    body = MaterialConsumption(
        id=id, operations_type="Production", operations_request_id=ORDER, actual_end_time=AT, material_actual=(actual,)
    )
    return fact("material_consumption", body)


def moved(id: str, quantity: str, use: str = "Produced") -> Message:
    actual = MaterialActual(
        id="1",
        material_definition_id="FG-1000",
        material_use=use,
        quantity=amount(quantity),  # type: ignore[arg-type]
    )
    segment = SegmentResponse(
        id="1", operations_type="Inventory", operations_request_id=ORDER, material_actual=(actual,)
    )
    body = InventoryMovement(
        id=id, operations_type="Inventory", operations_request_id=ORDER, end_time=AT, segment_response=(segment,)
    )
    return fact("inventory_movement", body, "wms")


def decided(id: str, disposition: str = "UnRestricted") -> Message:
    body = ReleaseDecision(
        id=id, material_lot_id=f"{ORDER}-L1", material_definition_id="FG-1000", decided=AT,
        disposition=disposition,  # type: ignore[arg-type]
    )  # fmt: skip
    return fact("release_decision", body, "qms")


def measured_lot(id: str) -> Message:
    measured = PropertyMeasurement(id="fill_volume", value=Value(value="500.4", unit_of_measure="MLT"))
    body = QualityResult(
        id=id, testable_object_id=f"{ORDER}-L1", evaluated_criterion_result="Pass", evaluation_date=AT,
        property_measurement=(measured,),
    )  # fmt: skip
    return fact("quality_result", body, "qms")
