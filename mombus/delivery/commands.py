"""What a person may do with a waiting message: done once, by the lane's owner, and kept with who and why."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from connectors.connector import Effect, Level, Offer
from mombus.delivery import replies
from mombus.delivery.lanes import Phase
from mombus.delivery.settling import Ending, Settlement
from mombus.journal import audit, deliveries, waiting
from mombus.journal.audit import Deed
from mombus.journal.deliveries import Outcome
from mombus.journal.waiting import Wait

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from canonical.message import Message
    from mombus.delivery.inbox import Inbox
    from mombus.delivery.lanes import Entry
    from mombus.journal.waiting import Waiting

_ARRIVING = frozenset({Wait.REFERENCE, Wait.ALIAS, Wait.STOCK})
"""What the arrival of a thing releases."""


Record: TypeAlias = "Callable[[Connection, Deed], None]"
"""Writes a deed down, in the transaction of what it changes. The result of what changed nothing is NOT_DONE and why."""
NOT_DONE = "not done: "


class Command(StrEnum):
    """What a person may say about a waiting message."""

    RETRY = "retry"
    """Try it now. Of what is in doubt: read it back now."""
    RELEASE = "release"
    """Let it go, also if it names something unknown."""
    HOLD = "hold"
    """Keep it, and what is behind it, until released."""
    SKIP = "skip"
    """Never send it; what is behind it goes on. Who asked is told."""
    SENT = "sent"
    """It did take effect."""
    NOT_SENT = "not_sent"
    """It did not take effect: send it."""


@dataclass(frozen=True, slots=True)
class Done:
    """Whether a command changed something, and what, or why not."""

    ok: bool
    text: str


class Commands:
    """The commands about one target's waiting messages."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    async def do(
        self, command: Command, message_id: str, *, who: str, why: str, document: str | None = None,
        record: Record = audit.note,
    ) -> Done:  # fmt: skip
        """Do it, or say why it can't be done. `document` is the target's number, for `sent`.

        `record` writes the deed down, in the transaction of what it changes.
        """
        inbox = self._inbox
        system = inbox.target.system
        row, found = await inbox.journal.read(
            lambda connection: (
                waiting.one(connection, system, message_id), waiting.messages(connection, system, [message_id])
            )
        )  # fmt: skip
        entry = inbox.hand.entries.get(message_id) or inbox.hand.owing.get(message_id)
        refusal = self._refusal(command, row, entry, found.get(message_id))
        if refusal is not None or row is None or entry is None:
            return await self._refused(
                command, message_id, who=who, why=why, reason=refusal or "it doesn't wait", record=record
            )  # fmt: skip
        deed = Deed(
            at=inbox.clock(), who=who, action=command, target=system, message_id=message_id, why=why, result=""
        )  # fmt: skip
        if command in {Command.SKIP, Command.SENT}:
            return await self._end(
                command, entry, found[message_id], deed=deed, document=document, record=record
            )  # fmt: skip
        return await self._change(command, entry, row, deed, record)

    async def arrived(self, object: str, id: str) -> None:
        """`object` `id` is known now: what waits for it is looked at again.

        Called for every state that is stated: where nothing waits for it, the journal isn't asked.
        """
        inbox = self._inbox
        if (object, id) not in inbox.hand.awaited:
            return
        inbox.hand.awaited.discard((object, id))
        ids = await inbox.journal.read(
            partial(waiting.missing, target=inbox.target.system, object=object, id=id)
        )  # fmt: skip
        for entry in (inbox.hand.entries.get(message_id) for message_id in ids):
            if entry is not None and entry.phase is Phase.STORED and entry.kind in _ARRIVING:
                self._now(entry)

    def _refusal(  # noqa: PLR0911 - one line per refusal reads best
        self, command: Command, row: Waiting | None, entry: Entry | None, message: Message | None
    ) -> str | None:
        """Why a command can't be done now, None if it can."""
        if row is None or entry is None or message is None:
            return "it doesn't wait (any more)"
        if entry.phase is not Phase.STORED or entry.kind is None:
            return "it is being written right now"
        if row.kind is Wait.POSTING and command in {Command.HOLD, Command.NOT_SENT, Command.RELEASE}:
            return f"the target has it, its document is awaited: {command} has no meaning here"
        if row.kind is Wait.BEHIND and command in {Command.RETRY, Command.RELEASE}:
            return f"it waits behind another message of {', '.join(row.lanes)}: release that one"
        if command is Command.NOT_SENT and row.kind is not Wait.IN_DOUBT:
            return "only what is in doubt can be declared not sent"
        if row.kind is Wait.IN_DOUBT and command is Command.RELEASE:
            return "it is in doubt: look in the target, then say sent or not_sent"
        if row.kind is Wait.IN_DOUBT and command is Command.RETRY and self._is_blind(message):
            return "it can't be read back: look in the target, then say sent or not_sent"
        return None

    def _is_blind(self, message: Message) -> bool:
        accept = self._inbox.writing.accept(Offer(message.object, message.verb))
        return accept is not None and accept.effect is Effect.BLIND

    async def _refused(
        self, command: Command, message_id: str, *, who: str, why: str, reason: str, record: Record
    ) -> Done:
        deed = Deed(
            at=self._inbox.clock(), who=who, action=command, target=self._inbox.target.system, message_id=message_id,
            why=why, result=f"{NOT_DONE}{reason}",
        )  # fmt: skip
        await self._inbox.settling.commit(lambda connection: record(connection, deed))
        return Done(ok=False, text=reason)

    async def _end(
        self, command: Command, entry: Entry, message: Message, *, deed: Deed, document: str | None, record: Record
    ) -> Done:
        entry.phase, entry.message = Phase.GONE, message
        why = deed.why
        reply = None
        if command is Command.SENT:
            level = Level.POSTED if document else Level.ACCEPTED
            ending = Ending(entry, Outcome.DELIVERED, level, document, reason=f"a person says so: {why}")
        else:
            if message.verb.asks:
                reply = replies.rejected(message, why, self._inbox.target.system, self._inbox.clock())
            ending = Ending(entry, Outcome.SKIPPED, reason=why, reply=reply)
        result = "taken as sent" if command is Command.SENT else "skipped"
        await self._inbox.settling.settle(
            Settlement(endings=[ending], record=lambda connection: record(connection, replace(deed, result=result)))
        )
        self._inbox.hand.paid(entry.id)
        self._inbox.waking.nudge()
        return Done(ok=True, text=result)

    async def _change(self, command: Command, entry: Entry, row: Waiting, deed: Deed, record: Record) -> Done:
        kind = Wait.HELD if command is Command.HOLD else Wait.POSTING if row.kind is Wait.POSTING else Wait.RETRYING
        result = "held" if command is Command.HOLD else "tried now"
        before, entry.kind = entry.kind, None
        if command is Command.NOT_SENT:
            entry.open = False
        system, now = self._inbox.target.system, self._inbox.clock()
        waived = row.waived or command is Command.RELEASE
        done = replace(deed, result=result)

        def work(connection: Connection) -> None:
            if command is Command.NOT_SENT:
                deliveries.withdraw(connection, system, [entry.id])
            due = None if command is Command.HOLD else now
            waiting.change(
                connection, system, entry.id, kind=kind, due=due, attempts=0, waived=waived,
                reason=f"{command} by {done.who}: {done.why}",
            )  # fmt: skip
            record(connection, done)

        try:
            await self._inbox.settling.commit(work)
        except BaseException:
            entry.kind = before
            self._inbox.hand.turn(entry)
            raise
        entry.kind, entry.waived, entry.attempts, entry.due = kind, waived, 0, None
        if command is not Command.HOLD:
            self._now(entry)
        return Done(ok=True, text=result)

    def _now(self, entry: Entry) -> None:
        """Its time has come."""
        if entry.kind is Wait.POSTING:
            entry.due = 0.0
            self._inbox.waking.at_due(entry)
        else:
            entry.due = None
            self._inbox.hand.turn(entry)
            self._inbox.waking.nudge()
