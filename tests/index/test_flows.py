"""Rates count the last minute, whatever happened before."""

from datetime import UTC, datetime, timedelta

from canonical.isa95.operations import SegmentResponse
from canonical.message import Message
from mombus.index.flows import LAST, Flows, Rate
from mombus.index.rhythm import Rhythm

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


def test_a_silence_is_unusual_that_is_longer_than_every_pause_of_the_week() -> None:
    rhythm = Rhythm(NOON + timedelta(minutes=n) for n in range(30))
    rhythm.add(NOON + timedelta(hours=2))
    assert rhythm.longest_s(NOON + timedelta(hours=2)) == 91 * 60
    assert rhythm.silent_s(NOON + timedelta(hours=4)) is None
    assert rhythm.silent_s(NOON + timedelta(hours=4, minutes=20)) == 140 * 60
    again = NOON + timedelta(days=8)
    for n in range(30):
        rhythm.add(again + timedelta(seconds=n))
    rhythm.add(again + timedelta(days=8))
    assert rhythm.longest_s(again + timedelta(days=8, seconds=1)) == timedelta(days=8).total_seconds() - 29


def test_of_what_is_hardly_known_no_silence_is_unusual_nor_is_a_short_one() -> None:
    few = Rhythm(NOON + timedelta(seconds=n) for n in range(19))
    assert few.silent_s(NOON + timedelta(days=1)) is None
    many = Rhythm(NOON + timedelta(seconds=n) for n in range(20))
    assert many.silent_s(NOON + timedelta(seconds=60)) is None
    assert many.silent_s(NOON + timedelta(seconds=90)) == 71
    assert Rhythm().longest_s(NOON) is None
