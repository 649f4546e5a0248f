"""What stands around the items: root element, ApplicationArea and verb (B2MML-Common, Trans… types)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lxml import etree

from canonical.b2mml.decode import time_with_offset
from canonical.b2mml.document import Response
from canonical.b2mml.faults import DocumentError, Misfit
from canonical.b2mml.leaves import TIME
from canonical.b2mml.nouns import V4_NOUNS, V7_NOUNS, word
from canonical.b2mml.table import NAMESPACES, V4
from canonical.message import Action, Verb

if TYPE_CHECKING:
    from datetime import datetime
    from zoneinfo import ZoneInfo

VERBS = {
    "Get": Verb.GET, "Show": Verb.SHOW, "Process": Verb.PROCESS, "Acknowledge": Verb.ACKNOWLEDGE,
    "Change": Verb.CHANGE, "Respond": Verb.RESPOND, "Cancel": Verb.CANCEL, "Sync": Verb.SYNC, "Notify": Verb.SYNC,
}  # fmt: skip
_VERSIONS = {space: version for version, space in NAMESPACES.items()}


@dataclass(frozen=True, slots=True)
class Envelope:
    """The head of a document, before its items are read."""

    version: str
    verb: Verb
    noun: str
    data_area: etree._Element
    created: datetime
    bod_id: str | None
    logical_id: str | None
    reference_id: str | None
    confirmation: str
    original: etree._Element | None
    actions: tuple[tuple[Action, str], ...]
    responses: tuple[Response, ...]


def open_envelope(root: etree._Element, zone: ZoneInfo | None) -> Envelope:
    """Read what stands around the items. Raises DocumentError for what is no transaction that can be read."""
    name = etree.QName(root)
    version = _VERSIONS.get(name.namespace or "")
    if version is None:
        known = ", ".join(f"{space} ({which})" for which, space in NAMESPACES.items())
        raise DocumentError(name.localname, f"namespace '{name.namespace or ''}' is not read here; known: {known}")
    verb, noun = _transaction(name.localname, version)
    space = f"{{{NAMESPACES[version]}}}"
    area, data = root.find(f"{space}ApplicationArea"), root.find(f"{space}DataArea")
    if area is None or data is None:
        missing = "ApplicationArea" if area is None else "DataArea"
        raise DocumentError(name.localname, f"{missing} is missing")
    if [str(child.tag) for child in root] != [area.tag, data.tag]:
        raise DocumentError(name.localname, "holds one ApplicationArea and then one DataArea, nothing else")
    sender = area.find(f"{space}Sender")
    said = _verb_element(data, verb, noun, name.localname)
    return Envelope(
        version, verb, noun, data, _created(area, zone, name.localname), word(area, "BODID") or None,
        _word(sender, "LogicalID"), _word(sender, "ReferenceID"), _word(sender, "ConfirmationCode") or "Never",
        said.find(f"{space}OriginalApplicationArea"), _actions(said, space),
        tuple(_response(each, space) for each in said.iterchildren(f"{space}ResponseCriteria")),
    )  # fmt: skip


def _transaction(name: str, version: str) -> tuple[Verb, str]:
    if name == "ConfirmBOD":
        return Verb.CONFIRM, "BOD"
    nouns = V4_NOUNS if version == V4 else V7_NOUNS
    for prefix, verb in VERBS.items():
        noun = name.removeprefix(prefix)
        if noun != name and noun in nouns and (prefix == "Notify") <= (noun == "OperationsEvent"):
            return verb, noun
    raise DocumentError(name, f"is no transaction read in {version}: a verb and one of {', '.join(sorted(nouns))}")


def _created(area: etree._Element, zone: ZoneInfo | None, root: str) -> datetime:
    place = f"{root}/ApplicationArea/CreationDateTime"
    text = word(area, "CreationDateTime")
    if not text:
        raise DocumentError(place, "is missing: a document says when it was made")
    try:
        when = TIME.meaning(str(time_with_offset(text, zone)))
    except Misfit as naive:
        raise DocumentError(place, naive.reason) from None
    if isinstance(when, str):
        raise DocumentError(place, f"'{text}' is not a time such as 2026-03-02T06:00:00+01:00")
    return when  # type: ignore[no-any-return]


def _verb_element(data: etree._Element, verb: Verb, noun: str, root: str) -> etree._Element:
    wanted = {each: name for name, each in VERBS.items() if name != "Notify"} | {Verb.CONFIRM: "Confirm"}
    first = next(iter(data), None)
    if first is None or etree.QName(first).localname != wanted[verb]:
        raise DocumentError(f"{root}/DataArea", f"begins with its verb, <{wanted[verb]}/>")
    for child in data.iterchildren():
        if child is not first and etree.QName(child).localname != noun:
            raise DocumentError(f"{root}/DataArea", f"holds {noun} after its verb, not {etree.QName(child).localname}")
    return first


def _actions(said: etree._Element, space: str) -> tuple[tuple[Action, str], ...]:
    found = []
    for expression in said.iterfind(f"{space}ActionCriteria/{space}ActionExpression"):
        try:
            found.append((Action(expression.get("actionCode", "")), (expression.text or "").strip()))
        except ValueError:
            raise DocumentError(
                "DataArea", f"actionCode '{expression.get('actionCode')}' is none of {', '.join(Action)}"
            ) from None
    return tuple(found)


def _response(criteria: etree._Element, space: str) -> Response:
    expression, status = criteria.find(f"{space}ResponseExpression"), criteria.find(f"{space}ChangeStatus")
    try:
        action = Action(expression.get("actionCode", "")) if expression is not None else None
    except ValueError:
        raise DocumentError("DataArea", "a ResponseExpression's actionCode is Accepted, Modified or Rejected") from None
    text = (expression.text or "").strip() if expression is not None else ""
    reason = _word(status, "Reason") or _word(status, "Description")
    return Response(action, text, _word(status, "Code"), _word(status, "ReasonCode"), reason)


def _word(element: etree._Element | None, name: str) -> str | None:
    return (word(element, name) or None) if element is not None else None


def action_for(envelope: Envelope, ident: str) -> Action | None:
    """What the document does with the item of that id: its own expression, else the one that names no item."""
    if envelope.verb is not Verb.SYNC and not envelope.actions:
        return None
    return _matching(envelope.actions, ident) or Action.ADD


def _matching(actions: tuple[tuple[Action, str], ...], ident: str) -> Action | None:
    return next((each for each, text in actions if names(text, ident)), None) or next(
        (each for each, text in actions if not _names_any(text)), None
    )


def response_for(envelope: Envelope, ident: str) -> Response | None:
    """How the reply answers for the item of that id."""
    for each in envelope.responses:
        if names(each.expression, ident):
            return each
    return next((each for each in envelope.responses if not _names_any(each.expression)), None)


def names(expression: str, ident: str) -> bool:
    """True when an expression names the item in quotes: `/OperationsSchedule/OperationsRequest[ID='PO-4711']`."""
    return f"'{ident}'" in expression or f'"{ident}"' in expression


def _names_any(expression: str) -> bool:
    return "'" in expression or '"' in expression
