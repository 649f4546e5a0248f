"""Another site's statements, read from its own mombus: enterprise-wide objects such as material, or what it has made.

Each site keeps its own hub and broker and works on when the line between them is cut. What it said meanwhile waits in
its own stream (store and forward) and is read on from the bookmark. Joined as NATS leaf nodes, the sites' brokers keep
streams of their own; reading makes nothing there, no consumer either.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, ClassVar, Self

from pydantic import AfterValidator, Field, model_validator

from canonical.message import Verb
from canonical.objects import Kind, data_object
from canonical.subjects import LATEST_ROOT, filter_subject, token
from connectors.connector import (
    ConfigError,
    ConnectorConfig,
    Gap,
    Health,
    Item,
    NotConnected,
    Offer,
    Probe,
    RetryableError,
    Surroundings,
    waits,
)
from connectors.protocols.nats.login import BrokerConfig
from connectors.site.line import Line
from connectors.site.said import said_here

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from connectors.site.line import Stored

MOM, LATEST = "MOM", "LATEST"
LOOK_S = 0.5
"""How often it is looked whether more was said."""
OVERLAP = 10_000
"""So many messages before the last one are read besides LATEST, which gets them some milliseconds later."""


def _stated(name: str) -> str:
    try:
        row = data_object(name)
    except LookupError as unknown:
        raise ValueError(str(unknown)) from None
    if name == "gap":
        raise ValueError("'gap' is every system's own: it is told where something is missing")
    if row.kind is Kind.SIGNAL:
        raise ValueError(f"{name} is a signal: it stays at its site")
    return name


class SiteConfig(BrokerConfig):
    """Where the other site's mombus is, and what it tells us."""

    url: str = Field(
        pattern=r"^(nats|tls)://",
        description="Broker to read through: our own, joined to the other site's as a leaf node, or the other site's.",
    )
    site: str = Field(
        pattern=r"^[a-z][a-z0-9_-]{0,31}$", description="The other site, as its own `plant: {site: …}` says."
    )
    joined: bool = Field(
        default=False, description="Our broker was joined to the other site's by `mombus broker-config --site`."
    )
    domain: str | None = Field(
        default=None,
        description="JetStream domain of the other site's broker, where brokers are joined by that; none if `url` is "
        "that broker.",
    )
    objects: tuple[Annotated[str, AfterValidator(_stated)], ...] = Field(
        min_length=1, description="What it tells us: data objects that it owns, also for us."
    )

    @model_validator(mode="after")
    def _joined_one_way(self) -> Self:
        if self.joined and self.domain:
            raise ValueError("either joined, or domain: brokers that broker-config joined need no domain")
        return self


class Site:
    """The other site as a system of ours: it says what its own systems stated there."""

    Config: ClassVar[type[ConnectorConfig]] = SiteConfig
    summary: ClassVar[str] = "Another site: what its own mombus says, over a line that may be cut."

    def __init__(self, config: SiteConfig, surroundings: Surroundings) -> None:
        if config.site == surroundings.site:
            raise ConfigError(
                f"'{config.site}' is this site itself: name the other one, as its own `plant: {{site: …}}` says", "site"
            )
        self._config = config
        self._surroundings = surroundings
        self.offers = frozenset(Offer(name, Verb.SYNC) for name in config.objects)
        self._line: Line | None = None
        self._last_data: datetime | None = None

    async def connect(self) -> None:
        """As Connector.connect. The site is there when its stream answers."""
        await self.close()
        line = Line(self._config, self._surroundings.folder)
        try:
            await line.open()
            await line.facts(MOM)
        except BaseException:
            await line.close()
            raise
        self._line = line

    async def close(self) -> None:
        """As Connector.close."""
        line, self._line = self._line, None
        if line is not None:
            await line.close()

    async def probe(self) -> Probe:
        """As Connector.probe."""
        try:
            async with asyncio.timeout(1.0):
                await self._open().facts(MOM)
        except (RetryableError, TimeoutError) as error:
            reason = str(error) or f"site {self._config.site} doesn't answer"
            return Probe(Health.DOWN, reason, self._last_data)
        return Probe(Health.OK, last_data=self._last_data)

    async def read(self, bookmark: str | None) -> AsyncIterator[Item]:
        """As Source.read. Without a bookmark: the latest of every state first, then what is said from now on."""
        line = self._open()
        last, created, _ = await line.facts(MOM)
        known, _, seq = (bookmark or "").rpartition(" ")
        if not bookmark:
            async for item in self._latest(line, last):
                yield item
            yield Item(bookmark=f"{created} {last}", settle=waits)
        elif known != created:
            yield self._other_stream(f"{created} {last}")
        else:
            last = int(seq)
        while True:
            async for batch in line.messages(MOM, self._subject, last):
                last = batch[-1].sequence
                item = await self._item(line, batch)
                yield replace(item, bookmark=f"{created} {last}")
            await asyncio.sleep(LOOK_S)
            if (await line.facts(MOM)).created != created:
                raise NotConnected(f"the stream of site {self._config.site} was made anew")

    def _open(self) -> Line:
        if self._line is None:
            raise NotConnected(f"not connected to site {self._config.site}")
        return self._line

    @property
    def _subject(self) -> str:
        """What is read: one object, or all of which those that aren't declared are left out."""
        objects = self._config.objects
        return self._stated(objects[0] if len(objects) == 1 else None)

    def _stated(self, name: str | None) -> str:
        return filter_subject(site=self._config.site, object=name, verb=Verb.SYNC)

    async def _latest(self, line: Line, last: int) -> AsyncIterator[Item]:
        """What every owner there says now about its states; the bookmark comes after all of it.

        LATEST may be behind MOM, and MOM forgets in time: what LATEST may lack yet is read in MOM.
        """
        behind = max(0, last - (await line.facts(LATEST)).lag - OVERLAP)
        states = [name for name in self._config.objects if data_object(name).kind is Kind.STATE]
        for name in states:
            kept = f"{LATEST_ROOT}.{token(self._config.site)}.{name}.>"
            for stream, subject, after in ((LATEST, kept, 0), (MOM, self._stated(name), behind)):
                async for batch in line.messages(stream, subject, after):
                    yield await self._item(line, batch)

    async def _item(self, line: Line, batch: Sequence[Stored]) -> Item:
        self._last_data = datetime.now(UTC)
        said = [await said_here(line, one, self._surroundings) for one in batch if one.object in self._config.objects]
        return Item(
            messages=tuple(message for message, _ in said if message is not None),
            faults=tuple(fault for _, fault in said if fault is not None), settle=waits,
        )  # fmt: skip

    def _other_stream(self, bookmark: str) -> Item:
        now = datetime.now(UTC)
        reason = "its broker's store was made anew: what it said before can't be read any more"
        gap = Gap(what=", ".join(self._config.objects), since=self._last_data or now, until=now, reason=reason)
        return Item(messages=(gap,), bookmark=bookmark, settle=waits)
