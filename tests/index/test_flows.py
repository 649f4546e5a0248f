"""Rates count the last minute, whatever happened before."""

from datetime import UTC, datetime, timedelta

from canonical.isa95.operations import SegmentResponse
from canonical.message import Message
from mombus.index.flows import LAST, Flows, Rate

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def test_a_rate_forgets_what_is_over_a_minute_old() -> None:
    rate = Rate()
    rate.add(NOON, 5)
    rate.add(NOON + timedelta(seconds=30))
    assert rate.per_minute(NOON + timedelta(seconds=30)) == 6
    assert rate.per_minute(NOON + timedelta(seconds=61)) == 1
    assert rate.per_minute(NOON + timedelta(hours=1)) == 0
    assert rate.total == 6


def test_the_last_messages_are_bounded_and_know_how_they_went() -> None:
    flows = Flows()
    for number in range(3 * LAST):
        body = SegmentResponse(id=f"R-{number}", operations_request_id="PO-1")
        message = Message.of("production_response", body, source="mes", site="lyon", occurred=NOON, recorded=NOON)
        flows.seen(message, NOON)
        flows.arrived(message.id, message.object, "erp", state="delivered", at=NOON)
    assert len(flows.last) == LAST
    assert len(flows.arrivals) <= 2 * LAST
    assert flows.arrivals[flows.last[-1].message_id] == {"erp": "delivered"}
    assert flows.incoming["production_response", "mes"].rate.total == 3 * LAST
    assert flows.outgoing["production_response", "erp"].rate.total == 3 * LAST
