"""The ERP's SOAP: envelopes of SOAP 1.1 and the WSDL of its service."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from lxml import etree

if TYPE_CHECKING:
    from collections.abc import Callable

ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
B2MML = "http://www.mesa.org/xml/B2MML"
ANSWERS = {"Process": "Acknowledge", "Change": "Acknowledge", "Cancel": "Acknowledge", "Get": "Show"}
NOUNS = {
    "OperationsPerformance": ("Process", "Sync", "Get"),
    "OperationsSchedule": ("Get",),
    "MaterialDefinition": ("Get",),
    "MaterialLot": ("Process", "Sync", "Get"),
    "TestResult": ("Process", "Sync", "Get"),
}


_PREFIXES: Any = {None: B2MML}
"""The default namespace, which lxml's stubs don't know of."""


class _Maker:
    """Makes B2MML elements: `E.ID("1")`, `E("Name", child, attribute="value")`."""

    def __call__(self, name: str, *content: etree._Element | str, **attributes: str) -> etree._Element:
        element = etree.Element(f"{{{B2MML}}}{name}", attributes, nsmap=_PREFIXES)
        for piece in content:
            if isinstance(piece, str):
                element.text = piece
            else:
                element.append(piece)
        return element

    def __getattr__(self, name: str) -> Callable[..., etree._Element]:
        return partial(self, name)


E = _Maker()


def wrap(document: etree._Element) -> bytes:
    """The envelope around a document."""
    envelope = etree.Element(f"{{{ENVELOPE}}}Envelope", nsmap={"soapenv": ENVELOPE})
    etree.SubElement(envelope, f"{{{ENVELOPE}}}Body").append(document)
    return etree.tostring(envelope, encoding="UTF-8", xml_declaration=True)


def fault(code: str, reason: str) -> bytes:
    """The envelope around a fault."""
    element = etree.Element(f"{{{ENVELOPE}}}Fault", nsmap={"soapenv": ENVELOPE})
    etree.SubElement(element, "faultcode").text = f"soapenv:{code}"
    etree.SubElement(element, "faultstring").text = reason
    return wrap(element)


def parse(content: bytes) -> etree._Element:
    """Read XML without entities, DTD or network. Raises ValueError."""
    try:
        root = etree.fromstring(content, etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True))
    except etree.XMLSyntaxError as error:
        raise ValueError(f"no XML: {error.msg}") from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise ValueError("a DTD is not allowed")
    return root


def content(envelope: bytes) -> etree._Element | None:
    """What the body of an envelope holds. Raises ValueError with the reason of a fault, or when it is none."""
    root = parse(envelope)
    body = root.find("{*}Body")
    if body is None:
        raise ValueError(f"{root.tag} is no SOAP envelope")
    found = body.find("{*}Fault")
    if found is not None:
        raise ValueError(f"fault: {found.findtext('faultstring')}")
    return next(body.iterchildren("*"), None)


def wsdl(address: str) -> bytes:
    """The WSDL of the ERP's service, one operation per document."""
    pairs = [(f"{verb}{noun}", _answer(verb, noun)) for noun, verbs in NOUNS.items() for verb in verbs]
    elements = sorted({name for pair in pairs for name in pair})
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"
  xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:b="{B2MML}" xmlns:t="urn:acme:erp" targetNamespace="urn:acme:erp">
  <types><xs:schema targetNamespace="{B2MML}" elementFormDefault="qualified">
    <xs:complexType name="BOD">
      <xs:sequence><xs:any maxOccurs="unbounded" minOccurs="0" processContents="skip"/></xs:sequence>
      <xs:anyAttribute processContents="skip"/>
    </xs:complexType>
    {_each('<xs:element name="{0}" type="b:BOD"/>', elements)}
  </xs:schema></types>
  {_each('<message name="{0}"><part name="bod" element="b:{0}"/></message>', elements)}
  <portType name="Erp">{
        "".join(
            f'<operation name="{asked}"><input message="t:{asked}"/><output message="t:{answer}"/></operation>'
            for asked, answer in pairs
        )
    }</portType>
  <binding name="ErpSoap" type="t:Erp"><soap:binding transport="http://schemas.xmlsoap.org/soap/http"/>{
        "".join(
            f'<operation name="{asked}"><soap:operation soapAction="urn:acme:erp/{asked}"/>'
            '<input><soap:body use="literal"/></input><output><soap:body use="literal"/></output></operation>'
            for asked, _ in pairs
        )
    }</binding>
  <service name="Erp"><port name="ErpSoap" binding="t:ErpSoap"><soap:address location="{address}"/></port></service>
</definitions>""".encode()


def _answer(verb: str, noun: str) -> str:
    return f"{ANSWERS[verb]}{noun}" if verb in ANSWERS else "ConfirmBOD"


def _each(template: str, names: list[str]) -> str:
    return "".join(template.format(name) for name in names)
