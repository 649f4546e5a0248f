"""One running hub for all tests of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest_asyncio
from small_plant import SmallPlant, small_plant

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import pytest


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def plant(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SmallPlant]:
    async with small_plant(tmp_path_factory.mktemp("plant")) as running:
        yield running
