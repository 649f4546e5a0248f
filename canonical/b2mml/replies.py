"""Answer a document: Acknowledge item by item, or ConfirmBOD for the document as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from canonical.b2mml.frame import Answer, Sender, add, answer, answers_to, frame, to_bytes
from canonical.b2mml.mention import mention
from canonical.b2mml.nouns import FORMS
from canonical.b2mml.writer import container, item_id, path_of, write_items
from canonical.message import Action, Verb

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from lxml import etree

    from canonical.b2mml.document import Document
    from canonical.b2mml.faults import BadItem


class Verdict(Protocol):
    """What became of one message of a document."""

    @property
    def message_id(self) -> str:
        """The message's id."""

    @property
    def accepted(self) -> bool:
        """True when it was taken."""

    @property
    def reason(self) -> str | None:
        """Why it wasn't."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one message: accepted (as it was, or `modified`) or rejected; the document number it got."""

    message_id: str
    accepted: bool = True
    reason: str | None = None
    reason_code: str | None = None
    document: str | None = None
    modified: bool = False


def acknowledge(
    document: Document, outcomes: Iterable[Verdict], *, created: datetime, sender: str, bod_id: str, taken: int = 0,
) -> bytes:  # fmt: skip
    """Acknowledge a document item by item: Accepted unless `outcomes` says otherwise, bad items Rejected.

    The facts of one segment response are one item: the first that isn't accepted speaks for it. Documents that can't
    be acknowledged in V7.0.1 (events, nothing in them) are answered by ConfirmBOD. `taken` items that aren't named in
    the document were accepted as well: of one that was read in parts only what was refused is named.
    """
    verdicts = _verdicts(document, outcomes)
    if document.noun == "OperationsEvent" or not verdicts:
        worst = next((each for each in verdicts if each.action is not Action.ACCEPTED), None)
        return confirm(document, worst or Answer(Action.ACCEPTED), created=created, sender=sender, bod_id=bod_id)
    noun = FORMS[(document.messages or document.faults)[0].object].noun
    about = Sender(created=created, sender=sender, bod_id=bod_id, receiver=document.logical_id)
    root, data, said = frame(Verb.ACKNOWLEDGE, noun, about)
    answers_to(said, document, None, created)
    if taken:
        answer(said, Answer(Action.ACCEPTED, f"/{noun}"))
    for verdict in verdicts:
        answer(said, verdict)
    write_items(data, [each for each in document.messages if FORMS[each.object].noun == noun], bod_id)
    _name_bad(data, [each for each in document.faults if FORMS[each.object].noun == noun], bod_id)
    return to_bytes(root)


def confirm(
    document: Document | None, verdict: Answer, *, created: datetime, sender: str, bod_id: str,
) -> bytes:  # fmt: skip
    """ConfirmBOD: the document as a whole was accepted, or rejected with a reason. None: it could not even be read."""
    receiver = document.logical_id if document is not None else None
    about = Sender(created=created, sender=sender, bod_id=bod_id, receiver=receiver)
    root, data, said = frame(Verb.CONFIRM, "BOD", about)
    answers_to(said, document, None, created)
    answer(said, Answer(verdict.action, "/", verdict.reason, verdict.reason_code, verdict.document))
    bod = add(data, "BOD")
    if document is not None:
        answers_to(bod, document, None, created)
    return to_bytes(root)


def _verdicts(document: Document, outcomes: Iterable[Verdict]) -> list[Answer]:
    verdicts: dict[str, Answer] = {}
    given = {outcome.message_id: outcome for outcome in outcomes}
    for message in document.messages:
        path = path_of(message, item_id(message))
        said = _answer(given.get(message.id) or Outcome(message.id), path)
        before = verdicts.get(path)
        if before is None or (before.action is Action.ACCEPTED and said.action is not Action.ACCEPTED):
            verdicts[path] = said
    return [*verdicts.values(), *(_rejected(fault) for fault in document.faults)]


def _answer(verdict: Verdict, path: str) -> Answer:
    action = Action.ACCEPTED if verdict.accepted else Action.REJECTED
    if not isinstance(verdict, Outcome):
        return Answer(action, path, verdict.reason)
    if verdict.accepted and verdict.modified:
        action = Action.MODIFIED
    return Answer(action, path, verdict.reason, verdict.reason_code, verdict.document)


def _rejected(fault: BadItem) -> Answer:
    form = FORMS[fault.object]
    path = "/".join(dict.fromkeys((form.noun, form.element)))
    quote = '"' if "'" in fault.key else "'"
    reason = "; ".join(str(finding) for finding in fault.findings)
    return Answer(Action.REJECTED, f"/{path}[ID={quote}{fault.key}{quote}]", " ".join(reason.split()))


def _name_bad(data: etree._Element, faults: Sequence[BadItem], bod_id: str) -> None:
    """Name the bad items: an acknowledgement is valid B2MML even where what it answers wasn't."""
    for fault in faults:
        form = FORMS[fault.object]
        holder = data if form.noun == form.element else container(data, form, bod_id)
        if form.element == "SegmentResponse":
            holder = add(holder, "OperationsResponse")
            add(holder, "ID", bod_id)
        mention(holder, form, fault.key)
