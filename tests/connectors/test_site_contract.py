"""Another site under the contract suite, against its real broker; and what its statements are called here."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, ClassVar
from zoneinfo import ZoneInfo

import pytest
from patience import until

from canonical.isa95.resources import MaterialDefinition
from canonical.message import Message
from connectors.connector import Gap, Halted, Surroundings
from connectors.contract import ConnectorContract, Harness, SourceContract
from connectors.site import Site, SiteConfig
from mombus.bus.connection import connect
from mombus.bus.embedded import EmbeddedBroker
from mombus.bus.errors import BrokerError
from mombus.bus.streams import Limits, ensure_streams

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


def material(key: str, text: str = "water", **more: object) -> Message:
    now = datetime.now(UTC)
    body = MaterialDefinition(id=key, description=text)
    return Message.of(
        "material", body, source="erp", site="lyon", occurred=now, recorded=now, **{"revision": 1, **more}
    )


class SiteHarness(Harness):
    def __init__(self, folder: Path) -> None:
        self.broker = EmbeddedBroker(folder / "lyon")
        self._numbers = count(1)

    async def start(self) -> None:
        await self.broker.start()
        await self.publish()

    async def stop(self) -> None:
        await self.broker.stop()

    async def kill(self) -> None:
        await self.broker.stop()

    async def restart(self) -> None:
        await until(self._is_back)

    async def _is_back(self) -> bool:
        try:
            await self.broker.start()
        except BrokerError:
            return False  # a connection of somebody else's has its port for a moment
        return True

    def connector(self, **more: object) -> Site:
        config = SiteConfig.model_validate(
            {"connector": "site", "url": self.broker.url, "site": "lyon", "objects": ["material"], **more}
        )
        return Site(config, Surroundings(system="hq", site="nantes", timezone=ZoneInfo("Europe/Paris")))

    async def publish(self, *messages: Message) -> None:
        async with connect(self.broker.url, limits=Limits()) as bus:
            for message in messages:
                await bus.publish(message)

    async def say(self, count: int) -> list[str]:
        keys = [f"M-{next(self._numbers)}" for _ in range(count)]
        await self.publish(*map(material, keys))
        return keys

    async def say_badly(self) -> None:
        async with connect(self.broker.url) as bus:
            await bus.js.publish(material("M-0").subject, b"{}", headers={"ce-type": "mom.material.sync"})


class TestSite(SourceContract, ConnectorContract):
    exempt: ClassVar[dict[str, str]] = {
        "test_says_again_what_its_documents_mean": "what another site states is canonical already: no document is kept"
    }

    def make_harness(self, tmp_path: Path) -> Harness:
        return SiteHarness(tmp_path)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[SiteHarness]:
    harness = SiteHarness(tmp_path)
    await harness.start()
    yield harness
    await harness.stop()


async def heard(connector: Site, bookmark: str | None = None) -> tuple[list[Message | Gap], str | None]:
    """All that is said up to the first bookmark that isn't the one of before."""
    messages: list[Message | Gap] = []
    await connector.connect()
    reading = connector.read(bookmark)
    async for item in reading:
        messages += item.messages
        assert item.faults == ()
        if item.bookmark is not None:
            await reading.aclose()
            await connector.close()
            return messages, item.bookmark
    raise AssertionError("the reading ended")


async def test_a_first_reading_brings_the_latest_of_each_state(site: SiteHarness) -> None:
    await site.publish(material("A", "old"), material("B"), material("A", "new", revision=2))
    said, _ = await heard(site.connector())
    newest = {m.key: (m.revision, m.body.description) for m in said}
    assert newest == {"A": (2, "new"), "B": (1, "water")}
    assert {(m.source, m.site, m.to) for m in said} == {("hq", "nantes", None)}


async def test_corrections_go_on_naming_what_they_correct_under_ids_of_their_own(site: SiteHarness) -> None:
    first = material("A")
    await site.publish(first, material("B", revises=first.id))
    said, _ = await heard(site.connector())
    by_key = {m.key: m for m in said}
    assert by_key["B"].revises == by_key["A"].id != first.id


async def test_a_body_that_travelled_apart_comes_whole(site: SiteHarness) -> None:
    text = "x" * 3_000_000
    await site.publish(material("A", text))
    said, _ = await heard(site.connector())
    assert {(m.key, m.body.description, m.claim) for m in said} == {("A", text, None)}


async def test_a_stream_made_anew_is_told_as_a_gap(site: SiteHarness) -> None:
    _, bookmark = await heard(site.connector())
    async with connect(site.broker.url) as bus:
        await bus.js.delete_stream("MOM")
        await ensure_streams(bus.js, Limits())
    (gap,), after = await heard(site.connector(), bookmark)
    assert isinstance(gap, Gap)
    assert "made anew" in gap.reason
    assert after != bookmark


async def test_refused_credentials_halt(site: SiteHarness) -> None:
    wrong = f"nats://hub:wrong@{site.broker.url.rpartition('@')[2]}"
    connector = site.connector(url=wrong)
    with pytest.raises(Halted, match="refuses the credentials for site lyon"):
        await connector.connect()
    with suppress(Exception):
        await connector.close()
