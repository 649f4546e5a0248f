"""Leaving a hub ends, whatever its systems do."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from hub_plant import Asker, Quiet, config, wire
from patience import PATIENCE_S

from mombus.hub import hub as hub_module
from mombus.hub.hub import open_hub


class Deaf(Asker):
    """Doesn't notice the first time that it is to end."""

    async def read(self, bookmark):
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()
        yield


class Clinging(Quiet):
    """Says goodbye for ever."""

    async def close(self) -> None:
        await asyncio.Event().wait()


async def test_a_part_that_does_not_notice_and_a_system_that_clings_hold_nobody(tmp_path, monkeypatch):
    monkeypatch.setattr(hub_module, "CLOSE_S", 0.2)
    wire(monkeypatch, {"mes": Deaf(), "erp": Clinging()})
    loop = asyncio.get_running_loop()
    async with open_hub(config(tmp_path, "mes", "erp", owns={"production_order": "erp"})):
        await asyncio.sleep(0.1)
        leaving = loop.time()
    assert loop.time() - leaving < PATIENCE_S
