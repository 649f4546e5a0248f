"""`plc.opcua`: a machine or line with an OPC UA server: its signals in, job orders out."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import Field

from connectors.connector import (
    Absent,
    Accept,
    ConnectorError,
    Effect,
    Gap,
    Health,
    Item,
    Level,
    NotConnected,
    Offer,
    Probe,
    Receipt,
    Rendered,
    Speaks,
    Surroundings,
)
from connectors.exchange import about
from connectors.plc.signals import load
from connectors.protocols.opcua.endpoint import EndpointConfig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from canonical.message import Message
    from connectors.connector import Raw
    from connectors.plc.commands import Machine
    from connectors.plc.mapping import Tag
    from connectors.plc.signals import Signals
    from connectors.protocols.opcua.feed import Feed
    from connectors.protocols.opcua.session import Session

MOST_NAMED = 3
"""How many missing nodes a probe names."""


class PlcOpcuaConfig(EndpointConfig):
    """A machine or line with an OPC UA server."""

    speaks: ClassVar[Speaks | None] = "opcua"

    signals: str = Field(description="File that names equipment, signals and commands; see `plant/line1.yaml`.")
    batch: int = Field(default=500, ge=1, le=10_000, description="Most readings that one item may hold.")
    flush_ms: int = Field(default=100, ge=1, le=10_000, description="How long readings are gathered for one message.")
    buffer: int = Field(
        default=50_000, ge=100, le=5_000_000, description="Readings that may wait to be stored; more are a gap."
    )

    def moved(self, url: str, *, answer_s: float | None = None) -> Self:
        """As ConnectorConfig.moved."""
        return super().moved(url, answer_s=answer_s).model_copy(update={"flush_ms": 1})

    def nodes(self, folder: Path) -> Signals:
        """The signals file; `folder` is the configuration's. Raises ConfigError."""
        return load(folder / self.signals)


