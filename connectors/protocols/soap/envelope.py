"""SOAP envelopes, 1.1 and 1.2: a document is put in, a document or a fault is taken out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lxml.etree import _Element

MAX_DETAIL = 2000
"""Characters of a fault's detail that are kept."""

_NAMESPACES = {
    "http://schemas.xmlsoap.org/soap/envelope/": "1.1",
    "http://www.w3.org/2003/05/soap-envelope": "1.2",
}
_CODES = {"Sender": "Client", "Receiver": "Server"}
_CODES_12 = {said: ours for ours, said in _CODES.items()}


class Version(StrEnum):
    """The version of SOAP that an envelope speaks."""

    V11 = "1.1"
    V12 = "1.2"

    @property
    def namespace(self) -> str:
        """The envelope's namespace."""
        return next(namespace for namespace, version in _NAMESPACES.items() if version == self)

    @property
    def media_type(self) -> str:
        """The media type without parameters."""
        return "text/xml" if self is Version.V11 else "application/soap+xml"


@dataclass(frozen=True, slots=True)
class Fault:
    """What a SOAP fault says, in the words of SOAP 1.1.

    `code` is Client (the document is at fault), Server (the service is), VersionMismatch or MustUnderstand; anything
    else is kept as it came. `subcode` refines it. `place` and `detail` are only text.
    """

    code: str
    reason: str
    subcode: str | None = None
    place: str | None = None
    detail: str = ""


class EnvelopeError(ValueError):
    """An envelope that can't be opened. `code` is the fault code its sender is to get."""

    def __init__(self, reason: str, code: str = "Client", version: Version = Version.V11) -> None:
        super().__init__(reason)
        self.code = code
        self.version = version


@dataclass(frozen=True, slots=True)
class Envelope:
    """An opened envelope: a document, a fault, or neither (an empty body)."""

    version: Version
    document: bytes | None = None
    fault: Fault | None = None


def is_envelope(root: _Element) -> bool:
    """True if the element is a SOAP envelope, of whatever version."""
    return _local(root) == "Envelope"


def open_envelope(root: _Element) -> Envelope:
    """Take out what the body holds. Raises EnvelopeError."""
    version = _version(root)
    for header in root.iterchildren(f"{{{version.namespace}}}Header"):
        _refuse_unknown_duties(header, version)
    bodies = list(root.iterchildren(f"{{{version.namespace}}}Body"))
    if len(bodies) != 1:
        raise EnvelopeError(f"the envelope has {len(bodies)} bodies, one is expected", version=version)
    contents = list(bodies[0].iterchildren("*"))
    if not contents:
        return Envelope(version)
    if len(contents) > 1:
        raise EnvelopeError(f"the body holds {len(contents)} elements, one document is expected", version=version)
    if _local(contents[0]) == "Fault":
        return Envelope(version, fault=_fault(contents[0]))
    return Envelope(version, document=_bytes(contents[0]))


def own(document: bytes) -> _Element:
    """A document that we wrote ourselves as XML: the limits for strangers don't hold for it."""
    from lxml import etree  # noqa: PLC0415 - heavy

    return etree.fromstring(document, etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True))


def wrap(document: _Element | None, version: Version) -> bytes:
    """The envelope around a document; None makes an empty body."""
    from lxml import etree  # noqa: PLC0415 - heavy

    envelope = etree.Element(f"{{{version.namespace}}}Envelope", nsmap={"soap": version.namespace})
    body = etree.SubElement(envelope, f"{{{version.namespace}}}Body")
    if document is not None:
        body.append(document)
    return _bytes(envelope)


def wrap_fault(fault: Fault, version: Version) -> bytes:
    """The envelope around a fault; its detail names the reason and the place in elements of their own."""
    from lxml import etree  # noqa: PLC0415 - heavy

    reason, place = printable(fault.reason), printable(fault.place or "")
    element = etree.Element(f"{{{version.namespace}}}Fault", nsmap={"soap": version.namespace})
    if version is Version.V11:
        etree.SubElement(element, "faultcode").text = f"soap:{fault.code}"
        etree.SubElement(element, "faultstring").text = reason
        detail = etree.SubElement(element, "detail")
    else:
        soap = f"{{{version.namespace}}}"
        code = etree.SubElement(element, f"{soap}Code")
        etree.SubElement(code, f"{soap}Value").text = f"soap:{_CODES_12.get(fault.code, fault.code)}"
        text = etree.SubElement(etree.SubElement(element, f"{soap}Reason"), f"{soap}Text")
        text.set("{http://www.w3.org/XML/1998/namespace}lang", "en")
        text.text = reason
        detail = etree.SubElement(element, f"{soap}Detail")
    refusal = etree.SubElement(detail, "{urn:mombus:soap}Refusal", nsmap={"m": "urn:mombus:soap"})
    etree.SubElement(refusal, "{urn:mombus:soap}Reason").text = reason
    if place:
        etree.SubElement(refusal, "{urn:mombus:soap}Place").text = place
    return wrap(element, version)


def printable(text: str) -> str:
    """Text that XML can hold: characters it forbids become `?`."""
    return "".join(
        c if c in "\t\n\r" or "\x20" <= c < "\ud800" or "\ue000" <= c <= "\ufffd" or c > "\uffff" else "?" for c in text
    )


def _version(root: _Element) -> Version:
    from lxml import etree  # noqa: PLC0415 - heavy

    namespace = etree.QName(root).namespace
    if not is_envelope(root) or namespace not in _NAMESPACES:
        raise EnvelopeError(f"{root.tag} is no envelope of SOAP 1.1 or 1.2", "VersionMismatch")
    return Version(_NAMESPACES[namespace])


def _refuse_unknown_duties(header: _Element, version: Version) -> None:
    """SOAP 1.1 section 4.2.3: a header that must be understood, and isn't, refuses the message."""
    for block in header.iterchildren("*"):
        if block.get(f"{{{version.namespace}}}mustUnderstand") in ("1", "true"):
            reason = f"the header {block.tag} must be understood and isn't: send it without mustUnderstand"
            raise EnvelopeError(reason, "MustUnderstand", version)


def _fault(element: _Element) -> Fault:
    """Read a fault of either version by its local names: servers mix them up."""
    parts = {_local(child): child for child in element.iterchildren("*")}
    code, subcode = _fault_codes(parts)
    reason = _text(parts.get("faultstring")) or _text(parts.get("Reason")) or "no reason given"
    detail = parts.get("detail", parts.get("Detail"))
    return Fault(_CODES.get(code, code), reason, subcode, detail=_text(detail)[:MAX_DETAIL])


def _fault_codes(parts: dict[str, _Element]) -> tuple[str, str | None]:
    if "Code" in parts:
        values = [_without_prefix(_text(value)) for value in parts["Code"].iter("{*}Value")]
    else:
        values = _without_prefix(_text(parts.get("faultcode"))).split(".", 1)
    return (values[0] if values else ""), (values[1] if len(values) > 1 else None)


def _without_prefix(code: str) -> str:
    return code.rpartition(":")[2]


def _text(element: _Element | None) -> str:
    if element is None:
        return ""
    return " ".join(part for piece in element.itertext("*") if (part := str(piece).strip()))


def _local(element: _Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _bytes(element: _Element) -> bytes:
    from lxml import etree  # noqa: PLC0415 - heavy

    return etree.tostring(element, encoding="UTF-8", xml_declaration=True, with_tail=False)
