"""What strangers wrote is laid out for people, unless it is made to become far more than it was."""

from __future__ import annotations

import pytest

from mombus.web.words import laid_out


def test_json_and_xml_are_laid_out_and_other_texts_stay() -> None:
    assert laid_out('{"a":{"b":[1,2.50]}}', "application/json") == (
        '{\n  "a": {\n    "b": [\n      1,\n      2.5\n    ]\n  }\n}'
    )
    assert laid_out("<a><b>1</b></a>", "application/xml; charset=utf-8") == "<a>\n  <b>1</b>\n</a>"
    for text, kind in (('{"a":', "application/json"), ("<a>", "text/xml"), ("a,b", "text/csv"), ("x", None)):
        assert laid_out(text, kind) == text


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("[" * 60_000, "application/json"), ("[" * 30_000 + "]" * 30_000, "application/json"),
        ("[" * 200 + "1," * 20_000 + "1" + "]" * 200, "application/json"),
        ("<a>" * 60 + "<b/>" * 10_000 + "</a>" * 60, "application/xml"),
    ],
)  # fmt: skip
def test_what_would_become_far_longer_stays_as_it_is(text: str, kind: str) -> None:
    assert laid_out(text, kind) == text
