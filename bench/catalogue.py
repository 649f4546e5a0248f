"""A connector for the bench's hub: states as many materials as it is told to, takes every one it is given."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from canonical.isa95.resources import MaterialDefinition
from canonical.message import Message
from connectors.connector import (
    Absent,
    Accept,
    ConnectorConfig,
    Effect,
    Health,
    Item,
    Level,
    Offer,
    Probe,
    Receipt,
    Surroundings,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

MATERIAL = Offer("material")
IN_ONE_ITEM = 500


class CatalogueConfig(ConnectorConfig):
    """What it needs."""

    keys: int = Field(default=0, ge=0, description="How many materials it states.")


class Catalogue:
    """States and takes materials."""

    Config: ClassVar[type[ConnectorConfig]] = CatalogueConfig
    summary = "States materials for the bench."

    def __init__(self, config: CatalogueConfig, surroundings: Surroundings) -> None:
        self._keys = config.keys
        self._surroundings = surroundings
        self.offers = frozenset({MATERIAL})
        self.accepts = {MATERIAL: Accept(Effect.IDEMPOTENT, batch=500, level=Level.POSTED)}

    async def connect(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to close."""

    async def probe(self) -> Probe:
        """Always well."""
        return Probe(Health.OK)

    async def read(self, bookmark: str | None) -> AsyncIterator[Item]:
        """All of them once, from the bookmark on, then nothing more."""
        for start in range(int(bookmark or 0), self._keys, IN_ONE_ITEM):
            end = min(start + IN_ONE_ITEM, self._keys)
            yield Item(messages=tuple(self.material(number) for number in range(start, end)), bookmark=str(end))
        await asyncio.Event().wait()

    async def write(self, messages: Sequence[Message]) -> list[Receipt]:
        """Take them."""
        return [Receipt(Level.POSTED)] * len(messages)

    async def find(self, _message: Message) -> Receipt | Absent:
        """Never asked: it is idempotent."""
        return Absent()

    def material(self, number: int) -> Message:
        """One of them."""
        now = datetime.now(UTC)
        body = MaterialDefinition(id=f"M-{number:06}", description=f"Material {number}")
        return Message.of(
            "material", body, source=self._surroundings.system, site=self._surroundings.site, occurred=now, recorded=now
        )
