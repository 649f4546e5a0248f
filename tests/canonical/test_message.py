"""The message survives the wire whatever its ids hold, and says the same thing under the same id."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canonical.isa95.operations import OperationsRequest, SegmentRequirement, SegmentResponse
from canonical.message import Action, Message, Origin, Verb
from canonical.objects import CATALOGUE, KeyMissingError, Kind, UnknownObjectError, data_object
from canonical.subjects import MAX_TOKEN, NO_KEY, Address, filter_subject, stored, subject, token, untoken
from canonical.wire import HeaderError, from_headers, to_headers

NOW = datetime(2026, 3, 2, 6, 0, tzinfo=timezone(timedelta(hours=1)))
anything = st.text(max_size=120)
times = st.datetimes(
    min_value=datetime(1970, 1, 1),
    max_value=datetime(2200, 1, 1),
    timezones=st.just(timezone(timedelta(hours=-5))),
)


def an_order(order_id: str = "PO-4711") -> Message:
    body = OperationsRequest(id=order_id, segment_requirement=(SegmentRequirement(id="10"),))
    return Message.of("production_order", body, source="erp", site="lyon", occurred=NOW, recorded=NOW)


@given(anything)
def test_every_text_makes_one_safe_token(text: str) -> None:
    encoded = token(text)
    assert len(encoded) <= MAX_TOKEN
    assert encoded.isascii()
    assert not set(encoded) & set(".*> \t\r\n\x00")
    assert encoded != NO_KEY
    assert not encoded.startswith("$")
    if "=~" not in encoded:
        assert untoken(encoded) == text


@given(anything, anything)
def test_different_texts_make_different_tokens(one: str, other: str) -> None:
    assert (token(one) == token(other)) == (one == other)


def test_a_long_text_is_shortened_and_stays_distinct() -> None:
    one, other = "x" * 300 + "1", "x" * 300 + "2"
    assert len(token(one)) <= MAX_TOKEN
    assert token(one) != token(other)
    with pytest.raises(ValueError, match="shortened"):
        untoken(token(one))


@given(st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=20), st.text(max_size=20))
def test_subject_and_address_round_trip(system: str, lane: str, key: str) -> None:
    address = Address("lyon", "material", "sync", system, lane, key)
    tokens = subject(address).split(".")
    as_stored = ".".join([*tokens[:5], "7", *tokens[5:]])
    assert stored(as_stored) == (address, 7)


def test_filter_matches_what_it_names_only() -> None:
    assert filter_subject(site="lyon", object="material", verb="sync") == "mom.lyon.material.sync.*.*.*.*"
    assert filter_subject(object="material", key="a.b") == "mom.*.material.*.*.*.*.a=2Eb"


@given(
    key=st.text(min_size=1, max_size=40),
    lanes=st.lists(st.text(min_size=1, max_size=30), min_size=1, max_size=3),
    occurred=times,
    recorded=times,
    revision=st.none() | st.integers(0, 2**62),
    texts=st.tuples(*[st.none() | st.text(min_size=1, max_size=60)] * 7),
    action=st.none() | st.sampled_from(Action),
    verb=st.sampled_from(Verb),
    origin=st.sampled_from(Origin),
    posting=st.none() | st.dates(date(1990, 1, 1), date(2100, 1, 1)),
    content=st.binary(max_size=50),
)
def test_headers_carry_every_attribute(  # type: ignore[no-untyped-def]
    key, lanes, occurred, recorded, revision, texts, action, verb, origin, posting, content
) -> None:
    by, revises, reverses, correlation, to, reason, document = texts
    message = Message(
        id="0123", object="material", verb=verb, source="erp", site="lyon", key=key, lanes=tuple(lanes),
        occurred=occurred, recorded=recorded, content=content, action=action, revision=revision, posting=posting,
        origin=origin, by=by, revises=revises, reverses=reverses, correlation=correlation, to=to, reason=reason,
        document=document,
    )  # fmt: skip
    headers = to_headers(message)
    assert all(value.isascii() and value.isprintable() for value in headers.values())
    assert from_headers(headers, content) == message


def test_a_missing_header_is_named() -> None:
    headers = to_headers(an_order())
    del headers["ce-time"]
    with pytest.raises(HeaderError, match="ce-time"):
        from_headers(headers, b"{}")


def test_the_same_statement_has_the_same_id_and_another_revision_another() -> None:
    assert an_order().id == an_order().id
    assert an_order().with_revision(1).id != an_order().with_revision(2).id
    assert an_order("PO-1").id != an_order("PO-2").id


def test_the_body_is_decoded_only_from_its_content() -> None:
    message = an_order()
    again = from_headers(to_headers(message), message.content)
    assert again.body == message.body
    assert b"foreign" not in message.content


def test_a_tombstone_has_no_body_and_needs_its_key() -> None:
    with pytest.raises(ValueError, match="key and lanes"):
        Message.of("material", None, source="erp", site="lyon", occurred=NOW, recorded=NOW, action=Action.DELETE)
    gone = Message.of(
        "material", None, source="erp", site="lyon", occurred=NOW, recorded=NOW, action=Action.DELETE,
        key="M-1", lanes=("material:M-1",),
    )  # fmt: skip
    with pytest.raises(ValueError, match="no body"):
        _ = gone.body


def test_states_have_a_key_in_their_subject_and_facts_do_not() -> None:
    response = SegmentResponse(id="R-1", operations_request_id="PO-4711")
    fact = Message.of("production_response", response, source="mes", site="lyon", occurred=NOW, recorded=NOW)
    assert an_order().subject == "mom.lyon.production_order.sync.erp.order:PO-4711.PO-4711"
    assert fact.subject == "mom.lyon.production_response.sync.mes.order:PO-4711._"
    assert fact.revision == 0


def test_a_key_part_that_is_missing_is_named() -> None:
    from canonical.isa95.resources import MaterialSubLot  # noqa: PLC0415

    with pytest.raises(KeyMissingError, match="material_definition_id"):
        data_object("serial").key_of(MaterialSubLot(id="S-1"))


def test_key_parts_cannot_run_into_each_other() -> None:
    from canonical.isa95.resources import MaterialLot  # noqa: PLC0415

    lot = data_object("material_lot")
    one = lot.key_of(MaterialLot(id="b", material_definition_id="a/"))
    other = lot.key_of(MaterialLot(id="/b", material_definition_id="a"))
    assert one != other


def test_an_unknown_object_is_named() -> None:
    with pytest.raises(UnknownObjectError, match="produktion"):
        data_object("produktion")


@pytest.mark.parametrize("row", CATALOGUE.values(), ids=lambda row: row.name)
def test_every_row_of_the_catalogue_is_whole(row) -> None:  # type: ignore[no-untyped-def]
    assert row.isa95
    assert row.owner
    assert row.body.model_json_schema()["title" if "title" in row.body.model_json_schema() else "$ref"]
    for path in [*row.key, *(path for _, path in row.lanes)]:
        for option in path.split("|"):
            first = option.split(".")[0]
            assert first == "-" or first in row.body.model_fields, f"{row.name}: {option}"
    assert (row.kind is Kind.SIGNAL) == (row.isa95 == "Level 2")


def test_one_time_is_one_key_whatever_its_offset() -> None:
    from canonical.isa95.gap import Gap  # noqa: PLC0415

    utc = Gap(system="line1", what="all", since=datetime(2026, 3, 2, 5, 0, tzinfo=UTC), reason="restart")
    paris = Gap(system="line1", what="all", since=NOW, reason="restart")
    assert data_object("gap").key_of(utc) == data_object("gap").key_of(paris)


def test_what_a_field_means_unless_said_is_written_out() -> None:
    """An expression such as `body.state = 'open'` must find it."""
    from canonical.isa95.events import Downtime  # noqa: PLC0415

    stop = Downtime(id="S-1", equipment_id="CAPPER1", start_time=NOW)
    message = Message.of("downtime", stop, source="mes", site="lyon", occurred=NOW, recorded=NOW)
    assert b'"state":"open"' in message.content
    assert Downtime.model_validate_json(message.content) == stop
    assert Downtime.model_json_schema()["properties"]["state"]["default"] == "open"


def test_a_get_of_everything_has_a_lane_of_its_object() -> None:
    every = Message.of(
        "material", None, source="mes", site="lyon", occurred=NOW, recorded=NOW, verb=Verb.GET, key="", lanes=()
    )
    assert every.lane == "material:all"
    assert every.subject == "mom.lyon.material.get.mes.material:all._"
