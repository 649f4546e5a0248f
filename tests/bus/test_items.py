"""An item survives being kept as bytes; what isn't an item is refused, never guessed."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canonical.isa95.operations import OperationsRequest, SegmentRequirement
from canonical.message import Message
from connectors.connector import Fault, Gap, Item
from mombus.bus.items import ItemError, pack, unpack

NOW = datetime(2026, 3, 2, 6, 0, tzinfo=timezone(timedelta(hours=1)))
text = st.text(max_size=30)


def an_order(order_id: str) -> Message:
    body = OperationsRequest(id="PO-1", segment_requirement=(SegmentRequirement(id="10"),))
    return Message.of(
        "production_order", body, source="erp", site="lyon", occurred=NOW, recorded=NOW, key=order_id, by="a\nb",
    )  # fmt: skip


gaps = st.builds(
    Gap, what=text, since=st.just(NOW), reason=text, until=st.none() | st.just(NOW + timedelta(hours=1)),
    equipment=st.none() | text, lost=st.none() | st.integers(0, 10**9),
)  # fmt: skip
items = st.builds(
    Item, messages=st.lists(st.builds(an_order, text) | gaps, max_size=4).map(tuple),
    faults=st.lists(st.builds(Fault, text, text, st.none() | st.binary(max_size=40)), max_size=3).map(tuple),
    raw=st.none() | st.binary(max_size=100), content_type=text, document=st.none() | text, bookmark=st.none() | text,
)  # fmt: skip


@given(items)
def test_what_is_read_back_is_what_was_written(item: Item) -> None:
    assert unpack(pack(item)) == item


def test_a_cut_item_is_refused() -> None:
    whole = pack(Item(messages=(an_order("PO-4711"),), raw=b"<order/>"))
    for cut in range(len(whole)):
        with pytest.raises(ItemError):
            unpack(whole[:cut])


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"7\n", b'{"version": 2}\n', b"\xff\n", b"{\n"])
def test_what_is_no_item_is_refused(data: bytes) -> None:
    with pytest.raises(ItemError):
        unpack(data)


def test_a_gap_keeps_its_times_with_their_offsets() -> None:
    gap = Gap("line1", NOW, "no room in the spool", until=datetime(2026, 3, 2, 7, tzinfo=UTC), lost=3)
    (read,) = unpack(pack(Item(messages=(gap,)))).messages
    assert read == gap
