"""Messages the tests say."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from canonical.isa95.operations import MaterialActual, MaterialConsumption, OperationsRequest, SegmentRequirement
from canonical.isa95.resources import MaterialDefinition
from canonical.message import Message
from canonical.quantity import Quantity

NOW = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)


def material(key: str = "FG-1000", text: str = "water", *, source: str = "erp", **attributes: Any) -> Message:
    body = MaterialDefinition(id=key, description=text)
    return Message.of("material", body, source=source, site="lyon", occurred=NOW, recorded=NOW, **attributes)


def order(key: str = "PO-4711", text: str = "water", *, source: str = "erp", **attributes: Any) -> Message:
    body = OperationsRequest(id=key, description=text, segment_requirement=(SegmentRequirement(id="10"),))
    return Message.of("production_order", body, source=source, site="lyon", occurred=NOW, recorded=NOW, **attributes)


def consumption(
    quantity: str, *, source: str = "mes", response: str = "R-1", line: str = "1", of: str = "CAP-28", **attributes: Any
) -> Message:
    actual = MaterialActual(
        id=line, material_definition_id=of, material_use="Consumed",
        quantity=Quantity(value=quantity, unit_of_measure="H87"),
    )  # fmt: skip
    body = MaterialConsumption(id=response, operations_request_id="PO-4711", material_actual=(actual,))
    return Message.of(
        "material_consumption", body, source=source, site="lyon", occurred=NOW, recorded=NOW, **attributes
    )
