"""Writing a group of messages to a target: in its words, intents first, one verdict each."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from connectors.connector import (
    Absent,
    Accept,
    Effect,
    Lacking,
    Level,
    Offer,
    OutcomeUnknown,
    PermanentError,
    Receipt,
    RetryableError,
)
from connectors.exchange import listening
from mombus.delivery import replies
from mombus.delivery.calm import SELDOM_S, NotYet
from mombus.delivery.posting import until_next
from mombus.delivery.reversing import Never, Owed
from mombus.delivery.routing import mapped
from mombus.delivery.settling import Ending, Settlement
from mombus.delivery.stock import materials
from mombus.delivery.target import Heard, Missing
from mombus.delivery.verdict import Done, Refused, Stop, ToWait, back_off, text, verdict
from mombus.journal import deliveries
from mombus.journal.deliveries import Outcome
from mombus.journal.waiting import Wait

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from canonical.message import Message
    from mombus.delivery.bodies import Bodies
    from mombus.delivery.calm import Calm
    from mombus.delivery.lanes import Entry
    from mombus.delivery.reversing import Reversing
    from mombus.delivery.settling import Settling
    from mombus.delivery.target import Overhear, Patience, Prepare, Publish, Target

NOTHING_SENT = Accept(effect=Effect.IDEMPOTENT)
_LEVELS = list(Level)

Answer = Receipt | BaseException


@dataclass(slots=True)
class Attempt:
    """One message about to be written: the entry, and what is sent for it once it is in the target's words."""

    entry: Entry
    said: Message | None = None
    answer: Answer | Missing | Owed | Never | NotYet | None = None
    intended: bool = False


