"""A configuration is changed hub by hub: while two of them disagree about what a target gets, none of them writes."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from hub_plant import Asker, config, order, until, wire
from own_broker import broker

from mombus.config.model import Bus, Config, Route
from mombus.hub.hub import Hub, open_hub
from mombus.hub.several.sharing import routes

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

OLD = Route(object="production_order", to=("mes", "wms"), start="snapshot")
NEW = (
    Route(object="production_order", to=("mes",), when="body.description = 'new'", start="snapshot"),
    Route(object="production_order", to=("wms",), start="snapshot"),
)


def settings(folder: Path, url: str, store: str, name: str, *its_routes: Route) -> Config:
    return config(
        folder, "erp", "mes", "wms", owns={"production_order": "erp"}, routes=its_routes,
        bus=Bus(broker=url, store=store, folder=folder / name),
    )  # fmt: skip


async def test_a_target_waits_until_all_hubs_agree_about_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgresql: str
) -> None:
    erp, mes, wms = Asker(), Asker(), Asker()
    wire(monkeypatch, {"erp": erp, "mes": mes, "wms": wms})
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(broker(tmp_path / "nats"))

        async def said_by(hub: Hub) -> bool:
            trouble = "\n".join((await hub.desk.status())["trouble"])
            return "what goes to mes waits until all hubs agree about it" in trouble and "goes to wms" not in trouble

        async with open_hub(settings(tmp_path, url, postgresql, "old", OLD)) as old:
            await erp.say(order("PO-1"))
            await until(lambda: len(mes.got) == len(wms.got) == 1)
            new = await stack.enter_async_context(open_hub(settings(tmp_path, url, postgresql, "new", *NEW)))
            for hub in (old, new):
                await until(lambda hub=hub: said_by(hub))
            await until(lambda: "mes" not in [*old.desk._delivery.here, *new.desk._delivery.here])
            await erp.say(order("PO-2"))
            await erp.say(order("PO-3", "new"))
            await until(lambda: len(wms.got) == 3)
            assert [message.key for message in mes.got] == ["PO-1"]
        await until(lambda: len(mes.got) == 2)
        assert [message.key for message in mes.got] == ["PO-1", "PO-3"], "by the routes that hold now"
        assert not new.desk.heard()


def test_what_a_target_gets_is_told_apart_by_route_and_owner(tmp_path: Path) -> None:
    old, new = (routes(settings(tmp_path, "nats://x", "postgresql://x/y", "a", *some)) for some in ((OLD,), NEW))
    assert (set(old), set(new)) == ({"erp", "mes", "wms"}, {"erp", "mes", "wms"})
    assert {name for name in old if old[name] != new[name]} == {"mes"}
