"""What the ERP sends: each document is stored whole, its good items go on, and it hears what became of every one."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING
from uuid import uuid4

from canonical.b2mml import Answer, DocumentError, Seen, acknowledge, confirm, read, split, survey
from canonical.b2mml.secure import parse
from canonical.message import Action, Message, Verb, message_id
from connectors.connector import Fault, Item, Outcome, Surroundings, waits
from connectors.protocols.soap.door import Refused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from zoneinfo import ZoneInfo

    from lxml.etree import _Element

    from canonical.b2mml import BadItem, Document

LARGE = 100_000
"""Bytes from which a document is read in a thread, so that others needn't wait for it."""
KEPT = 1_000_000
"""Bytes that are kept of a large document that can't be read."""
CONTENT_TYPE = "application/xml"

_STATED = {Verb.PROCESS: Action.ADD, Verb.CHANGE: Action.CHANGE, Verb.CANCEL: Action.DELETE}
_ACKNOWLEDGED = frozenset(_STATED)


class Reception:
    """Takes one ERP's documents for the hub. `last` is when the last one was stored."""

    def __init__(
        self,
        surroundings: Surroundings,
        deliver: Callable[[Item], Awaitable[Sequence[Outcome]]],
        *,
        sender: str,
        max_bytes: int,
        timezone: ZoneInfo | None,
    ) -> None:
        self._surroundings, self._deliver = surroundings, deliver
        self._sender, self._max_bytes, self._timezone = sender, max_bytes, timezone
        self.last: datetime | None = None

    def parse(self, content: bytes) -> _Element:
        """Read bytes as XML. Raises Refused."""
        try:
            return parse(content, self._max_bytes)
        except DocumentError as error:
            raise Refused(error.reason, error.place or None) from error

    async def keep(self, content: bytes, refusal: Refused) -> None:
        """Store what can't be read at all, with the reason, for a person to look at."""
        fault = Fault(refusal.place or "document", refusal.reason, content)
        await self._deliver(Item(faults=(fault,), raw=content, content_type=CONTENT_TYPE, settle=waits))

    async def take(self, content: bytes) -> bytes | None:
        """Store a document and return the answer it is due. Raises Refused, RetryableError."""
        try:
            document = await self._read(content)
        except Exception as error:
            refusal = _refusal(error)
            await self.keep(content, refusal)
            raise refusal from error
        outcomes = await self._deliver(self._item(document, content))
        self.last = datetime.now(UTC)
        return self._answer(document, outcomes)

    async def translate(self, content: bytes) -> Item:
        """What a document says, without storing it."""
        try:
            return self._item(await self._read(content), content)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with it, it is told as when it came
            refusal = _refusal(error)
            fault = Fault(refusal.place or "document", refusal.reason, content)
            return Item(faults=(fault,), raw=content, content_type=CONTENT_TYPE)

    async def look_through(self, file: IO[bytes]) -> bytes:
        """A large document that can be taken, with its last items only. Raises Refused; its beginning is kept then."""

        def work() -> bytes:
            whole, document = survey(file, self._max_bytes)
            self._read_now(document, Seen())
            return whole

        try:
            return await asyncio.to_thread(work)
        except Exception as error:
            file.seek(0)
            refusal = _refusal(error)
            await self.keep(file.read(KEPT), refusal)
            raise refusal from error

    async def take_large(self, file: IO[bytes]) -> bytes | None:
        """Store a document part by part and return the answer it is due. Raises RetryableError.

        Each part is stored as one batch. Sent again after a stop in between, it begins anew: what was stored before
        is known by its ids, so that nothing is there twice. The sender is answered once, when all of it is stored.
        """
        file.seek(0)
        parts, seen, tally = split(file, self._max_bytes), Seen(), Tally()
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, thread_name_prefix="large document") as thread:
            while (content := await loop.run_in_executor(thread, next, parts, None)) is not None:
                document = await self._part(content, seen, tally)
                tally.add(document, await self._deliver(self._item(document, content)))
        self.last = datetime.now(UTC)
        return self._answer(tally.refused(), tally.outcomes, taken=tally.taken)

    async def _part(self, content: bytes, seen: Seen, tally: Tally) -> Document:
        try:
            return await asyncio.to_thread(self._read_now, content, seen)
        except DocumentError as error:
            refusal = Refused(f"{error.reason}; {tally.taken} items before it were taken", error.place or None)
            await self.keep(content, refusal)
            raise refusal from error

    async def _read(self, content: bytes) -> Document:
        return await asyncio.to_thread(self._read_now, content) if len(content) > LARGE else self._read_now(content)

    def _read_now(self, content: bytes, seen: Seen | None = None) -> Document:
        return read(
            content, source=self._surroundings.system, site=self._surroundings.site, recorded=datetime.now(UTC),
            max_bytes=self._max_bytes, timezone=self._timezone, seen=seen,
        )  # fmt: skip

    def _item(self, document: Document, content: bytes) -> Item:
        owns = self._surroundings.owns
        return Item(
            messages=tuple(stated(message) if message.object in owns else message for message in document.messages),
            faults=tuple(Fault(bad.place, bad.reason, bad.raw.encode()) for bad in document.faults),
            raw=content,
            content_type=CONTENT_TYPE,
            document=document.bod_id,
            settle=waits,
        )

    def _answer(self, document: Document, outcomes: Sequence[Outcome], *, taken: int = 0) -> bytes | None:
        """An Acknowledge for what asks for one, else a ConfirmBOD if the sender wants one or something was refused.

        Never confirms success only: a refusal is always said, nobody reads a log on the other side.
        """
        refused = bool(document.faults) or not all(outcome.accepted for outcome in outcomes)
        created, bod_id = datetime.now(UTC), uuid4().hex
        if document.verb in _ACKNOWLEDGED:
            own = [replace(told, message_id=m.id) for told, m in zip(outcomes, document.messages, strict=True)]
            return acknowledge(
                document, own, created=created, sender=self._sender, bod_id=bod_id, taken=taken
            )  # fmt: skip
        if document.confirmation == "Always" or refused:
            return confirm(
                document, _whole(document, outcomes, taken), created=created, sender=self._sender, bod_id=bod_id
            )
        return None


