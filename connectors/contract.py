"""The contract suite: what every connector is held to, run against a real server. It needs pytest and pytest-asyncio.

A connector joins with a harness (how to start its real system, make it talk, count effects) and one class:

    class RestHarness(Harness): ...

    class TestRest(SourceContract, SinkContract, ConnectorContract):
        def make_harness(self, tmp_path: Path) -> Harness:
            return RestHarness(tmp_path)

A rule that can't apply is exempted with its reason, and shows as skipped with it:

        exempt = {"test_goes_on_from_its_bookmark": "OPC UA values that nobody subscribed to are gone"}
"""

from __future__ import annotations

import asyncio
import socket
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from canonical.message import Message
from connectors.connector import (
    Absent,
    ConnectorError,
    Gap,
    Health,
    NotConnected,
    OutcomeUnknown,
    PermanentError,
    Probe,
    Raw,
    Receipt,
    RetryableError,
    Translates,
)
from connectors.exchange import Noted, listening

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from connectors.connector import Connector, Item, Sink, Source

PATIENCE_S = 90.0
"""How long a suite waits for the thing itself: so long that a busy machine is no reason to fail."""
PROBE_S = 20.0


class Harness(ABC):
    """One real system on loopback, and the connector that speaks with it.

    The system keeps what it was told over `kill` and `restart`, and comes back at the same address.
    """

    tells_gaps: ClassVar[bool] = False
    """True if the first item after an outage must carry a Gap."""

    @abstractmethod
    async def start(self) -> None:
        """Start the system; return when it takes connections."""

    @abstractmethod
    async def stop(self) -> None:
        """Stop it for good and free everything; also after `kill`."""

    @abstractmethod
    async def kill(self) -> None:
        """Take the system away as abruptly as it can be done here."""

    @abstractmethod
    async def restart(self) -> None:
        """Bring it back at the same address, with what it knew."""

    @abstractmethod
    def connector(self) -> Any:
        """A new connector configured for the system. Called before `start` too: the address is known then."""

    async def say(self, count: int) -> list[str]:
        """Make the system say `count` new things; return the marks by which `heard` will know them."""
        raise NotImplementedError

    async def say_badly(self) -> None:
        """Make the system say something that can't become a message."""
        raise NotImplementedError

    def heard(self, item: Item) -> list[str]:
        """The marks of what an item says; the messages' keys unless the harness knows better."""
        return [message.key for message in item.messages if isinstance(message, Message)]

    def good(self, count: int) -> list[Message]:
        """New messages the sink can take, each another thing, the same offer."""
        raise NotImplementedError

    def bad(self) -> Message:
        """A message the sink can't say or the system refuses: its result is a PermanentError."""
        raise NotImplementedError

    async def effects(self, message: Message) -> int:
        """How often the message took effect in the system, asked from the system itself."""
        raise NotImplementedError

    async def swallow_next_reply(self) -> None:
        """Make the system do the next write and lose its answer."""
        raise NotImplementedError


class Suite:
    """What the contracts share: the harness, exemptions, and short ways to drive a connector."""

    exempt: ClassVar[dict[str, str]] = {}

    def make_harness(self, tmp_path: Path) -> Harness:
        raise NotImplementedError("give the suite its harness")

    @pytest.fixture
    async def harness(self, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Harness]:
        reason = self.exempt.get(request.node.originalname)
        if reason is not None:
            pytest.skip(reason)
        harness = self.make_harness(tmp_path)
        await harness.start()
        try:
            yield harness
        finally:
            await harness.stop()

    @pytest.fixture
    async def connector(self, harness: Harness) -> AsyncIterator[Any]:
        connector = harness.connector()
        await connector.connect()
        try:
            yield connector
        finally:
            await connector.close()


