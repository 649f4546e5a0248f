"""Several states of one thing in one item, none with a revision: which of them the bus is past.

An item that is read again after a kill must add nothing. Of A, B, A the bus may have the first, two of them or all; by
its newest version alone A is a repetition and B would be news. So what the item says of a thing up to the last place
where it says what the bus has, is past. It ends as the item does in any case; a change there and back that happened in
between two looks isn't told.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from canonical.message import Message
from canonical.objects import CATALOGUE, Kind
from mombus.ownership.aliases import Missing
from mombus.ownership.decision import digest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from connectors.connector import Gap
    from mombus.bus.revisions import Revisions
    from mombus.ownership.aliases import Aliases


async def past(system: str, said: Sequence[Message | Gap], aliases: Aliases, revisions: Revisions) -> set[int]:
    """The places of an item's states that the bus is past. Raises BusError when the broker can't be asked."""
    things: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for place, one in enumerate(said):
        if isinstance(one, Message) and is_uncounted(one):
            things[one.object, one.key].append(place)
    found: set[int] = set()
    for places in things.values():
        if len(places) > 1:
            found.update(await _past(system, [(place, said[place]) for place in places], aliases, revisions))
    return found


def is_uncounted(message: Message) -> bool:
    """True for a state that the bus gives its revision."""
    row = CATALOGUE.get(message.object)
    return message.verb.states and message.revision is None and row is not None and row.kind is Kind.STATE


async def _past(
    system: str, states: Sequence[tuple[int, Message | Gap]], aliases: Aliases, revisions: Revisions
) -> list[int]:
    known, last = None, 0
    for number, (_, native) in enumerate(states, start=1):
        try:
            message = await aliases.inbound(system, native) if isinstance(native, Message) else None
        except (ValueError, LookupError):
            return []  # what can't be read is refused where it is judged
        if message is None or isinstance(message, Missing):
            return []
        known = known or await revisions.known(message)
        if known is not None and digest(message) == known.digest:
            last = number
    return [place for place, _ in states[:last]]
