"""Inputs from strangers: each is refused with a clear reason, and none takes long."""

from __future__ import annotations

import gzip

import pytest
from b2mml_documents import NOW, SPACE, order, schedule, taken

from canonical.b2mml import DocumentError, read

GOOD = schedule(order("PO-1"))
LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))


def root(inner: str, attributes: str = "") -> str:
    return f'<ProcessOperationsSchedule xmlns="{SPACE}" {attributes}>{inner}</ProcessOperationsSchedule>'


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"   \n", "empty"),
        (gzip.compress(b"<a/>" * 1000, mtime=0), "gzip"),
        (b"{}", "not well-formed"),
        (GOOD.encode()[:-40], "not well-formed"),
        (b'<?xml version="1.0" encoding="UTF-8"?><a>\xff\xfe</a>', "not well-formed"),
        (b'<?xml version="1.0" encoding="klingon"?><a/>', "not well-formed"),
        (b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', "DOCTYPE"),
        (b'<!DOCTYPE a SYSTEM "http://127.0.0.1:1/x.dtd"><a/>', "DOCTYPE"),
        (b"<!DOCTYPE a><a/>", "DOCTYPE"),
        ("<!DOCTYPE a><a/>".encode("utf-16"), "DOCTYPE"),
        (b'<?xml version="1.0" encoding="UTF-7"?>+ADw-!DOCTYPE a+AD4-', "not well-formed"),
        (f'<!DOCTYPE a [<!ENTITY l0 "lol">{LAUGHS}]><a>&l9;</a>'.encode(), "DOCTYPE|not well-formed"),
        (("<a>" * 100_000 + "</a>" * 100_000).encode(), "not well-formed|deeper"),
        (("<a>" * 100 + "</a>" * 100).encode(), "deeper"),
        (root("x" * 12_000_000).encode(), "longer|not well-formed"),
        (root("x" * 2_000_000).encode(), "longer"),
        (root("", " ".join(f'a{n}="1"' for n in range(200_000))).encode(), "attributes|not well-formed"),
        (root("", " ".join(f'a{n}="1"' for n in range(100))).encode(), "attributes"),
        (b"<a/>", "namespace ''"),
        (GOOD.replace(SPACE, "http://www.mesa.org/xml/B2MML-V0600").encode(), "V0600"),
        (GOOD.replace("ProcessOperationsSchedule", "ProcessWeather").encode(), "no transaction"),
        (GOOD.replace("ProcessOperationsSchedule", "NotifyOperationsSchedule").encode(), "no transaction"),
        (GOOD.replace("<Process/>", "<Sync/>").encode(), "begins with its verb"),
        (GOOD.replace("<Process/>", "<Process/><Weather/>").encode(), "holds OperationsSchedule"),
        (GOOD.replace("OperationsRequest>", "OperationsRequests>").encode(), "OperationsRequests is no element"),
        (GOOD.replace("<DataArea>", "<DataArea/><DataArea>").encode(), "begins with its verb|one DataArea"),
        (GOOD.replace("</DataArea>", "</DataArea><DataArea><Process/></DataArea>").encode(), "one DataArea"),
        (root("<DataArea/>").encode(), "ApplicationArea is missing"),
        (root("<ApplicationArea/><DataArea/>").encode(), "begins with its verb|is missing"),
        (GOOD.replace("2026-03-02T05:00:00Z", "2026-03-02T05:00:00").encode(), "no offset"),
        (GOOD.replace("2026-03-02T05:00:00Z", "yesterday").encode(), "is not a time"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_document_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(DocumentError, match=reason):
        taken(data)


def test_a_document_over_the_cap_is_refused_unread() -> None:
    with pytest.raises(DocumentError, match="at most 100"):
        taken(GOOD, max_bytes=100)


def test_text_is_refused_because_its_declaration_would_lie() -> None:
    with pytest.raises(DocumentError, match="from bytes"):
        read(GOOD, source="erp", site="lyon", recorded=NOW)  # type: ignore[arg-type]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_fine(encoding: str) -> None:
    assert [each.key for each in taken(GOOD.encode(encoding)).messages] == ["PO-1"]


def test_a_declared_encoding_is_followed() -> None:
    xml = '<?xml version="1.0" encoding="ISO-8859-1"?>' + schedule(order("PÖ-1"))
    assert [each.key for each in taken(xml.encode("latin-1")).messages] == ["PÖ-1"]


def test_the_place_of_a_syntax_error_is_line_and_column() -> None:
    with pytest.raises(DocumentError) as refused:
        taken(b"<a>\n<b></c></a>")
    assert refused.value.place.startswith("2:")
