"""The WSDL of a hosted service: document/literal, one operation per document, the same over SOAP 1.1 and 1.2."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple
from xml.sax.saxutils import quoteattr


class Operation(NamedTuple):
    """The service takes a document with the root element `document` and answers one with the root `reply`."""

    document: str
    reply: str


@dataclass(frozen=True, slots=True)
class Service:
    """A service by its name, and the documents it takes.

    `namespace` is the WSDL's own, `documents` that of the documents. Their content is `xsd:any`: the documents' own
    schema says what they hold, and the caller has it.
    """

    name: str
    namespace: str
    documents: str
    operations: tuple[Operation, ...]

    def wsdl(self, address: str) -> bytes:
        """The WSDL 1.1 of the service at this address."""
        return _DEFINITIONS.format(
            name=self.name,
            namespace=quoteattr(self.namespace),
            documents=quoteattr(self.documents),
            elements="".join(_ELEMENT.format(name=name) for name in self._elements()),
            messages="".join(_MESSAGE.format(name=name) for name in self._elements()),
            operations="".join(_OPERATION.format(name=o.document, reply=o.reply) for o in self.operations),
            bindings="".join(self._binding(prefix) for prefix in ("soap", "soap12")),
            address=quoteattr(address),
        ).encode()

    def _elements(self) -> list[str]:
        return sorted({name for operation in self.operations for name in operation})

    def _binding(self, prefix: str) -> str:
        operations = "".join(
            _BOUND.format(prefix=prefix, name=o.document, action=quoteattr(f"{self.namespace}:{o.document}"))
            for o in self.operations
        )
        return _BINDING.format(name=self.name, prefix=prefix, operations=operations)


_DEFINITIONS = """<?xml version="1.0" encoding="UTF-8"?>
<wsdl:definitions name="{name}" targetNamespace={namespace} xmlns:tns={namespace} xmlns:d={documents}
    xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:xsd="http://www.w3.org/2001/XMLSchema"
    xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:soap12="http://schemas.xmlsoap.org/wsdl/soap12/">
  <wsdl:types>
    <xsd:schema targetNamespace={documents} elementFormDefault="qualified">
      <xsd:complexType name="AnyDocument">
        <xsd:sequence><xsd:any namespace="##any" processContents="skip" minOccurs="0" maxOccurs="unbounded"/></xsd:sequence>
        <xsd:attribute name="releaseID" type="xsd:normalizedString"/>
        <xsd:attribute name="versionID" type="xsd:normalizedString"/>
        <xsd:anyAttribute processContents="skip"/>
      </xsd:complexType>{elements}
    </xsd:schema>
  </wsdl:types>{messages}
  <wsdl:portType name="{name}">{operations}
  </wsdl:portType>{bindings}
  <wsdl:service name="{name}">
    <wsdl:port name="{name}_soap" binding="tns:{name}_soap"><soap:address location={address}/></wsdl:port>
    <wsdl:port name="{name}_soap12" binding="tns:{name}_soap12"><soap12:address location={address}/></wsdl:port>
  </wsdl:service>
</wsdl:definitions>
"""  # noqa: E501 - the document's own line
_ELEMENT = """
      <xsd:element name="{name}" type="d:AnyDocument"/>"""
_MESSAGE = """
  <wsdl:message name="{name}"><wsdl:part name="document" element="d:{name}"/></wsdl:message>"""
_OPERATION = """
    <wsdl:operation name="{name}">
      <wsdl:input message="tns:{name}"/><wsdl:output message="tns:{reply}"/>
    </wsdl:operation>"""
_BINDING = """
  <wsdl:binding name="{name}_{prefix}" type="tns:{name}">
    <{prefix}:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>{operations}
  </wsdl:binding>"""
_BOUND = """
    <wsdl:operation name="{name}"><{prefix}:operation soapAction={action} style="document"/>
      <wsdl:input><{prefix}:body use="literal"/></wsdl:input><wsdl:output><{prefix}:body use="literal"/></wsdl:output>
    </wsdl:operation>"""
