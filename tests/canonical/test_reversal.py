"""A reversal names what it undoes in its body, so that it travels in B2MML as in JSON."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from canonical.b2mml import read, write
from canonical.isa95.operations import (
    InventoryMovement,
    MaterialActual,
    MaterialConsumption,
    OperationsRequest,
    SegmentData,
    SegmentRequirement,
    SegmentResponse,
)
from canonical.message import Message
from canonical.quantity import Value
from canonical.reversal import REVERSES, noted

AT = datetime(2026, 3, 2, 6, 30, tzinfo=UTC)
UNDOES = (SegmentData(id=REVERSES, value=Value(value="C-1")),)


def stated(object: str, body, **more) -> Message:
    return Message.of(object, body, source="mes", site="lyon", occurred=AT, recorded=AT, **more)


def response(id: str, **more) -> SegmentResponse:
    said = {"operations_type": "Production", "operations_request_id": "PO-1", "actual_end_time": AT}
    return SegmentResponse(id=id, **said, **more)


def consumption(id: str, **more) -> MaterialConsumption:
    actual = MaterialActual(id="1", material_definition_id="CAP-28", material_use="Consumed")
    return MaterialConsumption(
        id=id, operations_type="Production", operations_request_id="PO-1", actual_end_time=AT,
        material_actual=(actual,), **more,
    )  # fmt: skip


def test_a_response_reverses_the_one_that_it_names() -> None:
    original = stated("production_response", response("C-1"))
    assert stated("production_response", response("C-2", segment_data=UNDOES)).reverses == original.id
    assert original.reverses is None


def test_a_line_reverses_the_same_line_of_the_response_that_it_names() -> None:
    original = stated("material_consumption", consumption("C-1"))
    assert stated("material_consumption", consumption("C-2", segment_data=UNDOES)).reverses == original.id


def test_a_movement_is_reversed_by_its_first_segment() -> None:
    original = stated("inventory_movement", InventoryMovement(id="C-1", segment_response=(response("1"),)))
    undone = InventoryMovement(id="C-2", segment_response=(response("1", segment_data=UNDOES),))
    assert stated("inventory_movement", undone).reverses == original.id
    assert [data.id for data in noted(undone, "Number", "7").segment_response[0].segment_data] == [REVERSES, "Number"]


def test_what_is_given_counts_and_what_has_no_segment_data_reverses_nothing() -> None:
    assert stated("production_response", response("C-2", segment_data=UNDOES), reverses="x").reverses == "x"
    order = OperationsRequest(id="PO-1", segment_requirement=(SegmentRequirement(id="1"),))
    assert stated("production_order", order).reverses is None
    with pytest.raises(ValueError, match="OperationsRequest has no segment data"):
        noted(order, "Number", "7")


@pytest.mark.parametrize(
    ("object", "body"),
    [
        ("production_response", response("C-2", segment_data=UNDOES)),
        ("material_consumption", consumption("C-2", segment_data=UNDOES)),
    ],
)
def test_it_travels_in_b2mml(object: str, body) -> None:
    said = stated(object, body)
    document = read(write([said], created=AT, sender="mes", bod_id="1"), source="mes", site="lyon", recorded=AT)
    (heard,) = (message for message in document.messages if message.object == object)
    assert heard.reverses == said.reverses
    assert heard.body.segment_data == body.segment_data
