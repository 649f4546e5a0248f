"""What a target took but hasn't posted yet, by lane: what `after:` and a reversal wait for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from mombus.delivery.lanes import Entry


class Owing:
    """The entries of one target that await posting."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._lanes: dict[str, dict[str, Entry]] = {}

    def __contains__(self, message_id: object) -> bool:
        return message_id in self._entries

    def add(self, entry: Entry) -> None:
        """The target owes this one."""
        self._entries[entry.id] = entry
        for lane in entry.lanes:
            self._lanes.setdefault(lane, {})[entry.id] = entry

    def get(self, message_id: str) -> Entry | None:
        """The entry with that id."""
        return self._entries.get(message_id)

    def remove(self, message_id: str) -> None:
        """It is posted, or it is known that it won't be."""
        entry = self._entries.pop(message_id, None)
        for lane in entry.lanes if entry is not None else ():
            left = self._lanes[lane]
            del left[message_id]
            if not left:
                del self._lanes[lane]

    def before(self, entry: Entry, objects: Collection[str]) -> Entry | None:
        """What came before `entry` in one of its lanes, is of one of the objects and isn't posted."""
        for lane in entry.lanes if objects else ():
            for other in self._lanes.get(lane, {}).values():
                if other.object in objects and other.place < entry.place:
                    return other
        return None
