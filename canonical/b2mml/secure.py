"""XML from strangers: bytes with caps, no DTD, no entities, nothing fetched, nothing decompressed."""

from __future__ import annotations

from functools import cache

from lxml import etree

from canonical.b2mml.faults import DocumentError

MAX_BYTES = 16_000_000
MAX_DEPTH = 64
MAX_ATTRIBUTES = 64
MAX_TEXT = 1_000_000

NO_DTD = "the document has a DOCTYPE: B2MML needs none, DTDs and entities are refused"
DOCTYPES = tuple("<!DOCTYPE".encode(encoding) for encoding in ("utf-8", "utf-16-le", "utf-16-be"))
"""Looked for before the parser sees the bytes, so that nothing a DTD names is even tried; what is spelt in a rarer
encoding is found after."""


def parse(data: bytes, max_bytes: int = MAX_BYTES) -> etree._Element:
    """The root element of `data`; comments and processing instructions are left out.

    Raises DocumentError when the bytes are too many, compressed, not well formed, carry a DTD, or nest deeper, have
    more attributes or longer texts than MAX_DEPTH, MAX_ATTRIBUTES and MAX_TEXT allow.
    """
    if not isinstance(data, bytes):
        raise DocumentError("", "a document is read from bytes, so that its own encoding declaration counts")
    if len(data) > max_bytes:
        raise DocumentError("", f"{len(data)} bytes: at most {max_bytes} are read; send it in parts")
    if not data.strip():
        raise DocumentError("", "the document is empty")
    if data[:2] == b"\x1f\x8b":
        raise DocumentError("", "the bytes are gzip: send the XML uncompressed")
    if any(mark in data for mark in DOCTYPES):
        raise DocumentError("1:1", NO_DTD)
    try:
        root = etree.fromstring(data, _parser())
    except etree.XMLSyntaxError as error:
        line, column = error.position
        raise DocumentError(f"{line}:{column}", f"not well-formed XML: {error.msg}") from None
    info = root.getroottree().docinfo
    if info.internalDTD is not None or info.externalDTD is not None or info.doctype:
        raise DocumentError("1:1", NO_DTD)
    _within_caps(root, data)
    return root


def parse_piece(xml: str) -> etree._Element:
    """A piece of a document that was kept as text. Raises ValueError when it is not one element."""
    try:
        return parse(xml.encode("utf-8", "surrogatepass"))
    except DocumentError as error:
        raise ValueError(f"kept XML can't be written back: {error.reason}") from None


def _parser() -> etree.XMLParser:
    """A parser for one document: lxml's parsers keep state and are not shared between threads."""
    return etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, attribute_defaults=False,
        huge_tree=False, remove_comments=True, remove_pis=True, collect_ids=False, recover=False,
    )  # fmt: skip


@cache
def _deeper() -> etree.XPath:
    return etree.XPath(f"boolean(/{'/'.join('*' for _ in range(MAX_DEPTH + 1))})")


@cache
def _more_attributes() -> etree.XPath:
    return etree.XPath(f"boolean(//*[count(@*) > {MAX_ATTRIBUTES}])")


@cache
def _longer() -> etree.XPath:
    return etree.XPath(f"boolean(//text()[string-length() > {MAX_TEXT}])")


def _within_caps(root: etree._Element, data: bytes) -> None:
    """Walk the tree only for what so many bytes can hold at all."""
    if data.count(b"=") > MAX_ATTRIBUTES and _more_attributes()(root):
        raise DocumentError("", f"an element has over {MAX_ATTRIBUTES} attributes")
    if len(data) > MAX_TEXT and _longer()(root):
        raise DocumentError("", f"a text is longer than {MAX_TEXT} characters")
    if _deeper()(root):
        raise DocumentError("", f"elements nest deeper than {MAX_DEPTH}")