class ConnectorContract(Suite):
    """`Connector`: constructing, connecting, closing, probing."""

    async def test_constructing_does_no_io(self, harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: object, **__: object) -> None:
            raise AssertionError("a constructor opened a connection")

        monkeypatch.setattr(socket.socket, "connect", refuse)
        monkeypatch.setattr(socket, "getaddrinfo", refuse)
        harness.connector()

    async def test_closes_without_having_connected(self, harness: Harness) -> None:
        await harness.connector().close()

    async def test_connects_twice(self, harness: Harness) -> None:
        connector = harness.connector()
        await connector.connect()
        await connector.connect()
        await self._becomes(connector, {Health.OK, Health.DEGRADED})
        await connector.close()

    async def test_probes_always(self, harness: Harness) -> None:
        """Before connect, connected, when the system is gone, after close: never raises, says why it isn't well."""
        connector = harness.connector()
        await self._probe(connector)
        await connector.connect()
        await self._becomes(connector, {Health.OK, Health.DEGRADED})
        await harness.kill()
        await self._becomes(connector, {Health.DEGRADED, Health.DOWN})
        await connector.close()
        await self._probe(connector)

    async def test_says_when_nobody_is_there_and_recovers(self, harness: Harness) -> None:
        await harness.kill()
        connector = harness.connector()
        try:
            await connector.connect()
        except RetryableError:
            pass
        else:
            assert await self._unwell(connector), "connect found nobody and said nothing"
        await harness.restart()
        await _connected(connector)
        await self._becomes(connector, {Health.OK, Health.DEGRADED})
        await connector.close()

    async def _becomes(self, connector: Connector, healths: set[Health]) -> None:
        """Ask until it is: a system that answers late counts as down for as long."""
        async with asyncio.timeout(PATIENCE_S):
            while (await self._probe(connector)).health not in healths:  # noqa: ASYNC110 - it has to be asked
                await asyncio.sleep(0.01)

    async def _unwell(self, connector: Connector) -> bool:
        return (await self._probe(connector)).health is not Health.OK

    async def _probe(self, connector: Connector) -> Probe:
        async with asyncio.timeout(PROBE_S):
            probe = await connector.probe()
        assert probe.health is Health.OK or probe.reason, "a connector that isn't well says why"
        return probe


class SourceContract(Suite):
    """`Source`: hears what the system says, survives its bad items and its outages."""

    async def test_hears_what_the_system_says(self, harness: Harness, connector: Any) -> None:
        async with _Ear(harness, connector) as ear:
            said = await harness.say(3)
            await ear.hears(said)
            system = harness.connector()
            for message in ear.messages:
                assert (message.object, message.verb) in system.offers, f"{message.object} {message.verb} isn't offered"
                assert message.occurred.tzinfo is not None
                assert message.id
                assert message.body is not None

    async def test_says_again_what_its_documents_mean(self, harness: Harness, connector: Any) -> None:
        """What is stored as it came is translated again by a connector that was never connected."""
        async with _Ear(harness, connector) as ear:
            await ear.hears(await harness.say(2))
            await harness.say_badly()
            await ear.hears(await harness.say(1))
        again = harness.connector()
        assert isinstance(again, Translates)
        assert ear.documents, "no document was kept"
        for item in ear.documents:
            raw = Raw(
                content=item.raw or b"", content_type=item.content_type, document=item.document, channel=item.channel
            )  # fmt: skip
            told = await again.translate(raw)
            assert _meaning(item) <= _meaning(told)
            assert {fault.raw for fault in item.faults} <= {fault.raw for fault in told.faults}

    async def test_a_bad_item_stops_nobody(self, harness: Harness, connector: Any) -> None:
        async with _Ear(harness, connector) as ear:
            await harness.say_badly()
            await ear.hears(await harness.say(1))
            assert ear.faults, "the bad item was dropped without a word"
            assert all(fault.reason and fault.place for fault in ear.faults)

    async def test_goes_on_from_its_bookmark(self, harness: Harness, connector: Any) -> None:
        """What was said while nobody listened is heard from the bookmark on, by a new connector."""
        async with _Ear(harness, connector) as ear:
            await ear.hears(await harness.say(2))
            bookmark = ear.bookmark
        await connector.close()
        said = await harness.say(2)
        again = harness.connector()
        await again.connect()
        async with _Ear(harness, again, bookmark) as ear:
            await ear.hears(said)
        await again.close()

    async def test_hears_again_after_an_outage(self, harness: Harness, connector: Any) -> None:
        async with _Ear(harness, connector) as ear:
            await ear.hears(await harness.say(1))
            await harness.kill()
            await ear.lost()
            bookmark = ear.bookmark
        await harness.restart()
        await _connected(connector)
        async with _Ear(harness, connector, bookmark) as ear:
            await ear.hears(await harness.say(1))
            if harness.tells_gaps:
                assert ear.gaps, "an outage was passed over in silence"
                assert all(gap.until is None or gap.since <= gap.until for gap in ear.gaps)


