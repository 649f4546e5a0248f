"""Identities: what each system calls things, translated at the edge in both directions.

A system with a table for an object must have every id of that object in it: what is missing waits, nothing passes
untranslated. Systems without a table use the canonical ids. Numbers learned from receipts are understood when a
system uses them, but never demanded and never written in place of the canonical id.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from canonical.message import Verb
from canonical.objects import NOTHING, data_object, id_of, key_part
from canonical.references import translated
from mombus.journal import aliases as table
from mombus.journal.aliases import Learned

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from canonical.element import Element
    from canonical.message import Message
    from mombus.journal.aliases import Numbered
    from mombus.journal.journal import Journal

REMEMBERED = 20_000
"""Learned numbers kept in memory; the others are found in the journal."""


@dataclass(frozen=True, slots=True)
class Missing:
    """`system` has no alias for `object` `id`, which is its own id inbound, the canonical one outbound."""

    system: str
    object: str
    id: str

    def __str__(self) -> str:
        return f"{self.system} has no alias for {self.object} '{self.id}': add it to `aliases:`"


class _Unknown(Exception):  # noqa: N818
    def __init__(self, object: str, id: str) -> None:
        self.object, self.id = object, id


class Declared:
    """The declared aliases of every system, by which messages are put in a system's words: pure."""

    def __init__(self, declared: Mapping[str, Mapping[str, Mapping[str, str]]]) -> None:
        self._inbound = declared
        self._outbound = {
            system: {name: {canonical: native for native, canonical in ids.items()} for name, ids in tables.items()}
            for system, tables in declared.items()
        }

    def outbound(self, system: str, message: Message) -> Message | Missing:
        """A message in `system`'s words. Its id and lanes stay canonical, and the key of one that has a body.

        Without a body the key alone says what it is about: that of a tombstone or a request is translated, that of a
        get isn't, because its answer is looked up by it; `asked` is for who answers.
        """
        tables = self._outbound.get(system)
        if not tables or message.verb is Verb.GET:
            return message
        try:
            if not message.content:
                return replace(message, key=self._key(tables, message))
            body = translated(message.body, self._swap(tables, {}), own=message.object)
        except _Unknown as unknown:
            return Missing(system, unknown.object, unknown.id)
        return message if body is message.body else message.with_body(body)

    def asked(self, system: str, get: Message) -> Message | Missing:
        """A get with its key in `system`'s words."""
        tables = self._outbound.get(system)
        try:
            return replace(get, key=self._key(tables, get)) if tables and get.key else get
        except _Unknown as unknown:
            return Missing(system, unknown.object, unknown.id)

    def _key(self, tables: Mapping[str, Mapping[str, str]], message: Message) -> str:
        """A key with every part that is the id of something in the tables translated."""
        swap, objects, parts = self._swap(tables, {}), message.row.key_objects, message.key.split("/")
        if len(parts) != len(objects):
            return message.key
        return "/".join(
            part if name is None or part == NOTHING else key_part(swap(name, id_of(part), "key"))
            for name, part in zip(objects, parts, strict=True)
        )

    def _swap(
        self, tables: Mapping[str, Mapping[str, str]], own: Mapping[str, Mapping[str, str]]
    ) -> Callable[[str, str, str], str]:
        def swap(object: str, id: str, _path: str) -> str:
            found = own.get(object, {}).get(id)
            if found is not None or object not in tables:
                return found or id
            if id not in tables[object]:
                raise _Unknown(object, id)
            return tables[object][id]

        return swap


