from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from delivery_plant import Ledger, Sink

from mombus.bus.connection import connect
from mombus.bus.embedded import EmbeddedBroker
from mombus.bus.streams import Limits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest_asyncio.fixture
async def broker(tmp_path: Path) -> AsyncIterator[EmbeddedBroker]:
    async with EmbeddedBroker(tmp_path / "broker") as running:
        yield running


@pytest_asyncio.fixture
async def bus(broker: EmbeddedBroker):
    async with connect(broker.url, limits=Limits()) as connected:
        yield connected


@pytest.fixture
def journal_path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def sink(tmp_path: Path) -> Sink:
    return Sink(Ledger(tmp_path / "mes.db"))
