"""Reversals at one target: what one undoes must be posted there first, under the number that it is reversed by.

Whether it is comes from the journal and what is in hand, so a kill anywhere only makes it be looked up again: the
reversal itself is written under its own intent, like every other message.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from connectors.connector import MappingError
from mombus.journal import deliveries, waiting
from mombus.journal.deliveries import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from mombus.delivery.hand import Hand
    from mombus.delivery.lanes import Entry
    from mombus.delivery.target import Target
    from mombus.journal.deliveries import Posted
    from mombus.journal.journal import Journal
    from mombus.journal.waiting import Waiting


@dataclass(frozen=True, slots=True)
class Owed:
    """What it reverses isn't posted yet. `elsewhere`: another shard has it, whose hub can't tell when it is."""

    reason: str
    elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class Never:
    """What it reverses never reached the target: there is nothing to undo."""

    reason: str


class Reversing:
    """Looks up what is reversed at one target."""

    def __init__(self, target: Target, journal: Journal, hand: Hand) -> None:
        self._target = target
        self._journal = journal
        self._hand = hand

    async def number(self, entry: Entry) -> str | Owed | Never | None:
        """The document number of what an entry reverses, None if the target gave none; or why there is none.

        Raises MappingError when nothing is known of it: a person decides, and may let it pass without a number.
        """
        original = entry.in_hand.reverses
        if original is None:
            return None
        for other in (self._hand.entries.get(original), self._hand.owing.get(original)):
            if other is not None:
                self._hand.wait_for(entry, original)
                return Owed(f"it reverses {other.object} {other.key}, which isn't posted yet")
        known = await self._journal.read(partial(self._known, entry.seq, original))
        return self._by_journal(entry, *known)

    def _by_journal(
        self, entry: Entry, posted: Posted | None, waits: Waiting | None, behind: Sequence[str]
    ) -> str | Owed | Never | None:
        system = self._target.system
        if waits is not None or (posted is not None and posted.outcome is Outcome.INTENT):
            return Owed("what it reverses isn't posted yet: another shard has it", elsewhere=True)
        if posted is None and entry.waived:
            return None
        if posted is None and behind:
            return Owed(f"what it reverses may come yet: {', '.join(behind)} isn't as far", elsewhere=True)
        if posted is None:
            raise MappingError(
                f"it reverses a message of which nothing is known at {system}: skip it if that has no effect "
                "there, or release it to be sent without a document number"
            )
        if posted.outcome is Outcome.DELIVERED:
            return posted.document
        return Never(f"what it reverses never reached {system}: {posted.reason or posted.outcome}")

    def _known(
        self, seq: int, original: str, connection: Connection
    ) -> tuple[Posted | None, Waiting | None, Sequence[str]]:
        """How the original ended, how it waits, and which other shards haven't settled all that came before `seq`."""
        system, mine = self._target.system, self._target.inbox
        others = [inbox for inbox in self._target.inboxes if inbox != mine]
        return (
            deliveries.posted(connection, system, original), waiting.one(connection, system, original),
            [inbox for inbox in others if (deliveries.position(connection, inbox) or 0) < seq],
        )  # fmt: skip