class Writing:
    """Writes for one target."""

    def __init__(  # noqa: PLR0917 - wired in one place
        self, target: Target, settling: Settling, bodies: Bodies, reversing: Reversing, calm: Calm,
        publish: Publish, prepare: Prepare | None, patience: Patience, clock: Callable[[], datetime],
        overhear: Overhear | None = None,
    ) -> None:  # fmt: skip
        self._target = target
        self._sink = target.sink
        self._settling = settling
        self._bodies = bodies
        self._reversing = reversing
        self._calm = calm
        self._publish = publish
        self._prepare = prepare
        self._patience = patience
        self._clock = clock
        self._overhear = overhear

    def accept(self, offer: Offer) -> Accept | None:
        """How the target takes an offer, None if it doesn't."""
        return self._sink.accepts.get(offer)

    async def write(
        self, entries: Sequence[Entry], offer: Offer, written: Callable[[], None]
    ) -> tuple[list[Entry], Stop | None]:
        """Write entries of one offer, no two of a lane. Returns those that weren't sent, and why the target stops.

        `written` is called as soon as the target may be written to again: its outcomes may still be on their way to
        the journal, except where only one may be unknown after a kill (BLIND).
        """
        accept = self.accept(offer)
        attempts = [Attempt(entry) for entry in entries]
        for entry in entries:
            entry.attempts += 1
        if accept is None:
            for attempt in attempts:
                attempt.answer = PermanentError(f"the connector takes no {offer.verb} of {offer.object}")
            accept = NOTHING_SENT
        else:
            await self._attempt(attempts, accept)
        return await self._conclude(attempts, accept, written)

    async def find(self, entry: Entry) -> Receipt | Absent:
        """Ask the target about an entry in hand. Raises ConnectorError as `Sink.find` does."""
        said = await self._said(entry)
        if isinstance(said, Missing):
            raise OutcomeUnknown(f"{said.kind} {said.object} {said.id} is missing")
        with self._overhearing([entry], asked=True):
            found: Receipt | Absent = await self._in_time(self._sink.find(said), "reading it back")
        return found

    async def _attempt(self, attempts: list[Attempt], accept: Accept) -> None:
        for attempt in attempts:
            await self._put_in_words(attempt)
        for attempt in attempts:
            if attempt.answer is None and attempt.entry.open:
                attempt.answer = await self._read_back(attempt, _effect(attempt.entry, accept))
        to_send = [attempt for attempt in attempts if attempt.answer is None]
        if not to_send:
            return
        if accept.effect is not Effect.IDEMPOTENT:
            await self._intend(to_send)
        await self._send(to_send)

    async def _put_in_words(self, attempt: Attempt) -> None:
        try:
            number = await self._reversing.number(attempt.entry)
            if isinstance(number, (Owed, Never)):
                attempt.answer = number
                return
            said = await self._said(attempt.entry)
        except PermanentError as error:
            attempt.answer = error
        except Exception as error:  # noqa: BLE001 - what is looked up may be away for now
            attempt.answer = RetryableError(f"can't be put in the target's words now: {text(error)}")
        else:
            if isinstance(said, Missing):
                attempt.answer = said
            else:
                attempt.said = said if number is None else replace(said, document=number)

    async def _said(self, entry: Entry) -> Message | Missing:
        message = await self._bodies.whole(entry.in_hand)
        if entry.rule is not None:
            message = mapped(entry.rule, message)
        if self._prepare is None:
            return message
        said = await self._prepare(self._target.system, message)
        if isinstance(said, Missing) and said.kind == "reference" and entry.waived:
            return message
        return said

    async def _read_back(self, attempt: Attempt, effect: Effect) -> Answer | NotYet | None:
        """The outcome of an earlier write; None when it certainly had no effect and will have none."""
        if effect is Effect.IDEMPOTENT:
            return None
        if effect is Effect.BLIND:
            return OutcomeUnknown("it may have been written before, and it can't be read back")
        not_yet = self._calm.left(attempt.entry)
        try:
            with self._overhearing([attempt.entry], asked=True):
                found = await self._in_time(self._sink.find(attempt.said or attempt.entry.in_hand), "reading it back")
        except Exception as error:  # noqa: BLE001 - the verdict decides
            if isinstance(error, OutcomeUnknown):
                self._calm.ended(attempt.entry, answered=False)  # who can't tell may be at work on it
            return error
        return not_yet if isinstance(found, Absent) else found

    async def _intend(self, attempts: Sequence[Attempt]) -> None:
        now = self._clock()
        rows = [
            {"target": self._target.system, "message_id": entry.id, "seq": entry.seq, "object": entry.object,
             "key": entry.key, "outcome": Outcome.INTENT, "at": now, "late": False, "replied": True}
            for entry in (attempt.entry for attempt in attempts)
        ]  # fmt: skip
        replayed = [attempt.entry.id for attempt in attempts if attempt.entry.replay is not None]
        target = self._target.system
        await self._settling.commit(lambda connection: deliveries.intend(connection, target, rows, again=replayed))
        for attempt in attempts:
            attempt.intended = attempt.entry.open = True

    async def _send(self, attempts: Sequence[Attempt]) -> None:
        messages = [attempt.said for attempt in attempts if attempt.said is not None]
        try:
            with self._overhearing([attempt.entry for attempt in attempts], asked=False):
                answers = await self._in_time(self._sink.write(messages), "writing it")
            if len(answers) != len(messages):
                raise OutcomeUnknown(f"the connector gave {len(answers)} results for {len(messages)} messages")
        except Exception as error:  # noqa: BLE001 - the verdict decides
            for attempt in attempts:
                attempt.answer = error
        else:
            for attempt, answer in zip(attempts, answers, strict=True):
                attempt.answer = answer
        for attempt in attempts:
            answer = attempt.answer
            self._calm.ended(attempt.entry, answered=isinstance(answer, OutcomeUnknown) and answer.answered)

    def _overhearing(self, entries: Sequence[Entry], *, asked: bool) -> AbstractContextManager[None]:
        """What the connector exchanges in this block is told to who wants to know."""
        overhear, target = self._overhear, self._target.system
        if overhear is None:
            return nullcontext()
        attempts = {entry.id: entry.attempts for entry in entries}
        return listening(lambda noted: overhear(Heard(target, asked, attempts, noted)), tuple(attempts))

    async def _in_time(self, call: Awaitable[Any], doing: str) -> Any:
        try:
            async with asyncio.timeout(self._target.write_timeout_s):
                return await call
        except TimeoutError:
            raise OutcomeUnknown(f"{doing} took longer than {self._target.write_timeout_s:g} s") from None
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            raise OutcomeUnknown(f"{doing} was broken off by the target's client") from None

    async def _conclude(
        self, attempts: Sequence[Attempt], accept: Accept, written: Callable[[], None]
    ) -> tuple[list[Entry], Stop | None]:
        settlement = Settlement()
        unsent: list[Entry] = []
        stop: Stop | None = None
        for attempt in attempts:
            entry = attempt.entry
            match self._verdict(attempt, _effect(entry, accept)):
                case Done(receipt):
                    self._settling.has_now(entry)
                    settlement.endings.append(self._done(entry, receipt))
                case Refused(reason):
                    reply = replies.rejected(entry.in_hand, reason, self._target.system, self._clock())
                    settlement.endings.append(Ending(entry, Outcome.REJECTED, reason=reason, reply=reply))
                case Never(reason):
                    settlement.endings.append(Ending(entry, Outcome.SKIPPED, reason=reason))
                case ToWait() as to_wait:
                    doubt = entry.open and not attempt.intended
                    settlement.waits.append((entry, replace(to_wait, open=True) if doubt else to_wait))
                case Stop() as reason_to_stop:
                    stop = reason_to_stop
                    entry.attempts -= 1
                    unsent.append(entry)
        settlement.withdrawn = _not_sent(attempts, unsent)
        settlement.unasked = [entry.id for entry in unsent if entry.asks and not entry.open]
        if stop is None and accept.effect is not Effect.BLIND:
            written()
        if settlement:
            await self._settling.settle(settlement)
        return unsent, stop

    def _verdict(self, attempt: Attempt, effect: Effect) -> Done | Refused | ToWait | Stop | Never:
        entry, answer = attempt.entry, attempt.answer
        if isinstance(answer, Never):
            return answer
        if isinstance(answer, Owed):
            entry.attempts -= 1
            return ToWait(Wait.AFTER, answer.reason, self._look_again_s(entry) if answer.elsewhere else None)
        if isinstance(answer, NotYet):
            entry.attempts -= 1
            return ToWait(Wait.RETRYING, "not there yet after an unknown outcome", answer.again_s, open=True)
        if isinstance(answer, Missing):
            entry.missing = (answer.object, answer.id)
            kind = Wait.REFERENCE if answer.kind == "reference" else Wait.ALIAS
            what = "isn't known yet" if kind is Wait.REFERENCE else f"has no id of {self._target.system} yet"
            return ToWait(kind, f"{answer.object} {answer.id} {what}", back_off(entry.attempts, self._patience))
        entry.missing = None
        if isinstance(answer, Lacking):
            return self._lacking(entry, answer)
        if entry.kind in {Wait.REFERENCE, Wait.ALIAS}:
            entry.attempts, entry.kind = 1, None
        asked = entry.message is not None and entry.message.verb.asks
        answer = answer if answer is not None else PermanentError("the connector gave no result")
        return verdict(answer, effect=effect, asked=asked, attempts=entry.attempts, patience=self._patience)

    def _look_again_s(self, entry: Entry) -> float:
        """When it is looked again whether what it waits for has happened elsewhere: seldom, if it takes long."""
        waited_s = (self._clock() - entry.since).total_seconds() if entry.since is not None else 0.0
        return min(SELDOM_S, max(self._patience.first_s, waited_s))

    def _lacking(self, entry: Entry, refusal: Lacking) -> ToWait:
        """It waits for its first material to come; since when it does is said again when it is refused first."""
        now = self._clock()
        if entry.kind is not Wait.STOCK:
            entry.since, entry.attempts = now, 1
        entry.missing = next(((object_, id) for object_, id in materials(entry.in_hand)), None)
        if entry.since is not None and (now - entry.since).total_seconds() >= self._target.lacking_s:
            return ToWait(Wait.PARKED, f"still lacking after {self._target.lacking_s / 3600:g} h: {text(refusal)}")
        return ToWait(Wait.STOCK, text(refusal), back_off(entry.attempts, self._patience))

    def _done(self, entry: Entry, receipt: Receipt) -> Ending:
        message, rule = entry.message, entry.rule
        reply = posting = None
        if message is not None and message.verb.asks:
            reply = replies.accepted(message, receipt, self._target.system, self._clock())
        elif rule is not None and rule.object != "*" and _LEVELS.index(receipt.level) < _LEVELS.index(rule.effect):
            delay_s = until_next(entry, back_off(1, self._patience), self._clock().timestamp())
            posting = ToWait(Wait.POSTING, f"{receipt.level}, not yet {rule.effect}", delay_s)
        return Ending(entry, Outcome.DELIVERED, receipt.level, receipt.document, reply=reply, posting=posting)


def _effect(entry: Entry, accept: Accept) -> Effect:
    """How an effect is kept from happening twice. A second one that is wanted isn't told from the first by asking."""
    return Effect.BLIND if entry.is_second and accept.effect is Effect.FINDABLE else accept.effect


def _not_sent(attempts: Sequence[Attempt], unsent: Sequence[Entry]) -> list[str]:
    """The intents of this attempt that nothing came of."""
    withdrawn = [a.entry for a in attempts if a.intended and a.entry in unsent]
    for entry in withdrawn:
        entry.open = False
    return [entry.id for entry in withdrawn]
