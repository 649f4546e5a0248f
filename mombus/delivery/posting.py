"""Awaiting posting: the target took a message, but its business document isn't known yet. It is asked until it is."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from connectors.connector import Level, Receipt
from mombus.delivery.lanes import Phase
from mombus.delivery.settling import Ending, Settlement
from mombus.delivery.target import State
from mombus.delivery.verdict import back_off, text
from mombus.journal import waiting
from mombus.journal.deliveries import Outcome

if TYPE_CHECKING:
    from mombus.delivery.inbox import Inbox
    from mombus.delivery.lanes import Entry

_LEVELS = list(Level)


class Posting:
    """The messages of one target that owe a further level. They block no lane."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self.entries: dict[str, Entry] = {}

    def watch(self, entry: Entry) -> None:
        """Ask for this one from now on, at its due times."""
        self.entries[entry.id] = entry

    def forget(self, message_id: str) -> None:
        """It is settled."""
        self.entries.pop(message_id, None)

    async def poll(self, entry: Entry) -> None:
        """Ask the target how far it is."""
        if self.entries.get(entry.id) is not entry or entry.phase is not Phase.STORED:
            return
        entry.phase = Phase.WRITING
        try:
            answer = await self._ask(entry)
        except Exception as error:  # noqa: BLE001 - whatever it is, the promise stays open and is asked again
            answer = text(error)
        if isinstance(answer, Receipt):
            self.forget(entry.id)
            ending = Ending(entry, Outcome.DELIVERED, answer.level, answer.document, reason=answer.level)
            await self._inbox.settling.settle(Settlement(endings=[ending]))
        else:
            await self._again(entry, answer)

    async def _ask(self, entry: Entry) -> Receipt | str:
        """The receipt if the level is reached, else why not."""
        inbox = self._inbox
        found = await inbox.journal.read(partial(waiting.messages, target=inbox.target.system, ids=[entry.id]))
        entry.message = found[entry.id]
        rule = await inbox.bodies.rule(entry.message, entered=True)
        if isinstance(rule, str):
            return rule
        entry.rule = rule
        answer = await inbox.writing.find(entry)
        if not isinstance(answer, Receipt):
            return f"{inbox.target.system} doesn't know it any more"
        if _LEVELS.index(answer.level) < _LEVELS.index(rule.effect):
            return f"{answer.level}, not yet {rule.effect}"
        return answer

    async def _again(self, entry: Entry, reason: str) -> None:
        inbox = self._inbox
        now = inbox.clock()
        entry.attempts += 1
        delay_s = back_off(entry.attempts, inbox.patience)
        late = entry.deadline is not None and now > entry.deadline
        due = now + timedelta(seconds=delay_s)
        await inbox.settling.commit(
            partial(
                waiting.change, target=inbox.target.system, message_id=entry.id, due=due, attempts=entry.attempts,
                reason=f"late: {reason}" if late else reason,
            )
        )  # fmt: skip
        if late and not entry.late:
            entry.late = True
            inbox.settling.hop(entry, State.WAITING, f"late: {reason}", late=True)
        entry.phase, entry.message = Phase.STORED, None
        entry.due = asyncio.get_running_loop().time() + delay_s
        inbox.waking.at_due(entry)
