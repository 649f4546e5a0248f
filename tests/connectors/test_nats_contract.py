"""A system that speaks NATS itself under the contract suite: a plain nats-py client at a real broker."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from zoneinfo import ZoneInfo

import nats
import pytest
import yaml
from nats.aio.client import Client
from nats.errors import Error
from patience import PATIENCE_S
from pydantic import ValidationError

from canonical.isa95.resources import MaterialDefinition
from canonical.message import Message, Verb
from connectors.connector import (
    ConfigError,
    Effect,
    Halted,
    Lacking,
    Level,
    MappingError,
    NotConnected,
    Offer,
    Outcome,
    OutcomeUnknown,
    Receipt,
    Rejected,
    RetryableError,
    Surroundings,
)
from connectors.contract import ConnectorContract, Harness, SinkContract, SourceContract
from connectors.protocols.nats import Nats, NatsConfig
from connectors.protocols.nats.arrival import arrived
from mombus.bus.embedded import EmbeddedBroker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from nats.aio.msg import Msg

DOCS = Path(__file__).parents[2] / "docs" / "nats.md"
HERE = Surroundings(system="wms", site="lyon", timezone=ZoneInfo("Europe/Paris"))


class System:
    """The system: it says things until they are stored, and does what it is told once."""

    def __init__(self) -> None:
        self.client: Client
        self.done: dict[str, int] = {}
        self.refuses: set[str] = set()
        self.answers: list[bytes] = []
        self.swallow = False
        self.told: list[Msg] = []

    async def run(self, url: str) -> None:
        self.client = await nats.connect(url, max_reconnect_attempts=-1, reconnect_time_wait=0.05, error_cb=_quiet)
        await self.client.subscribe("wms.take.>", cb=self._take)
        await self.client.subscribe("wms.find", cb=self._find)
        await arrived(self.client)

    async def say(self, subject: str, content: bytes, headers: dict[str, str] | None = None) -> dict[str, Any]:
        """As long as nobody takes it, it is said again."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                with suppress(Error, TimeoutError):
                    answer = await self.client.request(subject, content, timeout=2, headers=headers)
                    if (said := json.loads(answer.data))["status"] != "later":
                        return said
                await asyncio.sleep(0.05)

    async def _take(self, message: Msg) -> None:
        self.told.append(message)
        id, key = message.headers["ce-id"], message.headers["ce-subject"]
        if self.answers:
            await message.respond(self.answers.pop(0))
        elif key in self.refuses:
            await message.respond(json.dumps({"status": "rejected", "reason": "no such place"}).encode())
        else:
            self.done.setdefault(id, 1)
            if self.swallow:
                self.swallow = False
            else:
                await message.respond(self._did(id))

    async def _find(self, message: Msg) -> None:
        id = json.loads(message.data)["id"]
        await message.respond(self._did(id) if id in self.done else b'{"status": "absent"}')

    def _did(self, id: str) -> bytes:
        return json.dumps({"status": "accepted", "document": f"D-{id[:8]}"}).encode()


async def _quiet(_error: Exception) -> None:
    """An outage is part of the test."""


class NatsHarness(Harness):
    def __init__(self, folder: Path) -> None:
        self.broker = EmbeddedBroker(folder / "broker")
        self.system = System()
        self.saying: set[asyncio.Task[Any]] = set()
        self._numbers = count(1)

    async def start(self) -> None:
        await self.broker.start()
        await self.system.run(self.broker.url)

    async def stop(self) -> None:
        for task in self.saying:
            task.cancel()
        await self.system.client.close()
        await self.broker.stop()

    async def kill(self) -> None:
        await self.broker.stop()

    async def restart(self) -> None:
        await self.broker.start()
        async with asyncio.timeout(PATIENCE_S):
            while not self.system.client.is_connected:  # noqa: ASYNC110 - the client has no event for it
                await asyncio.sleep(0.02)

    def connector(self, **more: object) -> Nats:
        declared = {"says": ["material"], "takes": ["material"], "answers": ["material"], "timeout_s": 8.0, **more}
        return Nats(NatsConfig.model_validate({"connector": "nats", "url": self.broker.url, **declared}), HERE)

    async def say(self, count: int) -> list[str]:
        keys = [f"M-{next(self._numbers)}" for _ in range(count)]
        for key in keys:
            self._begin("wms.say.material.sync", json.dumps({"id": key}).encode())
        return keys

    async def say_badly(self) -> None:
        self._begin("wms.say.material", b'{"id": ""')

    def _begin(self, subject: str, content: bytes) -> None:
        self.saying.add(asyncio.create_task(self.system.say(subject, content)))

    def good(self, count: int) -> list[Message]:
        return [material(f"T-{next(self._numbers)}") for _ in range(count)]

    def bad(self) -> Message:
        self.system.refuses.add("T-0")
        return material("T-0")

    async def effects(self, message: Message) -> int:
        return self.system.done.get(message.id, 0)

    async def swallow_next_reply(self) -> None:
        self.system.swallow = True


