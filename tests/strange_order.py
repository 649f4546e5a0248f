"""An order whose material the warehouse has no number for: it waits at the warehouse until a person decides."""

from __future__ import annotations

from datetime import UTC, datetime

from canonical.b2mml import write
from canonical.isa95.operations import MaterialRequirement, OperationsRequest, SegmentRequirement
from canonical.message import Action, Message, Verb
from canonical.quantity import Quantity

NOW = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)


def strange_order(id: str = "PO-9999") -> bytes:
    """The order as the ERP says it, in B2MML."""
    made = MaterialRequirement(
        id="1", material_definition_id="FG-9999", material_use="Produced",
        quantity=Quantity(value="5", unit_of_measure="H87"),  # type: ignore[arg-type]
    )  # fmt: skip
    body = OperationsRequest(
        id=id, operations_type="Production", segment_requirement=(
            SegmentRequirement(id="0010", process_segment_id="PACK", material_requirement=(made,)),
        ),
    )  # fmt: skip
    order = Message.of(
        "production_order", body, source="erp", site="lyon", verb=Verb.PROCESS, action=Action.ADD, occurred=NOW,
        recorded=NOW,
    )  # fmt: skip
    return write([order], created=NOW, sender="ERP", bod_id=f"BOD-{id}", confirmation="Always")
