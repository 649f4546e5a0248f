"""Hubs that share a journal take over a changed configuration one after the other."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest
from changing_plant import to
from hub_plant import Asker, config, order, wire
from own_broker import broker
from patience import until

from mombus.config.loader import Loaded
from mombus.config.model import Bus, Config
from mombus.desk.planning import APPLY, Apply
from mombus.desk.question import QuestionError
from mombus.hub.changing.applying import Origin
from mombus.hub.hub import Hub, open_hub

if TYPE_CHECKING:
    from pathlib import Path


async def test_each_reads_its_file_again_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgresql: str
) -> None:
    erp, mes, wms = Asker(), Asker(), Asker()
    wire(monkeypatch, {"erp": erp, "mes": mes, "wms": wms})
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(broker(tmp_path / "nats"))
        targets = ["mes"]

        def read(name: str) -> Config:
            return config(
                tmp_path, "erp", "mes", "wms", owns={"production_order": "erp"}, routes=(to(*targets, start="now"),),
                bus=Bus(broker=url, store=postgresql, folder=tmp_path / name),
            )  # fmt: skip

        async def opened(name: str) -> Hub:
            origin = Origin((tmp_path / name,), (), lambda: Loaded(read(name), (), ()))
            return await stack.enter_async_context(open_hub(read(name), origin=origin))

        hubs = [await opened("a"), await opened("b")]
        await erp.say(order("PO-1"))
        with pytest.raises(QuestionError, match="give each machine the new file"):
            await hubs[0].desk.ask(APPLY, Apply(who="ann", why="x"))
        targets.append("wms")
        for hub in hubs:
            desk = hub.desk
            assert hub.reload("ann", "edited")
            await until(lambda hub=hub, desk=desk: hub.desk is not desk)
        await until(lambda: not any(hub.desk.heard() for hub in hubs))
        await erp.say(order("PO-2"))
        await until(lambda: len(mes.got) == 2 and wms.got)
        assert [message.key for message in mes.got] == ["PO-1", "PO-2"]
        assert [message.key for message in wms.got] == ["PO-2"]