def material(key: str, **more: Any) -> Message:
    now = datetime.now(UTC)
    return Message.of(
        "material", MaterialDefinition(id=key), source="erp", site="lyon", occurred=now, recorded=now, revision=1,
        **more,
    )  # fmt: skip


class TestNats(SourceContract, SinkContract, ConnectorContract):
    exempt: ClassVar[dict[str, str]] = {
        "test_says_again_what_its_documents_mean": "what it says is canonical already: no document is kept"
    }

    def make_harness(self, tmp_path: Path) -> Harness:
        return NatsHarness(tmp_path)


@pytest.fixture
async def plant(tmp_path: Path) -> AsyncIterator[NatsHarness]:
    harness = NatsHarness(tmp_path)
    await harness.start()
    yield harness
    await harness.stop()


@contextlib.asynccontextmanager
async def hearing(connector: Nats) -> AsyncIterator[list[Message]]:
    """What it says, taken as a hub does: settled as stored, but `X-` is refused."""
    heard: list[Message] = []
    await connector.connect()

    async def hear() -> None:
        async for item in connector.read(None):
            said = [one for one in item.messages if isinstance(one, Message)]
            heard.extend(said)
            assert item.settle is not None
            await item.settle([
                Outcome(one.id, one.key, accepted=not one.key.startswith("X-"), reason=None) for one in said
            ])  # fmt: skip

    task = asyncio.create_task(hear())
    try:
        yield heard
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await connector.close()


async def test_each_is_told_what_became_of_what_it_said(plant: NatsHarness) -> None:
    async with hearing(plant.connector()) as heard:
        said = plant.system.say
        answers = await asyncio.gather(
            said("wms.say.material.sync", b'{"id": "A"}'), said("wms.say.material", b'{"id": "B", "colour": 1}'),
            said("wms.say.material.sync", b'{"id": "X-1"}'), said("wms.say.equipment.sync", b'{"id": "E"}'),
        )  # fmt: skip
    assert [answer["status"] for answer in answers] == ["stored", "kept", "refused", "kept"]
    assert "colour" in answers[1]["reason"]
    assert "nothing that it is declared to say: material" in answers[3]["reason"]
    assert answers[0]["id"] == next(one.id for one in heard if one.key == "A")


async def test_headers_say_more_and_take_no_id(plant: NatsHarness) -> None:
    headers = {
        "ce-time": "2026-03-02T09:14:05+01:00", "ce-revision": "7", "ce-by": "Ren%C3%A9e",
        "ce-origin": "person", "ce-posting": "2026-03-01",
        "ce-id": "stolen", "Nats-Msg-Id": "stolen", "ce-lanes": "order:PO-1", "ce-to": "mes",
    }  # fmt: skip
    async with hearing(plant.connector()) as heard:
        await plant.system.say("wms.say.material.sync", b'{"id": "A"}', headers)
        await plant.system.say("wms.say.material.sync", b"", {"ce-action": "Delete", "ce-subject": "A"})
    first, deleted = heard
    assert (first.revision, first.by, first.origin, str(first.posting)) == (7, "Renée", "person", "2026-03-01")
    assert first.occurred.isoformat() == "2026-03-02T09:14:05+01:00"
    assert (first.source, first.to, first.lanes) == ("wms", None, ("material:A",))
    assert "stolen" not in first.id
    assert (deleted.action, deleted.key, deleted.content) == ("Delete", "A", b"")


@pytest.mark.parametrize(
    ("headers", "content", "words"),
    [
        ({"ce-time": "2026-03-02T09:14:05"}, b'{"id": "A"}', "no time with its offset"),
        ({"ce-revision": "-1"}, b'{"id": "A"}', "no number that grows"),
        ({"ce-action": "Explode"}, b'{"id": "A"}', "none of Add"),
        ({"ce-origin": "alien"}, b'{"id": "A"}', "none of machine"),
        ({"ce-posting": "monday"}, b'{"id": "A"}', "no date"),
        ({"ce-subject": "B"}, b'{"id": "A"}', "the body is about 'A'"),
        ({}, b"", "the body is missing"),
        ({}, b'{"id": "A", "id": "B"}', "there twice"),
        ({}, b"[1]", "a JSON object"),
        ({}, b'{"id": NaN}', "NaN"),
        ({}, b'{"a":' * 5000 + b"1" + b"}" * 5000, "nested deeper"),
    ],
)
async def test_what_makes_no_sense_is_kept_and_the_next_is_taken(
    plant: NatsHarness, headers: dict[str, str], content: bytes, words: str
) -> None:
    async with hearing(plant.connector()) as heard:
        answer = await plant.system.say("wms.say.material.sync", content, headers or None)
        assert (answer["status"], words in answer["reason"]) == ("kept", True), answer
        assert (await plant.system.say("wms.say.material.sync", b'{"id": "A"}'))["status"] == "stored"
    assert [one.key for one in heard] == ["A"]