class Aliases(Declared):
    """Aliases of every system: the declared ones, and document numbers learned from receipts.

    With `shared` other hubs learn numbers too: then what was learned is always looked up in the journal.
    """

    def __init__(
        self, declared: Mapping[str, Mapping[str, Mapping[str, str]]], journal: Journal, *, shared: bool = False
    ) -> None:
        super().__init__(declared)
        self._shared = shared
        self._journal = journal
        self._learned: OrderedDict[tuple[str, str, str], str | None] = OrderedDict()
        self._teachers: set[tuple[str, str]] | None = None

    async def catch_up(self) -> int:
        """Learn the numbers in the journal's receipts that were passed over: the hub was killed, or too busy.

        Returns how many that were.
        """
        receipts = await self._journal.survey(table.unlearned, patiently=True)
        return await self.learn(receipts) if receipts else 0

    async def learn(self, receipts: Sequence[Numbered]) -> int:
        """Learn the numbers of receipts, all in one commit. Returns how many aren't what the things are called here."""
        given = (Learned(r.target, r.object, r.document, _canonical(r.object, r.key), r.at) for r in receipts)
        numbers = [number for number in given if number.native != number.canonical]
        if not numbers:
            return 0
        await self._journal.write(lambda c: table.learn(c, numbers))
        taught = await self._taught()
        for number in numbers:
            taught.add((number.system, number.object))
            self._remember((number.system, number.object, number.native), number.canonical)
        return len(numbers)

    async def documents(self, system: str, object: str, key: str) -> list[str]:
        """The numbers that `system` gave to one thing, the newest first."""
        canonical = _canonical(object, key)
        return await self._journal.read(lambda c: table.documents(c, system, object, canonical))

    async def inbound(self, system: str, message: Message) -> Message | Missing:
        """What `system` said in its own words, in canonical ones: body, key and lanes."""
        tables = self._inbound.get(system, {})
        own = await self._own(system, message)
        try:
            if not message.content:
                return _renamed(message, self._swap(tables, own)) if tables or own else message
            body = translated(message.body, self._swap(tables, own), own=message.object) if tables or own else None
        except _Unknown as unknown:
            return Missing(system, unknown.object, unknown.id)
        return message if body is None or body is message.body else _about(message, body)

    async def _own(self, system: str, message: Message) -> dict[str, dict[str, str]]:
        """The learned meaning of the message's own id, for objects that are known by one id."""
        if message.row.key != ("id",) or not (self._shared or (system, message.object) in await self._taught()):
            return {}
        identity = (system, message.object, id_of(message.key))
        if self._shared or identity not in self._learned:
            found = await self._journal.read(lambda c: table.canonical(c, *identity))
            if found is not None or identity not in self._learned:
                self._remember(identity, found)
        meaning = self._learned[identity]
        return {} if meaning is None else {message.object: {identity[2]: meaning}}

    async def _taught(self) -> set[tuple[str, str]]:
        """(system, object) of everything ever learned: most messages need no look-up."""
        if self._teachers is None:
            self._teachers = await self._journal.read(table.taught)
        return self._teachers

    def _remember(self, identity: tuple[str, str, str], meaning: str | None) -> None:
        self._learned[identity] = meaning
        self._learned.move_to_end(identity)
        if len(self._learned) > REMEMBERED:
            self._learned.popitem(last=False)


def _canonical(object: str, key: str) -> str:
    """What a number of a thing stands for: its id, or its key where that has several parts."""
    return id_of(key) if data_object(object).key == ("id",) else key


def _about(message: Message, body: Element) -> Message:
    """The message saying `body`; key and lanes that came from its old body now come from the new one."""
    row = message.row
    key = row.key_of(body) if message.key == row.key_of(message.body) else message.key
    lanes = row.lanes_of(body) if message.lanes == row.lanes_of(message.body) else message.lanes
    return replace(message.with_body(body), key=key, lanes=lanes)


def _renamed(message: Message, swap: Callable[[str, str, str], str]) -> Message:
    """A message without a body: only its key can be translated, where that is the thing's id."""
    if message.row.key != ("id",) or not message.key:
        return message
    key = key_part(swap(message.object, id_of(message.key), "id"))
    old, new = f":{id_of(message.key)}", f":{id_of(key)}"
    lanes = tuple(lane[: -len(old)] + new if lane.endswith(old) else lane for lane in message.lanes)
    return replace(message, key=key, lanes=lanes)
