"""Bringing messages back from the waiting room when their turn has come."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from connectors.connector import MappingError, Offer
from mombus.delivery.hand import MOST_BYTES
from mombus.delivery.lanes import Entry, Phase
from mombus.delivery.settling import Ending, Settlement
from mombus.delivery.verdict import ToWait, text
from mombus.journal import deliveries, waiting
from mombus.journal.deliveries import Outcome
from mombus.journal.waiting import Wait

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from canonical.message import Message
    from mombus.delivery.bodies import Bodies
    from mombus.delivery.hand import Hand
    from mombus.delivery.settling import Settling
    from mombus.delivery.target import Rule
    from mombus.journal.deliveries import Known
    from mombus.journal.journal import Journal

LOAD = 100
"""Messages taken from the waiting room at once."""
AGAIN_S = 1.0
NEWER = "a newer revision is there"


class Loading:
    """Loads for one target."""

    def __init__(self, system: str, *, bodies: Bodies, hand: Hand, journal: Journal, settling: Settling) -> None:
        self._system = system
        self._bodies = bodies
        self._hand = hand
        self._journal = journal
        self._settling = settling

    async def load(self) -> None:
        """Bring what may go back, as far as there is room for it; the rest comes when some of that is written.

        Raises SQLAlchemyError when the waiting room can't be read; nothing is lost then.
        """
        queue = self._hand.to_load
        while queue and self._hand.loaded < MOST_BYTES:
            taken = [queue.popleft() for _ in range(min(LOAD, len(queue)))]
            part = [entry for entry in taken if self._hand.is_free(entry)]
            try:
                messages, known = await self._journal.read(partial(_waiting, self._system, part))
            except SQLAlchemyError:
                queue.extendleft(reversed(taken))
                raise
            for thing, revision in known.revisions.items():
                self._hand.recent_revisions.put(thing, revision)
            refused = Settlement()
            for entry in part:
                if entry.id in messages and self._hand.is_free(entry):
                    if entry.id in known.done and not entry.open:
                        entry.open, entry.ended = True, -math.inf
                    await self._bring(entry, messages[entry.id], refused)
            await self._settle(refused, messages)

    async def _bring(self, entry: Entry, message: Message, refused: Settlement) -> None:
        if self._hand.outdated(entry):
            entry.phase, entry.message = Phase.GONE, message
            refused.endings.append(Ending(entry, Outcome.SUPERSEDED, reason=NEWER))
            return
        rule = await self._rule(message)
        if not self._hand.is_free(entry):
            return  # a person, or a newer revision, was faster
        if isinstance(rule, ToWait):
            refused.waits.append((entry, replace(rule, open=entry.open)))
            return
        self._hand.load(entry, message)
        entry.phase, entry.rule, entry.offer = Phase.QUEUED, rule, Offer(message.object, message.verb)
        self._hand.turn(entry)

    async def _settle(self, refused: Settlement, messages: dict[str, Message]) -> None:
        refused.waits = [(entry, to_wait) for entry, to_wait in refused.waits if self._hand.is_free(entry)]
        for entry, _ in refused.waits:
            entry.message = messages[entry.id]
        if refused:
            await self._settling.settle(refused)

    async def _rule(self, message: Message) -> Rule | ToWait:
        """The rule it goes by, or why it waits on."""
        try:
            rule = await self._bodies.rule(message, entered=True)
        except MappingError as error:
            return ToWait(Wait.PARKED, str(error))
        except Exception as error:  # noqa: BLE001 - its body can't be fetched now: the broker is away
            return ToWait(Wait.RETRYING, text(error), AGAIN_S)
        return ToWait(Wait.PARKED, rule) if isinstance(rule, str) else rule


def _waiting(system: str, entries: list[Entry], connection: Connection) -> tuple[dict[str, Message], Known]:
    """The messages of waiting entries, the revisions that the target has of what they are about, and which of the
    replayed ones it got before: those are read back, as after a kill."""
    states = [entry.thing for entry in entries if entry.revision is not None]
    replayed = [entry.id for entry in entries if entry.replay is not None]
    found = waiting.messages(connection, system, [entry.id for entry in entries])
    known = deliveries.look_up(connection, system, replayed, states, [])
    got = {id: done for id, done in known.done.items() if done.outcome is Outcome.DELIVERED}
    return found, deliveries.Known(got, known.revisions, known.entered)
