"""Documents translated again after a mapping was mended: what was said of them then, what is said now, the difference.

Translating is pure; the connectors that do it here are made from the configuration and never connected. What is to be
corrected goes the way of everything that a system says, the intake: a state gets its next revision, a fact a newer
revision of the same key that revises the one before. A kill in between is harmless: what was published is equal to what
is said now the next time, and nothing is published of that.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any

from canonical.message import Message
from canonical.objects import Kind, shown_key
from canonical.wire import from_headers
from connectors.connector import Item, Translates
from mombus.bus.raw import RAW_HEADER, read_raw
from mombus.bus.streams import MOM
from mombus.hub.building import connector_of
from mombus.hub.replay.history import History
from mombus.hub.replay.what_if import changed_paths, parsed
from mombus.index import selection as selecting
from mombus.journal import parked
from mombus.ownership.aliases import Missing
from mombus.ownership.decision import digest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from connectors.connector import Connector, Raw
    from mombus.bus.connection import Bus
    from mombus.bus.intake import Intake
    from mombus.config.model import Config
    from mombus.index.selection import Selection
    from mombus.journal.journal import Journal
    from mombus.ownership.aliases import Aliases
    from mombus.ownership.owners import Owners

REMEMBERED = 20_000
"""Documents that aren't translated a second time when another message of theirs is met."""
COUNTED = 10**9
"""Revisions below are counted by their source; those above are times, after which there is room for one more."""

Rows = AsyncIterator[list[dict[str, Any]]]


class What(StrEnum):
    """What a document says now, compared with what was published of it."""

    SAME = "same"
    CHANGED = "changed"
    NEW = "new"
    """Nothing was published about that thing."""
    GONE = "not said any more"
    """It stays published: reverse it in its source if it was wrong."""
    SAID_SINCE = "said since"
    """Another document said something newer about that thing: this one is history."""
    COUNTED = "counted by its source"
    """Its source counts the revisions and will use the next number itself: have it say this again."""
    NOT_ITS_OWN = "not its own"
    """A request, or what somebody else owns: neither is said again."""
    ALIAS = "waits for an alias"
    FAULT = "still a fault"
    READ = "read now"
    """A kept fault that the mapping of today reads."""
    LOST = "not kept any more"
    """The document is gone, or its system is."""
    KEPT = "kept"
    """It was published and not taken; `mombus kept` and `mombus disagreements` say why."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One message of a document: what is to be published of it, if anything."""

    message: Message
    what: What
    details: tuple[str, ...] = ()
    correction: Message | None = None


