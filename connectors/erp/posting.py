"""What the ERP is told: one document per message, its answer read, and looked up where the answer is in doubt."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

from lxml import etree

from canonical.b2mml import WriteError, write
from canonical.b2mml.secure import parse
from canonical.message import Verb
from canonical.reversal import noted
from connectors.connector import (
    Absent,
    ConnectorError,
    Lacking,
    Level,
    MappingError,
    OutcomeUnknown,
    Receipt,
    Rejected,
    Rendered,
)
from connectors.erp.objects import find, number, trace
from connectors.erp.questions import Head, about, owned
from connectors.erp.replies import found_in, is_empty, verdict

if TYPE_CHECKING:
    from lxml.etree import _Element

    from canonical.message import Message
    from connectors.protocols.soap.client import SoapClient


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How one ERP wants to be spoken to: names in the application area, verb of a report, where it notes numbers, where
    it is told which one is reversed, and the reason codes with which it refuses for missing stock."""

    sender: str
    receiver: str | None
    verb: Verb
    confirmation: str
    number: str
    reversed: str = "ReversedDocumentNumber"
    stock_missing: frozenset[str] = frozenset()


class Desk:
    """Posts messages in one ERP and looks them up."""

    def __init__(self, client: SoapClient, manner: Manner) -> None:
        self._client, self._manner = client, manner

    async def post(self, message: Message) -> Receipt | ConnectorError:
        """Post one message; what went wrong is the result, not raised.

        A correction of what is posted already is refused: the ERP adds documents up, so it takes a reversal.
        """
        try:
            if message.reverses is not None:
                message = self._reversal(message)
            elif message.revises is not None or message.revision:
                posted = await self.find(message)
                if isinstance(posted, Receipt):
                    return Rejected(
                        f"{message.object} {message.key} is posted already as {posted.document or 'a document'}: "
                        "send a reversal and a new report instead of a correction"
                    )
            return await self._post(message)
        except ConnectorError as error:
            return error

    def rendered(self, message: Message) -> Rendered:
        """The document that posts a message. Raises MappingError."""
        content = self._document(self._reversal(message) if message.reverses is not None else message)
        name = str(etree.QName(parse(content)).localname)
        return Rendered(method="SOAP", place=name, content=content, content_type="application/xml")

    def _reversal(self, message: Message) -> Message:
        """A reversal with the number of the document that it undoes in its segment data. Raises MappingError."""
        if message.document is None:
            raise MappingError(f"{message.object} {message.key} reverses a document whose number isn't known")
        try:
            return message.with_body(noted(message.body, self._manner.reversed, message.document))
        except ValueError as error:
            raise MappingError(f"{message.object} {message.key} can't reverse: {error}") from error

    async def find(self, message: Message) -> Receipt | Absent:
        """Ask the ERP whether a message took effect. Raises ConnectorError when that can't be told."""
        wanted = trace(message)
        show = await self._ask(about(wanted).document(self._head()), wanted.noun)
        element = find(wanted, show)
        if element is None:
            return Absent()
        noted = number(wanted, element, self._manner.number)
        if noted is None and not wanted.certain:
            raise OutcomeUnknown(
                f"the ERP has something under {wanted.id}, but not whether that is this {message.object}"
            )
        return _receipt(noted)

    async def show(self, object: str, key: str | None) -> bytes | None:
        """The Show document for one thing the ERP owns, or for all; None if there is none."""
        question = owned(object, key)
        reply = await self._client.ask(question.document(self._head()), effect=False)
        if reply is None or is_empty(found_in(_parsed(reply), question.noun)):
            return None
        return reply

    def _document(self, message: Message) -> bytes:
        manner = self._manner
        try:
            return write(
                [message], created=datetime.now(UTC), sender=manner.sender, receiver=manner.receiver,
                bod_id=message.id, verb=manner.verb, confirmation=manner.confirmation,
            )  # fmt: skip
        except WriteError as error:
            raise MappingError(f"{message.object} {message.key} can't be said in B2MML: {error}") from error

    async def _post(self, message: Message) -> Receipt | ConnectorError:
        answer = await self._client.ask(self._document(message))
        if answer is None:
            return Receipt(Level.ACCEPTED)
        return self._judged(message, _parsed(answer))

    def _judged(self, message: Message, reply: _Element) -> Receipt | ConnectorError:
        said = verdict(reply, message.id)
        if not said.accepted:
            return (Lacking if said.code in self._manner.stock_missing else Rejected)(said.reason)
        wanted = trace(message)
        element = find(wanted, reply)
        noted = number(wanted, element, self._manner.number) if element is not None else None
        return _receipt(noted or said.document)

    async def _ask(self, document: bytes, noun: str) -> _Element:
        reply = await self._client.ask(document, effect=False)
        if reply is None:
            raise OutcomeUnknown(f"the ERP answered nothing where Show{noun} was due")
        try:
            return found_in(_parsed(reply), noun)
        except Rejected as no:
            raise OutcomeUnknown(str(no)) from no

    def _head(self) -> Head:
        return Head(self._manner.sender, self._manner.receiver, uuid4().hex, datetime.now(UTC))


def _parsed(reply: bytes) -> _Element:
    try:
        return parse(reply)
    except ValueError as error:
        raise OutcomeUnknown(f"the ERP's answer can't be read: {error}") from error


def _receipt(number: str | None) -> Receipt:
    """Posted means that the document's number is known."""
    return Receipt(Level.POSTED if number else Level.ACCEPTED, number)
