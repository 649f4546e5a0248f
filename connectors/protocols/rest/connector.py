"""The REST connector: polls and is posted to, writes and reads back, answers, all as declared."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from canonical.message import Message, Verb
from connectors.connector import (
    ConfigError,
    ConnectorError,
    Fault,
    Halted,
    Health,
    Item,
    MappingError,
    NotConnected,
    Offer,
    Probe,
    Rejected,
    RetryableError,
    waits,
)
from connectors.protocols.rest.exchange import Call, Exchange
from connectors.protocols.rest.hearing import Hearing
from connectors.protocols.rest.mapping import items_of, seen_by_expressions
from connectors.protocols.rest.paging import Lists
from connectors.protocols.rest.polling import Heard, Mark, Poll
from connectors.protocols.rest.settings import Endpoint, Read, RestConfig, Wire
from connectors.protocols.rest.webhook import Door
from connectors.protocols.rest.writing import Writer, accepts
from connectors.strict_json import StrictJsonError, read_json

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

    from starlette.types import ASGIApp

    from connectors.connector import Absent, Accept, ConnectorConfig, Outcome, Raw, Receipt, Rendered, Surroundings
    from connectors.door import DoorConfig

FRESH_S = 2.0
"""An answer younger than this is proof enough for a probe."""
PROBE_S = 0.9
LONGEST_PAUSE_S = 300.0


class Rest:
    """A REST system, from YAML alone."""

    Config: ClassVar[type[ConnectorConfig]] = RestConfig
    summary: ClassVar[str] = "Any JSON API over HTTP, declared in YAML: polls, webhooks, writes and read-backs."
    parallel: ClassVar[bool] = True

    path: str
    door: DoorConfig
    """Where it listens and who may post there; only there if it does."""

    def __init__(self, config: Endpoint, surroundings: Surroundings) -> None:
        wire = self._wire(config)
        self._config = config
        self._reads = [read for read in wire.reads if read.snapshot == "no"]
        self._snapshots = [read for read in wire.reads if read.snapshot != "no"]
        self._lookups = wire.answers
        self._pushed = wire.pushed
        self._hearing = Hearing(surroundings, config.timezone)
        self._exchange = Exchange(config, surroundings.folder, wire.error)
        self._lists = Lists(self._exchange)
        self._writer = Writer(wire, self._exchange, self._lists)
        self._check = wire.check
        self._failing: dict[str, str] = {}
        self._last_data: datetime | None = None
        self._closed = True
        self.accepts: Mapping[Offer, Accept] = accepts(wire.writes)
        self.offers = _offers(wire)
        self.complete = bool(self._snapshots) and all(read.snapshot == "complete" for read in self._snapshots)
        self._door: Door | None = None
        if config.listen is not None:
            if wire.pushed is None:
                raise ConfigError(f"{config.connector} has nothing that its system could post", "listen")
            self._door = Door(wire.pushed, self._hearing, config.door.max_bytes)
            self.path, self.door = config.listen, config.door

    def _wire(self, config: Any) -> Wire:
        """How the API is spoken; a profile brings its own."""
        return Wire.model_validate({name: getattr(config, name) for name in Wire.model_fields})

    async def connect(self) -> None:
        """Reach the server, with good credentials if `check` is declared."""
        self._closed = False
        self._exchange.open()
        await self._reach()

    async def close(self) -> None:
        """Close every connection."""
        self._closed = True
        await self._exchange.close()

    async def probe(self) -> Probe:
        """Ask again when the last answer is old; name the reads that fail."""
        answered = self._exchange.answered_at
        if self._closed:
            return Probe(Health.DOWN, "not connected", self._last_data)
        if answered is None or self._exchange.trouble or time.monotonic() - answered > FRESH_S:
            try:
                await self._reach(PROBE_S)
            except ConnectorError as error:
                return Probe(Health.DOWN, str(error), self._last_data)
        if self._failing:
            reasons = "; ".join(f"{name}: {reason}" for name, reason in self._failing.items())
            return Probe(Health.DEGRADED, reasons, self._last_data)
        return Probe(Health.OK, "", self._last_data)

    async def read(self, bookmark: str | None) -> AsyncIterator[Item]:
        """Poll every declared list at its own pace. A list that fails is named by the probe and stops no other."""
        marks = _marks(bookmark)
        polls = [Poll(read, self._lists, self._hearing) for read in self._reads]
        due = {poll.read.name: 0.0 for poll in polls}
        while polls:
            for poll in polls:
                name = poll.read.name
                if due[name] > time.monotonic():
                    continue
                pause_s = self._config.poll_s or poll.read.every_s
                try:
                    async for heard in poll.sweep(marks.get(name, Mark())):
                        marks[name] = heard.mark
                        self._failing.pop(name, None)
                        if heard.messages or heard.faults:
                            yield self._item(heard, name, polls, marks)
                except (NotConnected, Halted):
                    raise
                except ConnectorError as error:
                    self._failing[name] = str(error)
                    asked_s = error.retry_after_s if isinstance(error, RetryableError) else None
                    pause_s = min(max(asked_s or pause_s, pause_s), LONGEST_PAUSE_S)
                due[name] = time.monotonic() + pause_s
            await asyncio.sleep(max(0.0, min(due.values()) - time.monotonic()))
        await asyncio.Event().wait()

    async def write(self, messages: Sequence[Message]) -> Sequence[Receipt | ConnectorError]:
        """As declared in `writes`."""
        return await self._writer.write(messages)

    def rendered(self, message: Message) -> Sequence[Rendered]:
        """The call of the write that fits, its place from the system's `url` on."""
        return (self._writer.rendered(message),)

    async def find(self, message: Message) -> Receipt | Absent:
        """As declared in the write's `find`."""
        return await self._writer.find(message)

    async def answer(self, get: Message) -> AsyncIterator[Message]:
        """As declared in `answers`. Raises Rejected when nothing is declared for the object."""
        lookup = next((it for it in self._lookups if it.says.object == get.object), None)
        if lookup is None:
            raise Rejected(f"no `answers` is declared for {get.object}")
        async for page in self._lists.pages(lookup, seen_by_expressions(get), missing_ok=True):
            for item in page.items:
                show = self._hearing.answer(lookup, item, get)
                if show is not None:
                    yield show

    def app(self, deliver: Callable[[Item], Awaitable[Sequence[Outcome]]]) -> ASGIApp:
        """The webhook. Raises ConfigError without `listen`."""
        if self._door is None:
            raise ConfigError("this system listens nowhere", "listen")
        return self._door.app(deliver)

    async def snapshot(self, object: str, keys: Sequence[str] | None = None) -> AsyncIterator[Message]:
        """Yield what its snapshot lists say. Raises Rejected at the first item that can't be understood."""
        for read in self._snapshots:
            async for page in self._lists.pages(read, self._hearing.place):
                messages, faults = await self._hearing.understood(read, page.items, read.name)
                if faults:
                    raise Rejected(f"{faults[0].place}: {faults[0].reason}: the snapshot isn't complete")
                for message in messages:
                    if message.object == object and (keys is None or message.key in keys):
                        yield message

    async def translate(self, raw: Raw) -> Item:
        """What a page or a post says by today's mapping: `channel` is the read, none for a post."""
        declared = self._pushed if raw.channel is None else self._named(raw.channel)
        if declared is None:
            return Item(faults=(Fault("document", f"nothing is declared for {raw.channel or 'posts'} any more"),))
        place = raw.channel or declared.items or "item"
        try:
            items = items_of(read_json(raw.content, len(raw.content) + 1), declared.items)
        except (StrictJsonError, MappingError) as error:
            return Item(faults=(Fault("body", str(error), raw.content),))
        messages, faults = await self._hearing.understood(declared, items, place)
        return Item(messages=tuple(messages), faults=tuple(faults))

    def _named(self, name: str) -> Read | None:
        return next((read for read in self._reads if read.name == name), None)

    async def _reach(self, timeout_s: float | None = None) -> None:
        if not self._config.url:
            return
        if self._check is None:
            await self._exchange.attempt(Call(url="", judged=False, timeout_s=timeout_s))
        else:
            await self._writer.check(timeout_s)

    def _item(self, heard: Heard, name: str, polls: Sequence[Poll], marks: Mapping[str, Mark]) -> Item:
        self._last_data = datetime.now(UTC)
        kept = {poll.read.name for poll in polls if poll.read.bookmark is not None}
        bookmark = json.dumps({name: mark.stored() for name, mark in marks.items() if name in kept})
        return Item(
            messages=heard.messages, faults=heard.faults, raw=heard.content, channel=name, bookmark=bookmark,
            settle=waits,
        )  # fmt: skip


def _offers(wire: Wire) -> frozenset[Offer]:
    said = [says for read in wire.reads for says in read.says] + list(wire.pushed.says if wire.pushed else ())
    return frozenset(
        {Offer(says.object, says.verb) for says in said}
        | {Offer(lookup.says.object, Verb.SHOW) for lookup in wire.answers}
    )


def _marks(bookmark: str | None) -> dict[str, Mark]:
    stored = json.loads(bookmark) if bookmark else {}
    return {name: Mark.of(mark) for name, mark in stored.items()}