class Tally:
    """What became of a document that was taken in parts: how many items, and which were refused."""

    def __init__(self) -> None:
        self.taken = 0
        self.outcomes: list[Outcome] = []
        self._messages: list[Message] = []
        self._faults: list[BadItem] = []
        self._last: Document | None = None

    def add(self, document: Document, outcomes: Sequence[Outcome]) -> None:
        """One part was taken."""
        for message, outcome in zip(document.messages, outcomes, strict=True):
            if outcome.accepted:
                self.taken += 1
            else:
                self._messages.append(message)
                self.outcomes.append(outcome)
        self._faults += document.faults
        self._last = document

    def refused(self) -> Document:
        """The document saying only what was refused of it. Raises LookupError before the first part."""
        if self._last is None:
            raise LookupError("no part was taken")
        return replace(self._last, messages=tuple(self._messages), faults=tuple(self._faults), entries=())


def _refusal(error: Exception) -> Refused:
    """Why a document isn't taken; an error that nobody expected is ours, not its sender's."""
    if isinstance(error, DocumentError):
        return Refused(error.reason, error.place or None)
    return Refused(f"it can't be understood: {type(error).__name__}: {error}", code="Server")


def _whole(document: Document, outcomes: Sequence[Outcome], taken: int) -> Answer:
    """One verdict for the document: rejected as soon as a part is, with every reason. The good parts were taken."""
    reasons = [f"{bad.place}: {bad.reason}" for bad in document.faults]
    reasons += [f"{no.key}: {no.reason or 'refused'}" for no in outcomes if not no.accepted]
    if not reasons:
        return Answer(Action.ACCEPTED)
    taken += sum(outcome.accepted for outcome in outcomes)
    return Answer(Action.REJECTED, reason="; ".join([f"{taken} items taken, {len(reasons)} refused", *reasons]))


def stated(message: Message) -> Message:
    """An owner's push as the statement it is: process adds, change changes, cancel deletes; the rest stays."""
    action = _STATED.get(message.verb)
    if action is None:
        return message
    told = replace(message, verb=Verb.SYNC, action=action)
    if action is Action.DELETE:
        told = replace(told, content=b"", _body=None)
    revision = str(message.revision)
    return replace(told, id=message_id(message.source, message.object, Verb.SYNC, message.key, revision))