async def test_more_than_may_wait_is_told_to_come_later(plant: NatsHarness) -> None:
    connector = plant.connector(max_waiting=3)
    statuses: set[str] = set()
    async with asyncio.timeout(PATIENCE_S):
        while not statuses:
            await connector.connect()
            request = plant.system.client.request
            asked = [asyncio.create_task(request("wms.say.material.sync", b"{}", timeout=5)) for _ in range(5)]
            done, _ = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
            statuses |= {json.loads(task.result().data)["status"] for task in done if task.exception() is None}
            for task in asked:
                task.cancel()
    assert statuses == {"later"}
    await connector.close()


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b'{"status": "accepted", "document": "4711"}', Receipt(Level.POSTED, "4711")),
        (b'{"status": "accepted"}', Receipt(Level.ACCEPTED)),
        (b'{"status": "received"}', Receipt(Level.RECEIVED)),
        (b'{"status": "rejected", "reason": "no such place"}', Rejected),
        (b'{"status": "lacking", "reason": "no caps"}', Lacking),
        (b'{"status": "later", "after_s": 60}', RetryableError),
        (b'{"status": "absent"}', OutcomeUnknown),
        (b'{"status": "done"}', OutcomeUnknown),
        (b'{"status": "accepted", "document": 7}', OutcomeUnknown),
        (b"OK", OutcomeUnknown),
        (b"", OutcomeUnknown),
        (b"[" * 5000, OutcomeUnknown),
    ],
)
async def test_an_answer_means_what_it_says(plant: NatsHarness, answer: bytes, expected: Any) -> None:
    connector = plant.connector()
    await connector.connect()
    plant.system.answers.append(answer)
    (result,) = await connector.write([material("A")])
    await connector.close()
    if isinstance(expected, Receipt):
        assert result == expected
    else:
        assert type(result) is expected
    assert getattr(result, "retry_after_s", None) == (60 if b"after_s" in answer else None)
    assert plant.system.told[-1].headers["ce-subject"] == "A"


async def test_nobody_there_is_not_connected_and_told(plant: NatsHarness) -> None:
    connector = plant.connector(takes=["production_order"], subject="elsewhere")
    await connector.connect()
    (result,) = await connector.write([material("A")])
    assert isinstance(result, NotConnected)
    assert "nobody answers on elsewhere.take.material.sync" in (await connector.probe()).reason
    with pytest.raises(NotConnected):
        await connector.find(material("A"))
    await connector.close()


async def test_a_get_is_answered_with_what_it_has(plant: NatsHarness) -> None:
    connector = plant.connector()
    answers = [b'[{"id": "A"}, {"id": "B"}]', b'{"id": "A"}', b"[]", b'{"status": "rejected", "reason": "no"}', b"{}"]

    async def has(message: Msg) -> None:
        await message.respond(answers.pop(0))

    await plant.system.client.subscribe("wms.get.material", cb=has)
    await arrived(plant.system.client)
    await connector.connect()
    get = material("A", verb=Verb.GET)
    found = [[show.key async for show in connector.answer(get)] for _ in range(3)]
    assert found == [["A", "B"], ["A"], []]
    with pytest.raises(Rejected, match="no"):
        await anext(connector.answer(get))
    with pytest.raises(MappingError, match="id: Field required"):
        await anext(connector.answer(get))
    await connector.close()


async def test_wrong_credentials_halt_and_unreadable_ones_are_named(plant: NatsHarness, tmp_path: Path) -> None:
    (tmp_path / "wrong.login").write_text("hub:wrong")
    url = f"nats://{plant.broker.url.rpartition('@')[2]}"
    with pytest.raises(Halted, match="refuses the credentials"):
        await plant.connector(url=url, credentials=str(tmp_path / "wrong.login")).connect()
    with pytest.raises(ConfigError, match=r"gone\.nk can't be read") as unreadable:
        await plant.connector(url=url, credentials=str(tmp_path / "gone.nk")).connect()
    assert unreadable.value.field == "credentials"


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ({"says": ["material/acknowledge"]}, "what it is asked it answers in its reply"),
        ({"says": ["metarial"]}, "metarial"), ({"takes": ["material/get"]}, "gets are for `answers`"),
        ({"takes": ["material/shout"]}, "no verb"), ({"subject": "mom.x"}, "the hub's own"),
        ({"subject": "$JS.API"}, "pattern"), ({"subject": "a.>"}, "pattern"), ({"url": "http://x"}, "pattern"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(field: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        NatsConfig.model_validate({"connector": "nats", "url": "nats://x", **field})


def test_the_example_of_the_how_to_is_a_working_declaration() -> None:
    found = re.search(r"```yaml\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
    assert found is not None
    connector = Nats(NatsConfig.model_validate(yaml.safe_load(found[1])["systems"]["board"]), HERE)
    assert Offer("production_order", Verb.GET) in connector.offers
    assert connector.accepts[Offer("production_order")].effect is Effect.IDEMPOTENT
