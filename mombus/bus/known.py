"""Whether the things that a message names exist: stated on the bus, or part of the plant's equipment."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from canonical.objects import data_object, key_part
from canonical.references import Reference, references
from canonical.subjects import latest_subject
from mombus.bus.streams import LATEST
from mombus.config.model import References

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from canonical.isa95.resources import Equipment
    from canonical.message import Message
    from mombus.bus.connection import Bus

REMEMBERED = 100_000


class Known:
    """Checks references by the policy of the object they name: hold or accept.

    `hold` begins when the first thing of that object is known. Objects whose key is more than their id (lots)
    can't be told by the id alone: they count as known.
    """

    def __init__(
        self, bus: Bus, site: str, policies: Mapping[str, References], equipment: Iterable[Equipment] = ()
    ) -> None:
        self._bus = bus
        self._site = site
        self._policies = policies
        self._equipment = frozenset(_ids(equipment))
        self._seen: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._begun: set[str] = {"equipment"} if self._equipment else set()

    async def held(self, message: Message) -> Reference | None:
        """The first reference of a `hold` object that nobody has stated yet: the message must wait for it."""
        if not message.content or References.HOLD not in self._policies.values():
            return None
        for reference in references(message.body):
            held = self._policies.get(reference.object) is References.HOLD
            if held and not await self.has(reference.object, reference.id):
                return reference
        return None

    async def has(self, object: str, id: str) -> bool:
        """True if `object` `id` was stated (and not deleted since), can't be told, or none of its kind was stated."""
        if not _told_by_id(object) or (object, id) in self._seen or (object == "equipment" and id in self._equipment):
            return True
        latest = await self._bus.latest(object, key_part(id), site=self._site)
        if latest is not None and latest.action != "Delete":
            self._seen[object, id] = None
            if len(self._seen) > REMEMBERED:
                self._seen.popitem(last=False)
            return True
        return not await self._has_begun(object)

    async def _has_begun(self, object: str) -> bool:
        if object not in self._begun and await self._bus.last(LATEST, latest_subject(self._site, object, None, None)):
            self._begun.add(object)
        return object in self._begun


def _told_by_id(object: str) -> bool:
    return data_object(object).key == ("id",)


def _ids(equipment: Iterable[Equipment]) -> Iterable[str]:
    for one in equipment:
        yield one.id
        yield from _ids(one.equipment_child)