class PlcOpcua:
    """Source of equipment_state, count and process_value; sink of the objects that its signals file has commands for.

    The bookmark is the time of the last reading that was stored: reading on from it starts with the gap since then,
    for OPC UA keeps nothing for those who aren't subscribed.
    """

    Config: ClassVar[type[EndpointConfig]] = PlcOpcuaConfig
    summary: ClassVar[str] = "Machine or line with an OPC UA server: PackML states, counters, values; job orders to it"

    def __init__(self, config: PlcOpcuaConfig, surroundings: Surroundings) -> None:
        """Reads the signals file. Raises ConfigError when that can't work."""
        self._config, self._surroundings = config, surroundings
        self._folder = Path(surroundings.folder)
        self._signals: Signals = config.nodes(self._folder)
        objects = {signal.object for equipment in self._signals.equipment.values() for signal in equipment.signals}
        self.offers: frozenset[Offer] = frozenset(Offer(name) for name in objects)
        self.accepts: Mapping[Offer, Accept] = MappingProxyType({
            Offer(name): Accept(Effect.FINDABLE if command.find else Effect.BLIND, level=Level.ACCEPTED)
            for name, command in self._signals.commands.items()
        })  # fmt: skip
        self._session: Session | None = None
        self._machine: Machine | None = None
        self._feed: Feed[Tag] | None = None
        self._last_data: datetime | None = None
        self._since: float = 0.0
        self._trouble = "not connected yet"

    async def connect(self) -> None:
        """Open a session of its own for this connection; an open one stays."""
        from connectors.plc.commands import Machine  # noqa: PLC0415 - asyncua is heavy
        from connectors.protocols.opcua.session import Session  # noqa: PLC0415 - asyncua is heavy

        if self._session is not None and self._session.alive:
            return
        await self._leave()
        try:
            self._session = await Session.open(self._config, self._folder)
            self._machine = Machine(self._session, self._signals)
            await self._machine.prepare()
        except ConnectorError as error:
            await self._leave()
            self._trouble = str(error)
            raise
        self._since = time.monotonic()

    async def close(self) -> None:
        """Close the session."""
        self._trouble = "closed"
        await self._leave()

    async def _leave(self) -> None:
        session, self._session, self._machine, self._feed = self._session, None, None, None
        if session is not None:
            await session.close()

    async def probe(self) -> Probe:
        """From the last answer of the server, the nodes it doesn't have and the last value."""
        session, feed = self._session, self._feed
        if session is None or not session.alive:
            return Probe(Health.DOWN, self._trouble if session is None else "the connection was lost", self._last_data)
        unwell = [f"{place}: {why}" for place, why in (self._machine.missing if self._machine else {}).items()]
        reasons = [*self._missing(feed), *unwell[:MOST_NAMED], *self._silence(feed)]
        return Probe(Health.DEGRADED if reasons else Health.OK, "; ".join(reasons), self._last_data)

    def _missing(self, feed: Feed[Tag] | None) -> list[str]:
        if feed is None or not feed.missing:
            return []
        named = [f"{place}: {why}" for place, why in list(feed.missing.items())[:MOST_NAMED]]
        more = len(feed.missing) - len(named)
        return [f"signals without a node: {', '.join(named)}{f' and {more} more' if more else ''}"]

    def _silence(self, feed: Feed[Tag] | None) -> list[str]:
        if feed is None:
            return []
        silent = time.monotonic() - (feed.received_at or self._since)
        if silent < self._config.watchdog_s:
            return []
        return [f"connected, but no data for {silent:.0f} s: is the machine running and the server updating its nodes?"]

    async def read(self, bookmark: str | None) -> AsyncIterator[Item]:
        """Subscribe and yield readings; after a bookmark the gap since it comes first."""
        from connectors.plc.mapping import Batcher, gaps  # noqa: PLC0415 - asyncua is heavy

        feed = await self._subscribe()
        subscribed = datetime.now(UTC)
        for gap in self._missed(bookmark, subscribed):
            yield Item(messages=(gap,), bookmark=subscribed.isoformat())
        batcher = Batcher(self._surroundings)
        try:
            async for changes, losses in feed.batches(self._config.batch, self._config.flush_ms / 1000):
                messages, faults = batcher.messages(changes, datetime.now(UTC))
                told = (*gaps(losses), *messages)
                if changes:
                    self._last_data = changes[-1].received
                if told or faults:
                    mark = changes[-1].received.isoformat() if changes else None
                    yield Item(messages=told, faults=tuple(faults), bookmark=mark)
        except NotConnected as error:
            if self._feed is feed:
                self._trouble = str(error)
                await self._leave()
            raise
        finally:
            await feed.close()

    async def translate(self, raw: Raw) -> Item:
        """What values say, as JSON: `{"FILLER1/state": 6}`, or with source time and status as in
        `{"FILLER1/speed": {"value": 120.5, "at": "2026-03-02T06:00:00Z", "status": "BadSensorFailure"}}`.

        The server itself tells nothing in this form; nothing of what it told is kept as a document.
        """
        from connectors.plc.mapping import Batcher  # noqa: PLC0415 - asyncua is heavy
        from connectors.plc.values import changes  # noqa: PLC0415 - the same

        now = datetime.now(UTC)
        found, unknown = changes(self._signals, raw.content, now)
        messages, faults = Batcher(self._surroundings).messages(found, now)
        return Item(messages=tuple(messages), faults=(*unknown, *faults))

    def _missed(self, bookmark: str | None, until: datetime) -> list[Gap]:
        if bookmark is None:
            return []
        since = min(datetime.fromisoformat(bookmark), until)
        reason = f"nobody was subscribed to {self._config.url}, and OPC UA keeps nothing for later"
        return [Gap("signals", since=since, until=until, reason=reason)]

    async def _subscribe(self) -> Feed[Tag]:
        from connectors.plc.mapping import Tag  # noqa: PLC0415 - asyncua is heavy
        from connectors.protocols.opcua.feed import Feed, Watch  # noqa: PLC0415 - asyncua is heavy

        feed: Feed[Tag] = Feed(self._connected(), self._config.publishing_interval_ms, self._config.buffer)
        for name, equipment in self._signals.equipment.items():
            watches = [
                Watch(
                    Tag(name, signal), self._signals.place(signal.node, equipment.path),
                    signal.sampling_interval_ms, signal.queue_size, signal.deadband,
                )
                for signal in equipment.signals
            ]  # fmt: skip
            await feed.open(watches, [f"{name}/{signal.signal} ({signal.node})" for signal in equipment.signals])
        self._feed = feed
        return feed

    def _connected(self) -> Session:
        if self._session is None or not self._session.alive:
            raise NotConnected(f"{self._config.url}: {self._trouble}")
        return self._session

    async def write(self, messages: Sequence[Message]) -> Sequence[Receipt | ConnectorError]:
        """Tell the machine, one message after another."""
        results: list[Receipt | ConnectorError] = []
        for message in messages:
            try:
                with about(message.id):
                    results.append(await self._ready().do(message))
            except ConnectorError as error:
                if isinstance(error, NotConnected) and not results:
                    raise
                results.append(error)
        return results

    def rendered(self, message: Message) -> Sequence[Rendered]:
        """The call with its arguments, or the writes."""
        from connectors.plc.commands import rendered  # noqa: PLC0415 - asyncua is heavy

        return rendered(self._signals, message)

    async def find(self, message: Message) -> Receipt | Absent:
        """Ask the machine whether it took the message."""
        return await self._ready().find(message)

    def _ready(self) -> Machine:
        self._connected()
        assert self._machine is not None  # noqa: S101 - made with the session
        return self._machine
