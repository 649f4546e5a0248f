"""Every document of the inputs to refuse is refused with a reason; good ones are read exactly."""

from decimal import Decimal

import pytest

from connectors.strict_json import StrictJsonError, read_json, read_object

REFUSED = {
    "NaN": (b'{"a": NaN}', "NaN"),
    "infinity": (b'{"a": -Infinity}', "Infinity"),
    "duplicate name": (b'{"a": 1, "b": 2, "a": 3}', "'a' is there twice"),
    "nested duplicate": (b'{"x": [{"a": 1, "a": 1}]}', "twice"),
    "4000 digits": (b'{"a": ' + b"9" * 4000 + b"}", "4000 digits"),
    "5000 digits": (b'{"a": ' + b"9" * 5000 + b"}", "5000 digits"),
    "long decimal": (b'{"a": 0.' + b"1" * 100 + b"}", "digits"),
    "huge exponent": (b'{"a": 1e999999}', "digits"),
    "5000 deep": (b'{"a":' * 5000 + b"1" + b"}" * 5000, "nested deeper"),
    "100k deep": (b"[" * 100_000 + b"]" * 100_000, "nested deeper"),
    "65 deep": (b"[" * 65 + b"]" * 65, "nested deeper"),
    "not UTF-8": (b'{"a": "\xff"}', "byte 7 is not UTF-8"),
    "UTF-16": ('{"a": 1}'.encode("utf-16"), "not UTF-8"),
    "too long": (b'"' + b"x" * 2_000_000 + b'"', "at most 1048576"),
    "truncated": (b'{"a": 1', "line 1, column"),
    "empty": (b"", "line 1, column 1"),
    "trailing": (b'{"a": 1} x', "Extra data"),
}


@pytest.mark.parametrize(("raw", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_refuses_with_a_reason(raw: bytes, reason: str) -> None:
    with pytest.raises(StrictJsonError, match=reason):
        read_json(raw)


@pytest.mark.parametrize("raw", [b"12345", b"[]", b'"text"', b"null", b"true"])
def test_a_message_is_an_object(raw: bytes) -> None:
    with pytest.raises(StrictJsonError, match="a JSON object"):
        read_object(raw)


@pytest.mark.parametrize("raw", [rb'{"a": ["\ud83d\ude00", "\ud800"]}', rb'{"\ud800": 1.5}'])
def test_half_a_character_is_no_text(raw: bytes) -> None:
    with pytest.raises(StrictJsonError, match="ud800 is half a character"):
        read_object(raw)


def test_reads_exactly() -> None:
    document = read_object('{"q": 0.10, "n": 9007199254740993, "t": "Größe", "e": 1.5E+3}'.encode())
    assert document == {"q": Decimal("0.10"), "n": 9007199254740993, "t": "Größe", "e": Decimal("1.5E+3")}
    assert str(document["q"]) == "0.10"


def test_a_byte_order_mark_is_fine() -> None:
    assert read_object(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


def test_64_levels_are_fine() -> None:
    assert read_json(b"[" * 64 + b"]" * 64)
