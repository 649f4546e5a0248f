"""Write documents: messages of one noun and verb as a new document, or a document that was read as it was."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lxml import etree
from pydantic import ValidationError

from canonical.b2mml.document import PLACEHOLDER, Document
from canonical.b2mml.encode import compiled, writer
from canonical.b2mml.faults import DocumentError, WriteError
from canonical.b2mml.frame import NSMAP, Answer, Sender, add, answer, answers_to, does, frame, tag, to_bytes
from canonical.b2mml.lines import MARKED, merge
from canonical.b2mml.mention import mention
from canonical.b2mml.nouns import FORMS, Form, unwritable
from canonical.b2mml.secure import parse
from canonical.b2mml.table import V7
from canonical.message import Action, Message, Verb

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

_DECLARATION = b"<?xml version='1.0' encoding='UTF-8'?>\n"
_PLACE = re.compile(rf"<\?{PLACEHOLDER} (\d+)\?>")
"""A skeleton has no other processing instructions, and text can't look like one: it is escaped."""
_SEGMENTS = frozenset(name for name, form in FORMS.items() if form.element == "SegmentResponse")


def write(
    messages: Sequence[Message], *, created: datetime, sender: str, bod_id: str, verb: Verb | None = None,
    receiver: str | None = None, confirmation: str = "Never", original: Document | None = None,
) -> bytes:  # fmt: skip
    """Write messages of one noun as one V7.0.1 document, valid against MESA's XSDs.

    `verb` is the messages' own unless given; `original` is the document that a show, acknowledge or respond answers.
    Facts of one segment response (production_response, material_consumption, labour of one id) become one element.
    Raises WriteError for no messages, messages of several nouns or verbs, and objects B2MML has no noun for.
    """
    noun, verb = _one_noun(messages), verb or _one_verb(messages)
    about = Sender(created=created, sender=sender, bod_id=bod_id, receiver=receiver, confirmation=confirmation)
    if noun == "OperationsEvent" and verb is not Verb.SYNC:
        raise WriteError(f"OperationsEvent is only notified (sync); {verb} can't be said of it in B2MML V7")
    root, data, said = frame(verb, noun, about)
    if verb in (Verb.SHOW, Verb.ACKNOWLEDGE, Verb.RESPOND):
        correlation = next((message.correlation for message in messages if message.correlation), None)
        answers_to(said, original, correlation, created)
        for given in _answers(messages):
            answer(said, given)
    elif verb is not Verb.GET:
        does(said, _actions(messages))
    write_items(data, messages, bod_id)
    return to_bytes(root)


def write_document(document: Document) -> bytes:
    """Write a document as it was read, with what its messages say now.

    What was not modelled is where it was; bad items are as they came. Raises WriteError for V4.01, which is only read.
    """
    if document.version != V7:
        raise WriteError(f"a {document.version} document is only read: write its messages as {V7} with `write`")

    def item(place: re.Match[str]) -> str:
        entry = document.entries[int(place[1])]
        if entry.fault is not None:
            return document.faults[entry.fault].raw
        said = [document.messages[at] for at in entry.messages]
        return etree.tostring(_element(said, entry.order), encoding="unicode")

    try:
        xml = _DECLARATION + _PLACE.sub(item, document.skeleton).encode("utf-8")
        parse(xml, len(xml))
    except (IndexError, DocumentError) as error:
        raise WriteError(f"the document's skeleton or a raw item is damaged: {error}") from None
    return xml


def write_items(data: etree._Element, messages: Sequence[Message], bod_id: str) -> None:
    """Append the messages' items to a DataArea, in the containers their noun needs."""
    for object_group, group in _runs(messages, lambda message: _family(message.object)):
        form = FORMS[object_group]
        holder = data
        if form.element != form.noun:
            holder = container(data, form, bod_id)
        if form.element == "SegmentResponse":
            _segments(holder, group, bod_id)
        else:
            for message in group:
                holder.append(_element([message], ()))


def _family(object_: str) -> str:
    return "production_response" if object_ in _SEGMENTS else object_


def _runs(messages: Sequence[Message], key: Callable[[Message], str]) -> list[tuple[str, list[Message]]]:
    """Messages that belong together, in the order of each one's first."""
    found: dict[str, list[Message]] = {}
    for message in messages:
        found.setdefault(key(message), []).append(message)
    return list(found.items())


def container(data: etree._Element, form: Form, bod_id: str) -> etree._Element:
    """Append the noun that holds items of that form."""
    holder = add(data, form.noun)
    add(holder, "ID", bod_id)
    for name, text in form.header:
        add(holder, name, text)
    return holder


