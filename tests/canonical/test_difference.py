"""Two texts are compared by what they say: JSON by values, XML by elements, everything else by lines."""

from __future__ import annotations

import json
from typing import Any

import pytest

from canonical.difference import Format, What, compare

ORDER = {
    "id": "PO-1",
    "segment_requirement": [{"id": "10", "quantity": "1"}, {"id": "20", "quantity": "2"}],
    "number": 1.0,
}


def said(before: bytes, after: bytes) -> list[tuple[str, str, str | None, str | None]]:
    return [(one.path, one.what, one.before, one.after) for one in compare(before, after).differences]


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()


def test_json_is_the_same_whatever_its_spacing_and_the_order_of_names() -> None:
    other = json.dumps(dict(reversed(ORDER.items())), indent=3).encode()
    assert compare(as_json(ORDER), other).differences == ()


def test_items_are_known_by_their_ids_and_named_in_isa_95_words() -> None:
    changed = ORDER | {"segment_requirement": [{"id": "20", "quantity": "5"}, {"id": "10", "quantity": "1"}]}
    found = compare(as_json(ORDER), as_json(changed))
    assert found.format is Format.JSON
    assert [(one.isa95, one.what, one.before, one.after) for one in found.differences] == [
        ("SegmentRequirement", What.ORDER, "10, 20", "20, 10"),
        ("SegmentRequirement[20]/Quantity", What.CHANGED, '"2"', '"5"'),
    ]
    assert found.differences[1].path == "segment_requirement[20].quantity"


def test_items_without_ids_are_found_by_what_stayed_the_same() -> None:
    assert said(b"[1, 2, 3, 4]", b"[1, 9, 3, 4, 5]") == [
        ("[5]", "added", None, "5"),
        ("[2]", "changed", "2", "9"),
    ]
    assert said(b"[1, 2, 3]", b"[2, 3]") == [("[1]", "removed", "1", None)]


def test_a_number_is_another_when_it_is_written_otherwise_or_as_a_text() -> None:
    assert said(b'{"a": 1.0, "b": 1}', b'{"a": 1, "b": "1"}') == [
        ("a", "changed", "1.0", "1"),
        ("b", "changed", "1", '"1"'),
    ]


def test_names_that_came_and_went() -> None:
    assert said(b'{"a": {"x": null}}', b'{"b": 1}') == [
        ("a", "removed", '{"x": null}', None),
        ("b", "added", None, "1"),
    ]


OLD = b"""<OperationsRequest xmlns="urn:b2mml"><ID>PO-1</ID>
  <SegmentRequirement><ID>10</ID><Quantity unit="kg">1</Quantity></SegmentRequirement>
  <SegmentRequirement><ID>20</ID></SegmentRequirement><Priority>1</Priority></OperationsRequest>"""
NEW = b"""<?xml version="1.0"?><p:OperationsRequest xmlns:p="urn:b2mml"><p:ID>PO-1</p:ID>
  <p:SegmentRequirement><p:ID>20</p:ID></p:SegmentRequirement>
  <p:SegmentRequirement><p:ID>10</p:ID><p:Quantity unit="g">1000</p:Quantity></p:SegmentRequirement>
  <p:Priority>1</p:Priority></p:OperationsRequest>"""


def test_xml_is_compared_by_elements_and_their_order_whatever_the_prefixes() -> None:
    here = "OperationsRequest[PO-1]"
    assert said(OLD, NEW) == [
        (
            here, "order", "ID, SegmentRequirement[10], SegmentRequirement[20], Priority",
            "ID, SegmentRequirement[20], SegmentRequirement[10], Priority",
        ),
        (f"{here}/SegmentRequirement[10]/Quantity/@unit", "changed", "kg", "g"),
        (f"{here}/SegmentRequirement[10]/Quantity", "changed", "1", "1000"),
    ]  # fmt: skip


def test_an_element_of_another_namespace_is_another_element() -> None:
    before, after = b'<a xmlns="urn:1"><b>1</b></a>', b'<a xmlns="urn:1"><b xmlns="urn:2">1</b></a>'
    assert [what for _, what, _, _ in said(before, after)] == ["removed", "added"]


def test_a_document_and_the_same_in_an_envelope_are_the_same() -> None:
    envelope = (
        b'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>' + OLD + b"</e:Body></e:Envelope>"
    )
    assert compare(OLD, envelope).differences == ()


def test_what_is_neither_is_compared_by_lines() -> None:
    found = compare(b"a\nb\nc", b"a\nx\nc\nd")
    assert found.format is Format.TEXT
    assert [(one.path, one.before, one.after) for one in found.differences] == [
        ("line 2", "b", "x"),
        ("line 4", None, "d"),
    ]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"{" * 100_000, b"{" * 100_001),
        (b"[" * 5_000 + b"]" * 5_000, b"[" * 5_001 + b"]" * 5_001),
        (b'{"a": 1', b'{"a": 2'),
        (b"<a>" * 1_000 + b"</a>" * 1_000, b"<a>" * 1_001 + b"</a>" * 1_001),
        (b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', b"<a/>"),
        (b"\xff\xfe\x00", b"\x00\xff"),
    ],
    ids=("open-braces", "deep-json", "half-json", "deep-xml", "entities", "no-text"),
)
def test_what_cannot_be_read_is_compared_by_lines(before: bytes, after: bytes) -> None:
    found = compare(before, after)
    assert found.format is Format.TEXT
    assert found.differences


def test_so_many_differences_are_told_and_the_others_are_counted() -> None:
    found = compare(as_json(list(range(1000))), as_json(list(range(1, 2000, 2))), most=10)
    assert len(found.differences) == 10
    assert found.more > 100


def test_long_values_are_told_by_their_beginning() -> None:
    (one,) = compare(b'"' + b"a" * 9000 + b'"', b'["x"]').differences
    assert one.before is not None
    assert len(one.before) < 600


def test_a_digit_bomb_is_compared_without_being_read_as_a_number() -> None:
    assert said(b'{"n": ' + b"9" * 5000 + b"}", b'{"n": 1}')[0][3] == "1"


@pytest.mark.parametrize(
    "text", ['{{"{name}": {{"a": {{"b": {value}}}, "c": [{value}, 7]}}}}', "<{name}><a><b>{value}</b></a><c/></{name}>"]
)
def test_a_path_under_an_endless_name_is_told_by_its_end(text: str) -> None:
    before, after = (text.format(name="n" * 40_000, value=value).encode() for value in (1, 2))
    found = said(before, after)
    assert found
    assert all(path.startswith("…") and len(path) == 301 for path, *_ in found)
