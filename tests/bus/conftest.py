from __future__ import annotations

import pytest

from mombus.bus.connection import connect
from mombus.bus.embedded import EmbeddedBroker
from mombus.bus.streams import Limits


@pytest.fixture
async def broker(tmp_path):
    async with EmbeddedBroker(tmp_path / "broker") as running:
        yield running


@pytest.fixture
async def bus(broker):
    async with connect(broker.url, limits=Limits()) as connected:
        yield connected