def _segments(holder: etree._Element, messages: Sequence[Message], bod_id: str) -> None:
    for order, group in _runs(
        messages, lambda message: getattr(_maybe_body(message), "operations_request_id", None) or ""
    ):
        response = add(holder, "OperationsResponse")
        add(response, "ID", order or bod_id)
        if order:
            add(response, "OperationsRequestID", order)
        for _, facts in _runs(group, _response_id):
            response.append(_element(facts, ()))


def _maybe_body(message: Message) -> object:
    return message.body if message.content else None


def _response_id(message: Message) -> str:
    """What is merged: facts of one response, but none that is a fact of another kind."""
    own = message.object if message.object in MARKED else ""
    return f"{own} {getattr(_maybe_body(message), 'id', message.key)}"


def _element(messages: Sequence[Message], order: Sequence[str]) -> etree._Element:
    """One item, written from its messages. Raises WriteError naming the message."""
    first = messages[0]
    form = _form(first)
    holder = etree.Element(tag("DataArea"), nsmap=NSMAP)
    try:
        if not first.content:
            return mention(holder, form, first.key)
        body = merge(messages, order) if first.object in _SEGMENTS else first.body
        _check_kind(first)
        return compiled(writer(form.table)).write(holder, tag(form.element), body)
    except ValidationError as error:
        raise WriteError(f"{first.object} {first.key}: its body is no {form.element}: {error}") from None
    except ValueError as error:
        raise WriteError(f"{first.object} {first.key}: {error}") from None


def _check_kind(message: Message) -> None:
    """Refuse a body whose own words make it another object than its message's."""
    form = FORMS[message.object]
    if form.noun != "OperationsSchedule" and form.element != "OperationsResponse":
        return
    said, header = getattr(message.body, "operations_type", None), dict(form.header)
    if said not in (None, header["OperationsType"]):
        raise WriteError(f"{message.object} {message.key} has operations_type {said}, not {header['OperationsType']}")
    state = getattr(message.body, "request_state", None)
    if message.object == "maintenance_request" and state not in (None, "Forecast"):
        raise WriteError(f"maintenance_request {message.key} has request_state {state}: a request is a Forecast")
    if message.object == "maintenance_order" and state == "Forecast":
        raise WriteError(f"maintenance_order {message.key} is a Forecast: that is a maintenance_request")


def _one_noun(messages: Sequence[Message]) -> str:
    if not messages:
        raise WriteError("no messages: a document says something")
    nouns = {_form(message).noun for message in messages}
    if len(nouns) > 1:
        raise WriteError(f"messages of several nouns ({', '.join(sorted(nouns))}): write one document for each")
    return nouns.pop()


def _one_verb(messages: Sequence[Message]) -> Verb:
    verbs = {message.verb for message in messages}
    if len(verbs) > 1:
        raise WriteError(f"messages of several verbs ({', '.join(sorted(verbs))}): write one document for each")
    return verbs.pop()


def _form(message: Message) -> Form:
    try:
        return FORMS[message.object]
    except KeyError:
        raise WriteError(f"{message.object} has no B2MML noun here; nor have {', '.join(unwritable())}") from None


def _actions(messages: Sequence[Message]) -> list[tuple[Action, str]]:
    """One ActionCriteria where all do the same, else one per item."""
    given = [(message, message.action) for message in messages if message.action is not None]
    if len({action for _, action in given}) <= 1 and len(given) == len(messages):
        return [(action, path_of(message, "")) for message, action in given[:1]]
    return list(dict.fromkeys((action, path_of(message, item_id(message))) for message, action in given))


def _answers(messages: Sequence[Message]) -> list[Answer]:
    answers = [
        Answer(message.action, path_of(message, item_id(message)), message.reason, None, message.document)
        for message in messages
        if message.action is not None
    ]
    return list(dict.fromkeys(answers))


def item_id(message: Message) -> str:
    """The ID of the element that a message stands in; empty for stock without a lot."""
    body = _maybe_body(message)
    if message.object in ("release_decision", "stock_level") and body is not None:
        return str(getattr(body, "material_lot_id", None) or "")
    return str(getattr(body, "id", None) or message.key)


def path_of(message: Message, ident: str) -> str:
    """The expression that names a message's item in action and response criteria; every item when `ident` is empty."""
    form = _form(message)
    steps = [form.noun] if form.noun != form.element else []
    if form.element == "SegmentResponse":
        steps.append("OperationsResponse")
    quote = '"' if "'" in ident else "'"
    return "/" + "/".join([*steps, form.element]) + (f"[ID={quote}{ident}{quote}]" if ident else "")
