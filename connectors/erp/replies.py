"""What an ERP answered: yes, no with a reason, or something that doesn't settle the matter.

Only the verbs' own words are read here. An answer has to be understood even where its noun isn't B2MML to the letter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from connectors.connector import OutcomeUnknown, Rejected

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lxml.etree import _Element


@dataclass(frozen=True, slots=True)
class Verdict:
    """An Acknowledge's or ConfirmBOD's word: accepted (Modified is accepted as well), or not and why.

    `document` is the number it gives for what was posted (ChangeStatus/Code), if it gives one there; `code` the reason
    code of a refusal.
    """

    accepted: bool
    reason: str = ""
    document: str | None = None
    code: str = ""


def verdict(reply: _Element, bod_id: str) -> Verdict:
    """The verdict on the document `bod_id`. One rejected item rejects it: each document says one thing.

    Raises OutcomeUnknown when the reply is for another document or no reply at all.
    """
    name = _name(reply)
    if not name.startswith(("Acknowledge", "ConfirmBOD")):
        raise OutcomeUnknown(f"the ERP answered {name} where an Acknowledge was due")
    answered = [text for found in reply.iterfind(".//{*}OriginalApplicationArea/{*}BODID") if (text := _own(found))]
    if answered and bod_id not in answered:
        raise OutcomeUnknown(f"the ERP answered document {answered[0]}, not {bod_id}")
    number = None
    for criteria in reply.iter("{*}ResponseCriteria"):
        expression = criteria.find("{*}ResponseExpression")
        if expression is not None and expression.get("actionCode") == "Rejected":
            code = (criteria.findtext("{*}ChangeStatus/{*}ReasonCode") or "").strip()
            return Verdict(False, _reason(criteria), code=code)
        number = number or (criteria.findtext("{*}ChangeStatus/{*}Code") or "").strip()
    return Verdict(True, document=number or None)


def found_in(reply: _Element, noun: str) -> _Element:
    """The reply to a Get, checked to be its Show. Raises Rejected when the ERP refused to look."""
    name = _name(reply)
    if name == f"Show{noun}":
        return reply
    reason = next((_reason(criteria) for criteria in reply.iter("{*}ResponseCriteria")), "")
    raise Rejected(f"the ERP answered {name} where Show{noun} was due{f': {reason}' if reason else ''}")


def is_empty(show: _Element) -> bool:
    """True if a Show shows nothing: its data area holds the verb alone."""
    return len(list(show.iterfind("{*}DataArea/*"))) <= 1


def _reason(criteria: _Element) -> str:
    """Reason code and texts of a ChangeStatus, each once."""
    words = dict.fromkeys(_words(criteria))
    return ": ".join(words) or "no reason given"


def _words(criteria: _Element) -> Iterator[str]:
    for name in ("ReasonCode", "Reason", "Description"):
        for found in criteria.iterfind(f"{{*}}ChangeStatus/{{*}}{name}"):
            if text := _own(found):
                yield text


def _own(element: _Element) -> str:
    return (element.text or "").strip()


def _name(element: _Element) -> str:
    return str(element.tag).rpartition("}")[2]
