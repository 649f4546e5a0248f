"""A hub whose configuration is changed while it runs: `erp` says orders, other systems get them."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub_plant import Asker, config, order, wire
from patience import until

from mombus.config.loader import Loaded
from mombus.config.model import Route
from mombus.desk.audit import AUDIT, Wanted
from mombus.desk.planning import APPLY, BASIS, CHANGED, PLAN, Apply, MaybeSalted, Salted
from mombus.desk.question import Nothing
from mombus.hub.changing.here import Origin
from mombus.hub.hub import Hub, open_hub

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import pytest

    from mombus.config.model import Config

DONE = ("applied", "nothing to change", "kept")


def to(*targets: str, **more: Any) -> Route:
    return Route(object="production_order", to=targets, **more)


class ChangingPlant:
    """`said` are the orders that the hub has taken, in their order, while `saying` goes on."""

    def __init__(self, folder: Path, systems: dict[str, Asker]) -> None:
        self.folder = folder
        self.systems = systems
        self.said: list[str] = []
        self.hub: Hub
        self.file: Loaded

    def write(self, *routes: Route, owner: str = "erp", systems: tuple[str, ...] = (), **more: Any) -> Config:
        """Change the file: who there is, what goes where."""
        made = config(
            self.folder, *(systems or self.systems), owns={"production_order": owner}, routes=routes, **more
        )  # fmt: skip
        self.file = Loaded(made, (), ())
        return made

    async def plan(self) -> Any:
        return (await self.hub.desk.ask(PLAN, MaybeSalted()))["plan"]

    async def apply(self, **more: Any) -> Any:
        """How it ended."""
        begun = await self.hub.desk.ask(APPLY, Apply(**{"who": "ann", "why": "because", "within_s": 120, **more}))
        return await self.changed(begun["number"])

    async def changed(self, number: int) -> Any:
        async def ended() -> Any:
            found = await self.hub.desk.ask(CHANGED, Nothing())
            return found if found["number"] == number and found["state"] in DONE else None

        return await until(ended)

    @asynccontextmanager
    async def saying(self) -> AsyncIterator[None]:
        """The ERP says one order after the other, all in one lane."""
        going = True

        async def say() -> None:
            while going:
                key = f"PO-{len(self.said):05}"
                outcome = await self.systems["erp"].say(order(key, lanes=("order:L",)))
                assert outcome.accepted, outcome
                self.said.append(key)
                await asyncio.sleep(0.01)

        running = asyncio.create_task(say())
        await until(lambda: len(self.said) > 5)
        try:
            yield
            count = len(self.said)
            await until(lambda: len(self.said) > count + 5)
        finally:
            going = False
            await running

    async def deeds(self) -> list[tuple[str, str]]:
        """What was done, with what came of it."""
        return [(deed["action"], deed["result"]) for deed in await self.hub.desk.ask(AUDIT, Wanted())]

    async def waiting(self, target: str) -> int:
        """How many messages wait for it."""
        flow = (await self.hub.desk.ask(BASIS, Salted(salt="0" * 32)))["flow"]
        return sum(waits["count"] for waits in flow["waiting"] if waits["target"] == target)

    def got(self, name: str) -> list[str]:
        return [message.key for message in self.systems[name].got]


@asynccontextmanager
async def changing_plant(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *routes: Route, systems: tuple[str, ...] = (), **made: Asker
) -> AsyncIterator[ChangingPlant]:
    """The hub with `routes` between those of `made` that are in `systems`, or all of them."""
    plant = ChangingPlant(folder, {"erp": Asker(), **made})
    wire(monkeypatch, plant.systems)
    first = plant.write(*routes, systems=systems)
    origin = Origin((folder / "routes.yaml",), (), lambda: plant.file)
    async with open_hub(first, origin=origin) as plant.hub:
        running = asyncio.create_task(plant.hub.run())
        yield plant
        assert not running.done(), "the hub has ended by itself"
        running.cancel()
