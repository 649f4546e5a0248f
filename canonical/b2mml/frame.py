"""Build what stands around the items: root, ApplicationArea, verb, containers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lxml import etree

from canonical.b2mml.faults import WriteError
from canonical.b2mml.leaves import time_text
from canonical.b2mml.table import NAMESPACES, V7
from canonical.message import Action, Verb

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from canonical.b2mml.document import Document

SPACE = NAMESPACES[V7]
NSMAP: dict[Any, str] = {None: SPACE}
RELEASE = "7.0.1"
CONFIRMATIONS = ("Always", "Never", "OnError")
_NAMES = {
    Verb.GET: "Get", Verb.SHOW: "Show", Verb.PROCESS: "Process", Verb.ACKNOWLEDGE: "Acknowledge",
    Verb.CHANGE: "Change", Verb.RESPOND: "Respond", Verb.CANCEL: "Cancel", Verb.SYNC: "Sync", Verb.CONFIRM: "Confirm",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who sends a document, when, under which id, to whom, and whether it wants an answer."""

    created: datetime
    sender: str
    bod_id: str
    receiver: str | None = None
    confirmation: str = "Never"

    def __post_init__(self) -> None:
        if self.confirmation not in CONFIRMATIONS:
            raise WriteError(f"confirmation '{self.confirmation}' is none of {', '.join(CONFIRMATIONS)}")
        if self.created.tzinfo is None:
            raise WriteError(f"created {self.created.isoformat()} has no offset")


@dataclass(frozen=True, slots=True)
class Answer:
    """How a reply answers for some items; `expression` empty means for all."""

    action: Action
    expression: str = ""
    reason: str | None = None
    reason_code: str | None = None
    document: str | None = None


def tag(name: str) -> str:
    """The qualified V7 name."""
    return f"{{{SPACE}}}{name}"


def add(parent: etree._Element, name: str, text: str | None = None) -> etree._Element:
    """Append an element, with text when given."""
    element = etree.SubElement(parent, tag(name))
    if text is not None:
        element.text = text
    return element


def frame(verb: Verb, noun: str, sender: Sender) -> tuple[etree._Element, etree._Element, etree._Element]:
    """A document without items: its root, its DataArea and its verb element."""
    name = "NotifyOperationsEvent" if noun == "OperationsEvent" else f"{_NAMES[verb]}{noun}"
    root = etree.Element(tag(name), nsmap=NSMAP)
    if verb is not Verb.CONFIRM:
        root.set("releaseID", RELEASE)
    _application_area(root, sender)
    data = add(root, "DataArea")
    said = add(data, _NAMES[verb])
    if verb is Verb.PROCESS and sender.confirmation != "Never":
        said.set("acknowledgeCode", sender.confirmation)
    if verb is Verb.CHANGE and sender.confirmation != "Never":
        said.set("responseCode", sender.confirmation)
    return root, data, said


def _application_area(root: etree._Element, sender: Sender) -> None:
    area = add(root, "ApplicationArea")
    who = add(area, "Sender")
    add(who, "LogicalID", sender.sender)
    add(who, "ReferenceID", sender.bod_id)
    add(who, "ConfirmationCode", sender.confirmation)
    if sender.receiver:
        add(add(area, "Receiver"), "LogicalID", sender.receiver)
    add(area, "CreationDateTime", time_text(sender.created))
    add(area, "BODID", sender.bod_id)


def answers_to(said: etree._Element, original: Document | None, bod_id: str | None, created: datetime) -> None:
    """Put the OriginalApplicationArea of what is answered into a reply's verb."""
    if original is None and not bod_id:
        return
    area = add(said, "OriginalApplicationArea")
    if original is not None and (original.logical_id or original.reference_id):
        who = add(area, "Sender")
        for name, value in (("LogicalID", original.logical_id), ("ReferenceID", original.reference_id)):
            if value:
                add(who, name, value)
    add(area, "CreationDateTime", time_text(original.created if original is not None else created))
    named = original.bod_id if original is not None else bod_id
    if named:
        add(area, "BODID", named)


def does(said: etree._Element, actions: Sequence[tuple[Action, str]]) -> None:
    """ActionCriteria: what is done with which items."""
    for action, expression in actions:
        criteria = add(said, "ActionCriteria")
        add(criteria, "ActionExpression", expression).set("actionCode", action.value)


def answer(said: etree._Element, given: Answer) -> None:
    """ResponseCriteria: how the items were answered, with reason and document number."""
    criteria = add(said, "ResponseCriteria")
    add(criteria, "ResponseExpression", given.expression).set("actionCode", given.action.value)
    if not (given.document or given.reason or given.reason_code):
        return
    status = add(criteria, "ChangeStatus")
    if given.document:
        add(status, "Code", given.document).set("listID", "DocumentNumber")
    if given.reason_code or given.reason:
        add(status, "ReasonCode", given.reason_code or given.reason)
    if given.reason and given.reason_code:
        add(status, "Reason", given.reason)


def to_bytes(root: etree._Element) -> bytes:
    """The document as UTF-8 with its declaration."""
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")
