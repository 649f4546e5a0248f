"""Awaiting posting: the target took a message, but its business document isn't known yet. It is asked until it is."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from connectors.connector import Absent, Level, Receipt, Rejected
from mombus.delivery.lanes import Phase
from mombus.delivery.settling import Ending, Settlement
from mombus.delivery.target import State
from mombus.delivery.verdict import ToWait, back_off, text
from mombus.journal import waiting
from mombus.journal.deliveries import Outcome
from mombus.journal.waiting import Wait

if TYPE_CHECKING:
    from mombus.delivery.inbox import Inbox
    from mombus.delivery.lanes import Entry

_LEVELS = list(Level)


class Posting:
    """The messages of one target that owe a further level. They block no lane.

    Each is asked for with back-off, and at its deadline, so that a broken promise is seen at once. What the target
    refused after all is parked, what it doesn't know any more is in doubt: nothing is sent again but by a person, and
    from then on its lane waits behind it. A kill between asking and settling only makes it be asked again.
    """

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    async def poll(self, entry: Entry) -> None:
        """Ask the target how far it is."""
        if self._inbox.hand.owing.get(entry.id) is not entry or entry.phase is not Phase.STORED:
            return
        entry.phase = Phase.WRITING
        try:
            answer = await self._ask(entry)
        except Rejected as no:
            await self._undone(entry, ToWait(Wait.PARKED, f"refused after it was taken: {no}"))
        except Exception as error:  # noqa: BLE001 - whatever it is, the promise stays open and is asked again
            await self._again(entry, text(error))
        else:
            await self._answered(entry, answer)

    async def _answered(self, entry: Entry, answer: Receipt | Absent | str) -> None:
        if isinstance(answer, Receipt):
            ending = Ending(entry, Outcome.DELIVERED, answer.level, answer.document, reason=answer.level)
            await self._inbox.settling.settle(Settlement(endings=[ending]))
            self._inbox.hand.paid(entry.id)
            self._inbox.waking.nudge()
        elif isinstance(answer, Absent):
            gone = f"{self._inbox.target.system} took it, but doesn't know it any more: look there, then say"
            await self._undone(entry, ToWait(Wait.IN_DOUBT, f"{gone} sent or not-sent", open=True))
        else:
            await self._again(entry, answer)

    async def _ask(self, entry: Entry) -> Receipt | Absent | str:
        """The receipt if the level is reached, else why not. Raises as `Sink.find`."""
        inbox = self._inbox
        found = await inbox.journal.read(partial(waiting.messages, target=inbox.target.system, ids=[entry.id]))
        entry.message = found[entry.id]
        rule = await inbox.bodies.rule(entry.message, entered=True)
        if isinstance(rule, str):
            return rule
        entry.rule = rule
        answer = await inbox.writing.find(entry)
        if isinstance(answer, Receipt) and _LEVELS.index(answer.level) < _LEVELS.index(rule.effect):
            return f"{answer.level}, not yet {rule.effect}"
        return answer

    async def _undone(self, entry: Entry, to_wait: ToWait) -> None:
        """The target has it no more: a person decides, and its lane waits. What is being written is not held up."""
        entry.open = True
        self._inbox.hand.owing.remove(entry.id)
        self._inbox.hand.add(entry)
        await self._inbox.settling.settle(Settlement(waits=[(entry, to_wait)], reopened=[entry.id]))
        self._inbox.waking.nudge()

    async def _again(self, entry: Entry, reason: str) -> None:
        inbox = self._inbox
        now = inbox.clock()
        entry.attempts += 1
        late = entry.deadline is not None and now >= entry.deadline
        delay_s = until_next(entry, back_off(entry.attempts, inbox.patience), inbox.clock().timestamp())
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


def until_next(entry: Entry, delay_s: float, now: float) -> float:
    """Seconds until it is asked again: no later than its deadline, so that lateness is seen when it begins."""
    left_s = entry.deadline.timestamp() - now if entry.deadline is not None else 0.0
    return min(delay_s, left_s) if left_s > 0 else delay_s