class Translating:
    """Translates what one hub keeps in RAW."""

    def __init__(
        self, *, config: Config, owners: Owners, bus: Bus, journal: Journal, index: Journal, intake: Intake,
        aliases: Aliases,
    ) -> None:  # fmt: skip
        self._config = config
        self._owners = owners
        self._bus = bus
        self._journal = journal
        self._index = index
        self._intake = intake
        self._aliases = aliases
        self._history = History(bus, index)
        self._connectors: dict[str, Connector] = {}

    async def selected(self, selection: Selection, *, publish: bool) -> Rows:
        """The documents of what is selected, in the order they came; yields rows per part of history."""
        seen: OrderedDict[str, None] = OrderedDict()
        upto = (await self._history.survey(selection)).upto
        async for seqs in self._history.pages(selection, after=0, upto=upto):
            rows: list[dict[str, Any]] = []
            for (system, id), published in (await self._documents(seqs, seen)).items():
                rows += await self._again(system, id, published, publish=publish)
            yield rows

    async def kept(self, source: Sequence[str], *, publish: bool, who: str, why: str) -> Rows:
        """The documents whose parts are kept as faults; what can be read now is closed if it is published."""
        for system, id in await self._journal.read(parked.fault_documents):
            if not source or system in source:
                rows = await self._again(system, id, [], publish=publish)
                yield rows + await self._faults(system, id, f"{who}: translated again: {why}" if publish else None)

    async def _documents(self, seqs: Sequence[int], seen: OrderedDict[str, None]) -> dict[Any, list[Message]]:
        """The documents of messages, each with what was published of it here."""
        found: dict[tuple[str, str], list[Message]] = {}
        for seq in seqs:
            letter = await self._bus.letter(MOM, seq)
            raw = letter[0].get(RAW_HEADER) if letter else None
            if letter is None or raw is None:
                continue
            message = from_headers(*letter)
            if (message.source, raw) in found:
                found[message.source, raw].append(message)
            elif raw not in seen:
                seen[raw] = None
                found[message.source, raw] = [message]
            while len(seen) > REMEMBERED:
                seen.popitem(last=False)
        return found

    async def _again(
        self, system: str, id: str, published: Sequence[Message], *, publish: bool
    ) -> list[dict[str, Any]]:
        raw = await read_raw(self._bus, site=self._config.plant.site, system=system, id=id)
        item = await self._translated(system, raw)
        if raw is None or item is None:
            return [_row(system, id, What.LOST, None)]
        compared = [await self._compare(system, id, one) for one in item.messages if isinstance(one, Message)]
        said = {(one.message.object, one.message.key) for one in compared}
        rows = [_row(system, id, one.what, one.message, one.details) for one in compared]
        rows += [_row(system, id, What.GONE, one) for one in published if (one.object, one.key) not in said]
        corrections = tuple(one.correction for one in compared if one.correction is not None)
        if publish and corrections:
            rows += await self._publish(system, id, raw, corrections)
        return rows

    async def _translated(self, system: str, raw: Raw | None) -> Item | None:
        declared = self._config.systems.get(system)
        if raw is None or declared is None:
            return None
        if system not in self._connectors:
            self._connectors[system] = connector_of(self._config, declared, self._owners)
        connector = self._connectors[system]
        return await connector.translate(raw) if isinstance(connector, Translates) else None

    async def _compare(self, system: str, id: str, given: Message) -> Compared:
        message = await self._aliases.inbound(system, given)
        if isinstance(message, Missing):
            return Compared(given, What.ALIAS, (str(message),))
        owner = self._owners.of(message.object, message.body if message.content else None, system)
        if owner != system or message.row.kind is Kind.SIGNAL:
            return Compared(message, What.NOT_ITS_OWN)
        seq = await self._index.read(partial(
            selecting.newest, object=message.object, key=message.key, source=system
        ))  # fmt: skip
        letter = await self._bus.letter(MOM, seq) if seq is not None else None
        if letter is None:
            return Compared(message, What.NEW, correction=given)
        headers, content = letter
        before = await self._bus.whole(from_headers(headers, content))
        if digest(before) == digest(message):
            return Compared(message, What.SAME)
        if headers.get(RAW_HEADER) != id:
            return Compared(message, What.SAID_SINCE)
        return _changed(before, message, given)

    async def _publish(self, system: str, id: str, raw: Raw, corrections: tuple[Message, ...]) -> list[dict[str, Any]]:
        """Take the corrections in; a row for each that wasn't taken."""
        outcomes = await self._intake.accept(system, Item(
            messages=corrections, raw=raw.content, content_type=raw.content_type, document=raw.document,
            channel=raw.channel,
        ))  # fmt: skip
        return [
            _row(system, id, What.KEPT, message, (outcome.reason or "",))
            for message, outcome in zip(corrections, outcomes, strict=True)
            if not outcome.accepted
        ]

    async def _faults(self, system: str, id: str, close: str | None) -> list[dict[str, Any]]:
        """The kept faults of a document: those that are read now are closed, if `close` says how."""
        raw = await read_raw(self._bus, site=self._config.plant.site, system=system, id=id)
        item = await self._translated(system, raw)
        if item is None:
            return []
        still = {fault.raw or b"": fault.reason for fault in item.faults}
        rows = []
        for fault in await self._journal.read(partial(parked.faults_of, raw=id)):
            if fault.content in still:
                rows.append(_row(system, id, What.FAULT, None, (f"{fault.place}: {still[fault.content]}",)))
                continue
            rows.append(_row(system, id, What.READ, None, (f"{fault.place}: {fault.reason}",)))
            if close is not None:
                await self._intake.close(fault.id, close)
        return rows


def _changed(before: Message, message: Message, given: Message) -> Compared:
    details = tuple(changed_paths(parsed(before), parsed(message)))
    own = given.revision if message.row.kind is Kind.STATE else given.revision or None
    if own is not None and own < COUNTED:
        return Compared(message, What.COUNTED, details)
    if message.row.kind is Kind.STATE:
        return Compared(message, What.CHANGED, details, replace(given, revision=None))
    newer = given.with_revision((before.revision or 0) + 1)
    return Compared(message, What.CHANGED, details, replace(newer, revises=before.id))


def _row(system: str, raw: str, what: What, message: Message | None, details: Sequence[str] = ()) -> dict[str, Any]:
    return {
        "source": system, "raw": raw, "difference": what.value, "details": list(details),
        "object": message.object if message else None,
        "key": shown_key(message.object, message.key) if message else None,
    }  # fmt: skip
