"""What waits for stock at a target: which materials it lacks, and which messages may have brought them."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from canonical.references import references
from mombus.journal.waiting import Wait

if TYPE_CHECKING:
    from collections.abc import Iterator

    from canonical.message import Message
    from mombus.delivery.lanes import Entry

BRINGING = frozenset({"inventory_movement", "production_response", "lot_transformation", "stock_level"})
"""The objects that may bring stock to a target."""


def materials(message: Message) -> Iterator[tuple[str, str]]:
    """The materials that a message names; none of a body that is kept apart or isn't the object's."""
    if message.content:
        with suppress(ValueError):
            yield from ((one.object, one.id) for one in references(message.body) if one.object == "material")


class Stock:
    """The entries of one target that wait for stock, by the material they lack."""

    def __init__(self) -> None:
        self._lacking: dict[tuple[str, str], dict[str, Entry]] = {}

    def lacks(self, entry: Entry) -> None:
        """This one waits for what it misses."""
        if entry.missing is not None:
            self._lacking.setdefault(entry.missing, {})[entry.id] = entry

    def brought(self, message: Message) -> list[Entry]:
        """The target took a message: what waited for one of its materials."""
        if not self._lacking or message.object not in BRINGING:
            return []
        lacking = [self._lacking.pop(one, {}) for one in dict.fromkeys(materials(message))]
        found = [entry for entries in lacking for entry in entries.values()]
        return [entry for entry in found if entry.kind is Wait.STOCK]
