"""Connectors are found by entry points: ours and third parties'."""

from __future__ import annotations

import pytest

from mombus.config.kinds import KindError, kinds, load_kind
from mombus.config.reference import kind_reference

OURS = {"cmms.rest", "erp.b2mml", "mes.mqtt", "nats", "plc.opcua", "qms.rest", "rest", "site", "wms.rest"}


def test_ours_and_theirs_are_listed() -> None:
    assert set(kinds()) >= OURS | {"erp.acme", "acme"}
    assert set(kinds(ours=True)) == OURS
    assert kinds() == sorted(kinds())


@pytest.mark.parametrize("kind", sorted(OURS))
def test_ours_are_documented(kind: str) -> None:
    reference = kind_reference(kind)
    assert reference.problem == ""
    assert reference.summary
    assert "url" in {field.name for field in reference.fields}
    assert not [field.name for field in reference.fields if field.secret and field.default]
    for part in reference.parts:
        assert part.summary, part.name
        assert not [f"{part.name}.{field.name}" for field in part.fields if not field.description]


def test_what_stands_below_a_field_is_documented_at_any_depth() -> None:
    rest = kind_reference("rest")
    parts = {part.name: {field.name: field for field in part.fields} for part in rest.parts}
    assert set(parts) == {"check", "read", "write", "lookup", "pushed", "door", "bookmark", "paging", "says", "find"}
    assert {field.name: field.type for field in rest.fields}["reads"] == "list of read"
    assert parts["read"]["bookmark"].type == "bookmark"
    assert parts["bookmark"]["field"].required


def test_a_third_partys_class_is_loaded() -> None:
    assert load_kind("erp.acme").summary == "A system of the Acme company."
    fields = {field.name: field for field in kind_reference("erp.acme").fields}
    assert fields["url"].required
    assert fields["token"].secret
    assert (fields["verify"].type, fields["verify"].default) == ("true or false", "true")
    assert fields["says"].type == "list of text"
    assert fields["options"].type == "text → anything"
    assert fields["reaches"].type == "`received` or `accepted` or `posted`"


def test_an_unknown_kind_suggests() -> None:
    with pytest.raises(KindError, match=r"there is no connector 'erp\.b2ml'; did you mean 'erp\.b2mml'\?"):
        load_kind("erp.b2ml")
    with pytest.raises(KindError, match="`mombus connectors` lists them"):
        load_kind("zzz")


def test_a_kind_that_cannot_be_loaded_says_why() -> None:
    assert "needs the package 'a_library_that_is_not_there'" in kind_reference("bad.needs").problem
