"""Reversals at one target: what one undoes must be posted there first, under the number that it is reversed by.

Whether it is comes from the journal and what is in hand, so a kill anywhere only makes it be looked up again: the
reversal itself is written under its own intent, like every other message.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from connectors.connector import MappingError, RetryableError
from mombus.journal import deliveries, waiting
from mombus.journal.deliveries import Outcome

if TYPE_CHECKING:
    from mombus.delivery.hand import Hand
    from mombus.delivery.lanes import Entry
    from mombus.journal.journal import Journal


@dataclass(frozen=True, slots=True)
class Owed:
    """What it reverses isn't posted yet."""

    reason: str


@dataclass(frozen=True, slots=True)
class Never:
    """What it reverses never reached the target: there is nothing to undo."""

    reason: str


class Reversing:
    """Looks up what is reversed at one target."""

    def __init__(self, system: str, journal: Journal, hand: Hand) -> None:
        self._system = system
        self._journal = journal
        self._hand = hand

    async def number(self, entry: Entry) -> str | Owed | Never | None:
        """The document number of what an entry reverses, None if the target gave none; or why there is none.

        Raises MappingError when nothing is known of it: a person decides, and may let it pass without a number; and
        RetryableError while another shard of the target has it.
        """
        original = entry.in_hand.reverses
        if original is None:
            return None
        for other in (self._hand.entries.get(original), self._hand.owing.get(original)):
            if other is not None:
                self._hand.wait_for(entry, original)
                return Owed(f"it reverses {other.object} {other.key}, which isn't posted yet")
        posted, waits = await self._journal.read(
            lambda c: (deliveries.posted(c, self._system, original), waiting.one(c, self._system, original))
        )  # fmt: skip
        if waits is not None or (posted is not None and posted.outcome is Outcome.INTENT):
            raise RetryableError("what it reverses isn't posted yet in another shard")
        if posted is None:
            if entry.waived:
                return None
            raise MappingError(
                f"it reverses a message of which nothing is known at {self._system}: skip it if that has no effect "
                "there, or release it to be sent without a document number"
            )
        if posted.outcome is Outcome.DELIVERED:
            return posted.document
        return Never(f"what it reverses never reached {self._system}: {posted.reason or posted.outcome}")
