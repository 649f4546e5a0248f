"""The documents that ask an ERP what it has: Get BODs, as small as the schema allows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from connectors.erp.objects import ANY

if TYPE_CHECKING:
    from connectors.erp.objects import Trace

NAMESPACE = "http://www.mesa.org/xml/B2MML"
NOUNS = {"production_order": "OperationsSchedule", "material": "MaterialDefinition"}
"""What an ERP owns and can be asked for, by data object."""

_SEGMENT = ("ID", "ProcessSegmentID", "OperationsDefinitionID", "OperationsSegmentID")
"""What the schema wants of a segment requirement."""


class Head(NamedTuple):
    """Who asks whom, under which document id, when."""

    sender: str
    receiver: str | None
    bod_id: str
    created: datetime


@dataclass(frozen=True, slots=True)
class Question:
    """A Get of one noun: `path` are its elements from the outermost, each with the id asked for."""

    noun: str
    path: tuple[tuple[str, str], ...]

    def document(self, head: Head) -> bytes:
        """The Get BOD that asks it, with placeholders where the schema wants more than the question says."""
        from lxml import etree  # noqa: PLC0415 - heavy

        def add(parent: etree._Element, name: str, text: str | None = None) -> etree._Element:
            element = etree.SubElement(parent, f"{{{NAMESPACE}}}{name}")
            element.text = text
            return element

        name = f"{{{NAMESPACE}}}Get{self.noun}"
        root = etree.Element(name, releaseID="7.0.1", nsmap={None: NAMESPACE})  # type: ignore[dict-item]
        area = add(root, "ApplicationArea")
        add(add(area, "Sender"), "LogicalID", head.sender)
        if head.receiver is not None:
            add(add(area, "Receiver"), "LogicalID", head.receiver)
        add(area, "CreationDateTime", head.created.isoformat())
        add(area, "BODID", head.bod_id)
        at = add(root, "DataArea")
        add(at, "Get")
        for step, id_ in self.path:
            at = add(at, step)
            add(at, "ID", id_)
        if self.path[-1][0] == "OperationsRequest":
            at = add(at, "SegmentRequirement")
            for required in _SEGMENT:
                add(at, required, ANY)
        return etree.tostring(root, encoding="UTF-8", xml_declaration=True)


def about(trace: Trace) -> Question:
    """The question whether an effect is there."""
    if trace.noun != "OperationsPerformance":
        return Question(trace.noun, ((trace.noun, trace.id),))
    response, segment = (ANY, trace.id) if trace.element == "SegmentResponse" else (trace.id, ANY)
    path = (("OperationsPerformance", ANY), ("OperationsResponse", response), ("SegmentResponse", segment))
    return Question(trace.noun, path)


def owned(object: str, key: str | None) -> Question:
    """The question for one thing the ERP owns, or for all of them. Raises KeyError for an object it can't be asked."""
    noun = NOUNS[object]
    if noun == "OperationsSchedule":
        return Question(noun, (("OperationsSchedule", ANY), ("OperationsRequest", key or ANY)))
    return Question(noun, ((noun, key or ANY),))
