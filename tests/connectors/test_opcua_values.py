"""Any value an OPC UA server can send becomes a reading or a fault, never a crash, and loses no digit."""

from __future__ import annotations

import math
import struct
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from asyncua import ua
from hypothesis import given
from hypothesis import strategies as st

from connectors.connector import Surroundings
from connectors.plc.mapping import PACKML, Batcher, Tag
from connectors.plc.signals import Signal
from connectors.protocols.opcua.feed import Change
from connectors.protocols.opcua.values import reading, variant

NOW = datetime(2026, 3, 2, 6, tzinfo=UTC)
KINDS = ua.VariantType
SCALARS = st.one_of(
    st.floats().map(lambda v: ua.Variant(v, KINDS.Double)),
    st.floats(width=32).map(lambda v: ua.Variant(v, KINDS.Float)),
    st.integers(-(2**63), 2**64).map(lambda v: ua.Variant(v, KINDS.Int64)),
    st.booleans().map(lambda v: ua.Variant(v, KINDS.Boolean)),
    st.text(max_size=50).map(lambda v: ua.Variant(v, KINDS.String)),
    st.binary(max_size=50).map(lambda v: ua.Variant(v, KINDS.ByteString)),
    st.datetimes().map(lambda v: ua.Variant(v, KINDS.DateTime)),
    st.text(max_size=20).map(lambda v: ua.Variant(ua.LocalizedText(v), KINDS.LocalizedText)),
    st.lists(st.floats(), max_size=5).map(lambda v: ua.Variant(v, KINDS.Double, is_array=True)),
    st.none().map(lambda _: ua.Variant()),
)
TIMES = st.none() | st.datetimes() | st.datetimes(timezones=st.just(UTC))
SIGNALS = st.sampled_from([
    Signal(signal="s", node="x", object="process_value"), Signal(signal="s", node="x", object="count"),
    Signal(signal="s", node="x", object="equipment_state"),
    Signal(signal="s", node="x", object="equipment_state", field="reason"),
])  # fmt: skip


@given(SIGNALS, SCALARS, TIMES, TIMES, st.integers(0, 2**32 - 1))
def test_any_value_is_said_or_kept_as_a_fault(
    signal: Signal, value: ua.Variant, source: datetime | None, server: datetime | None, status: int
) -> None:
    data = ua.DataValue(value, ua.StatusCode(status), SourceTimestamp=source, ServerTimestamp=server)
    change = Change(Tag("E1", signal), data, NOW)
    messages, faults = Batcher(Surroundings("l", "s", ZoneInfo("UTC"))).messages([change], NOW)
    said = [message for message in messages if hasattr(message, "body")]
    assert len(said) + len(faults) == 1
    for message in said:
        assert message.row.body.model_validate_json(message.content) == message.body


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_doubles_keep_every_digit(value: float) -> None:
    said = reading(ua.DataValue(ua.Variant(value, KINDS.Double)), NOW)
    if said.quality == "good":
        assert float(str(said.value)) == value
    else:
        assert abs(math.log10(abs(value))) > 40


@given(st.floats(min_value=-(2.0**90), max_value=2.0**90, width=32))
def test_single_floats_are_the_shortest_text_that_is_them(value: float) -> None:
    said = reading(ua.DataValue(ua.Variant(value, KINDS.Float)), NOW)
    if said.quality == "good":
        assert struct.unpack("f", struct.pack("f", float(str(said.value))))[0] == value


@pytest.mark.parametrize("number", range(18))
def test_state_numbers_are_those_of_the_standard(number: int) -> None:
    data = ua.DataValue(ua.Variant(number, KINDS.Int32), SourceTimestamp=NOW)
    tag = Tag("E1", Signal(signal="s", node="x", object="equipment_state"))
    (message,), _ = Batcher(Surroundings("l", "s", ZoneInfo("UTC"))).messages([Change(tag, data, NOW)], NOW)
    assert message.body.reading[0].state == PACKML[number]
    assert (PACKML[6], PACKML[9], PACKML[11], PACKML[17]) == ("Execute", "Aborted", "Held", "Complete")


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        ("12", "UInt16", 12),
        (12.0, "Int32", 12),
        ("0.1", "Double", 0.1),
        (Decimal(7), "Byte", 7),
        (True, "Boolean", True),
    ],
)
def test_what_is_written_has_exactly_the_type(value: object, kind: str, expected: object) -> None:
    made = variant(value, kind)
    assert (made.Value, made.VariantType.name) == (expected, kind)
    assert type(made.Value) is type(expected)


@pytest.mark.parametrize(
    ("value", "kind"),
    [(1.5, "Int32"), (-1, "UInt32"), (2**16, "UInt16"), (True, "Int32"), ("x", "Double"), (1, "Boolean")],
)
def test_what_does_not_fit_is_not_written(value: object, kind: str) -> None:
    with pytest.raises((ValueError, ArithmeticError)):
        variant(value, kind)