class SinkContract(Suite):
    """`Sink`: one result per message in order, one effect per message, whatever happens in between."""

    async def test_accepts_what_it_writes(self, harness: Harness) -> None:
        accepts = harness.connector().accepts
        message = harness.good(1)[0]
        assert (message.object, message.verb) in accepts

    async def test_answers_each_message_in_order(self, harness: Harness, connector: Any) -> None:
        first, last = harness.good(2)
        results = await _write(connector, [first, harness.bad(), last])
        assert isinstance(results[0], Receipt), results[0]
        assert isinstance(results[1], PermanentError), results[1]
        assert str(results[1])
        assert isinstance(results[2], Receipt), results[2]
        assert [await harness.effects(message) for message in (first, last)] == [1, 1]

    async def test_what_went_over_the_wire_is_noted_for_its_message(self, harness: Harness, connector: Any) -> None:
        """`connectors.exchange.calling` around each call, so that people see what was sent and answered."""
        messages = harness.good(2)
        noted: list[Noted] = []
        with listening(noted.append, tuple(message.id for message in messages)):
            await _write(connector, messages)
        assert [one.messages for one in noted] == [(message.id,) for message in messages]
        for one in noted:
            assert one.exchange.request
            assert one.exchange.request_size >= len(one.exchange.request)
            assert one.exchange.response is not None
            assert one.exchange.trouble is None
            assert "://" not in one.exchange.how or "@" not in one.exchange.how

    async def test_finds_what_took_effect_and_nothing_else(self, harness: Harness, connector: Any) -> None:
        done, never = harness.good(2)
        assert await connector.find(done) == Absent()
        await _write(connector, [done])
        assert isinstance(await connector.find(done), Receipt)
        assert await connector.find(never) == Absent()

    async def test_recognises_a_message_it_had(self, harness: Harness, connector: Any) -> None:
        """For IDEMPOTENT sinks, and for FINDABLE ones that recognise it as well."""
        message = harness.good(1)[0]
        await _write(connector, [message])
        await _write(connector, [message])
        assert await harness.effects(message) == 1

    async def test_an_outage_loses_nothing_and_doubles_nothing(self, harness: Harness, connector: Any) -> None:
        message = harness.good(1)[0]
        await harness.kill()
        try:
            result = (await connector.write([message]))[0]
        except NotConnected as error:
            result = error
        assert isinstance(result, RetryableError | OutcomeUnknown), result
        with pytest.raises((NotConnected, OutcomeUnknown)):
            await connector.find(message)
        await harness.restart()
        await _connected(connector)
        if isinstance(await _found(connector, message), Absent):
            assert isinstance((await connector.write([message]))[0], Receipt)
        assert await harness.effects(message) == 1

    async def test_an_answer_that_got_lost_is_looked_up(self, harness: Harness, connector: Any) -> None:
        message = harness.good(1)[0]
        await harness.swallow_next_reply()
        noted: list[Noted] = []
        with listening(noted.append, (message.id,)):
            result = (await connector.write([message]))[0]
        assert isinstance(result, OutcomeUnknown), result
        lost = noted[-1].exchange
        assert (lost.response, lost.request != b"", bool(lost.trouble)) == (None, True, True)
        await _connected(connector)
        assert isinstance(await _found(connector, message), Receipt)
        assert await harness.effects(message) == 1


class _Ear:
    """Reads a source in a task and collects what it says, as the hub would."""

    def __init__(self, harness: Harness, source: Source, bookmark: str | None = None) -> None:
        self.messages: list[Message] = []
        self.gaps: list[Gap] = []
        self.faults: list[Any] = []
        self.documents: list[Item] = []
        self.bookmark = bookmark
        self._marks: set[str] = set()
        self._harness, self._source = harness, source
        self._news = asyncio.Event()

    async def __aenter__(self) -> _Ear:
        self._task = asyncio.create_task(self._listen())
        await asyncio.sleep(0)
        return self

    async def __aexit__(self, *_: object) -> None:
        await _ended(self._task)

    async def _listen(self) -> None:
        async for item in self._source.read(self.bookmark):
            self.messages += [message for message in item.messages if isinstance(message, Message)]
            self.gaps += [gap for gap in item.messages if isinstance(gap, Gap)]
            self.faults += item.faults
            self.documents += [item] if item.raw else []
            self._marks.update(self._harness.heard(item))
            self.bookmark = item.bookmark or self.bookmark
            if item.settle is not None:
                await item.settle(_taken(item))
            self._news.set()

    async def hears(self, said: Sequence[str]) -> None:
        """Wait until all of it was heard."""
        async with asyncio.timeout(PATIENCE_S):
            while missing := set(said) - self._marks:
                if self._task.done():
                    self._task.result()
                    raise AssertionError(f"read ended and never said {sorted(missing)}")
                self._news.clear()
                waiting = asyncio.create_task(self._news.wait())
                await asyncio.wait((waiting, self._task), return_when=asyncio.FIRST_COMPLETED)
                waiting.cancel()

    async def lost(self) -> None:
        """Wait until reading says that the connection is gone."""
        with pytest.raises(NotConnected):
            async with asyncio.timeout(PATIENCE_S):
                await self._task


async def _ended(task: asyncio.Task[None]) -> None:
    """Cancel a task until it has ended: a client library may swallow a cancellation that comes just then."""
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=0.1)
    await asyncio.gather(task, return_exceptions=True)


def _meaning(item: Item) -> set[tuple[str, str, bytes]]:
    return {(m.object, m.key, m.content) for m in item.messages if isinstance(m, Message)}


def _taken(item: Item) -> list[Any]:
    from connectors.connector import Outcome  # noqa: PLC0415 - only items that settle need it

    return [Outcome(m.id, m.key, accepted=True) for m in item.messages if isinstance(m, Message)]


async def _write(sink: Sink, messages: Sequence[Message]) -> list[Receipt | ConnectorError]:
    """Write in the batches the sink accepts; every call must answer each of its messages."""
    results: list[Receipt | ConnectorError] = []
    batch = min(
        accept.batch for offer, accept in sink.accepts.items() if offer in {(m.object, m.verb) for m in messages}
    )
    for start in range(0, len(messages), batch):
        part = messages[start : start + batch]
        answers = await sink.write(part)
        assert len(answers) == len(part), f"{len(answers)} results for {len(part)} messages"
        results += answers
    return results


async def _connected(connector: Any) -> None:
    """Connect as the hub does: again and again until it works."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                await connector.connect()
            except RetryableError:
                await asyncio.sleep(0.1)
            else:
                return


async def _found(connector: Any, message: Message) -> Receipt | Absent:
    """Look a message up as the hub does, until it is known: a system may be back before it answers."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                found: Receipt | Absent = await connector.find(message)
            except (RetryableError, OutcomeUnknown):
                await asyncio.sleep(0.1)
            else:
                return found
