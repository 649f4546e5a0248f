"""A changed configuration is taken over by all hubs of a journal, in turn, and by parts in processes of their own."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from changing_plant import ChangingPlant, to
from hub_plant import Asker, config, order, wire
from own_broker import broker
from patience import PATIENCE_S, until
from two_hubs import LASTING_S

from connectors.connector import NotConnected
from mombus.bus.commands import AwayError
from mombus.config.loader import Loaded
from mombus.config.model import Bus, Config, Route
from mombus.desk.planning import APPLY, Apply
from mombus.hub.changing import trying
from mombus.hub.changing.here import Origin
from mombus.hub.hub import Hub, open_hub
from mombus.hub.parts import Parts, parse_parts
from mombus.hub.several import neighbours
from mombus.journal import clearing, leaseholder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path


class Picky(Asker):
    """Can't be connected while `refuses`, and not before `opens`; `asked` is set by who tries."""

    def __init__(self) -> None:
        super().__init__()
        self.refuses: Callable[[], bool] = lambda: False
        self.asked, self.opens = asyncio.Event(), asyncio.Event()
        self.opens.set()

    async def connect(self) -> None:
        self.asked.set()
        await self.opens.wait()
        if self.refuses():
            raise NotConnected("nobody is there")


class Together(ChangingPlant):
    """Two hubs, each with files of its own; `hub`, the first one, leads."""

    def __init__(self, folder: Path, systems: dict[str, Asker], bus: tuple[str, str]) -> None:
        super().__init__(folder, systems)
        self._bus = bus
        self.hubs: list[Hub] = []
        self.says: dict[str, Config] = {}

    def write(self, *routes: Route, systems: tuple[str, ...] = (), at: str = "ab", **more: Any) -> Config:
        """Change the files of some hubs."""
        url, store = self._bus
        for name in at:
            self.says[name] = config(
                self.folder, *(systems or self.systems), owns={"production_order": "erp"}, routes=routes,
                bus=Bus(broker=url, store=store, folder=self.folder / name), **more,
            )  # fmt: skip
        return self.says[at[0]]

    async def open(self, name: str, stack: AsyncExitStack) -> None:
        origin = Origin((self.folder / name,), (), lambda: Loaded(self.says[name], (), ()))
        self.hubs.append(await stack.enter_async_context(open_hub(self.says[name], origin=origin)))
        self.hub = self.hubs[0]

    def run(self) -> list[set[str]]:
        """The systems that each hub has now."""
        return [set(hub.config.systems) for hub in self.hubs]

    async def trouble(self) -> bool:
        return any(hub.desk.heard() for hub in self.hubs)


@asynccontextmanager
async def together(
    folder: Path, monkeypatch: pytest.MonkeyPatch, store: str, *routes: Route, systems: tuple[str, ...], **made: Asker
) -> AsyncIterator[Together]:
    everybody = {"erp": Asker(), **made}
    wire(monkeypatch, everybody)
    monkeypatch.setattr(leaseholder, "TTL_S", LASTING_S)
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(broker(folder / "nats"))
        plant = Together(folder, everybody, (url, store))
        plant.write(*routes, systems=systems)
        for name in "ab":
            await plant.open(name, stack)
        yield plant


async def test_all_hubs_change_in_turn_while_messages_flow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgresql: str
) -> None:
    wms = Picky()
    async with together(
        tmp_path, monkeypatch, postgresql, to("mes"), systems=("erp", "mes"), mes=Asker(), wms=wms
    ) as plant:
        first, second = (hub.url for hub in plant.hubs)
        async with plant.saying():
            plant.write(to("mes"), to("wms", start="now"), at="a")
            (at,) = (await plant.plan())["hubs"]
            assert (at["address"], at["how"]) == (second, "refuses")
            await _one_that_cannot_look_is_named(plant, monkeypatch)
            told = await plant.apply()
            assert told["reason"] == (
                f"the hub at {second}: its files say something else of route production_order → wms, system wms: give "
                "it the same files"
            )
            assert plant.run() == [{"erp", "mes"}] * 2

            plant.write(to("mes"), to("wms", start="now"))
            assert [at["how"] for at in (await plant.plan())["hubs"]] == ["changes"]
            wms.refuses = lambda: "wms" in plant.hubs[1].config.systems
            told = await plant.apply()
            assert told["state"] == "kept"
            assert told["reason"] == "wms can't be connected: nobody is there"
            assert told["hubs"] == [{"address": second, "state": "went back"}]
            assert plant.run() == [{"erp", "mes"}] * 2
            wms.refuses = lambda: False

            before = len(plant.said)
            told = await plant.apply()
            assert (told["state"], told["reason"]) == ("applied", None)
            assert told["hubs"] == [{"address": second, "state": "runs it"}]
            assert plant.run() == [{"erp", "mes", "wms"}] * 2
            await until(plant.trouble, good=lambda found: not found)
            await until(lambda: plant.got("wms"))

            plant.write(to("wms"), systems=("erp", "wms"))
            at_end = len(plant.said)
            told = await plant.apply()
            assert (told["state"], told["reason"]) == ("applied", None)
            assert plant.run() == [{"erp", "wms"}] * 2
        of_mes, of_wms = plant.got("mes"), plant.got("wms")
        await until(lambda: plant.got("wms")[-1] == plant.said[-1])
        tried = [key for key in plant.got("wms") if plant.said.index(key) < before]
        of_wms = plant.got("wms")[len(tried) :]
        assert tried == sorted(set(tried)), "what came of a change that wasn't made came once, in order"
        assert of_wms == plant.said[plant.said.index(of_wms[0]) :], "from one message on each once, in their order"
        assert of_mes == plant.said[: len(of_mes)], "each once, in their order"
        assert len(of_mes) >= at_end, "what was stored before it went was delivered"
        assert (await plant.apply())["state"] == "nothing to change"
        assert not await plant.hub._changing.work.core.journal.read(clearing.rows)
        deeds = [result for action, result in await plant.deeds() if action == "apply"]
        assert f"not done: the hub at {second}: its files say something else" in deeds[-1]
        assert first not in "".join(deeds), "who leads is known by who has noted it"

        await _a_system_goes_at_one_hub_first(plant)
        monkeypatch.setattr(trying, "CONNECT_S", PATIENCE_S)
        await _hubs_end_while_all_prepare(plant, wms)


async def _one_that_cannot_look_is_named(plant: Together, monkeypatch: pytest.MonkeyPatch) -> None:
    why = "the journal's database doesn't answer: connection refused"

    async def away(*_what: Any, **_more: Any) -> Any:
        raise AwayError(why)

    with monkeypatch.context() as patched:
        patched.setattr(neighbours, "pass_on", away)
        (at,) = (await plant.plan())["hubs"]
    assert (at["address"], at["how"], list(at["says"])) == (plant.hubs[1].url, "refuses", [why])


async def _a_system_goes_at_one_hub_first(plant: Together) -> None:
    """What comes for it then nobody delivers any more: it isn't put away before a person says what becomes of it."""
    leader, other = plant.hubs
    core = plant.hub._changing.work.core
    plant.write(systems=("erp",))
    assert other.reload("ann", "told to read its files again")
    await until(lambda: plant.run() == [{"erp", "wms"}, {"erp"}])
    await until(lambda: "waits until all hubs agree" in str(leader.desk.heard()))
    await until(lambda: "wms" not in core.delivery.here)
    noted = await core.journal.read(clearing.rows)
    assert ([one.target for one in noted], core.neighbours.agree()) == (["wms"], False)
    assert (await plant.systems["erp"].say(order("PO-last", lanes=("order:L",)))).accepted
    told = await plant.apply(within_s=1)
    assert told["state"] == "kept"
    assert told["reason"].startswith("wms would go, and hasn't done yet what was stored for it")
    assert "PO-last" not in plant.got("wms")
    told = await plant.apply(within_s=1, skip=("wms",))
    assert (told["state"], told["reason"], plant.run()) == ("applied", None, [{"erp"}] * 2)
    assert not await plant.hub._changing.work.core.journal.read(clearing.rows)


async def _hubs_end_while_all_prepare(plant: Together, wms: Picky) -> None:
    """One that is started again takes what its files say, as all others then do; one that stays away is told."""
    plant.write(systems=("erp",), at="abcd")
    async with AsyncExitStack() as third, AsyncExitStack() as fourth:
        await plant.open("c", third)
        await plant.open("d", fourth)
        *_, started_again, ended = (hub.url for hub in plant.hubs)
        plant.write(to("wms", start="now"), systems=("erp", "wms"), at="abcd")
        wms.opens.clear()
        wms.asked.clear()
        begun = await plant.hub.desk.ask(APPLY, Apply(who="ann", why="because"))
        await wms.asked.wait()
        await fourth.aclose()
        await third.aclose()
        del plant.hubs[2:]
        await plant.open("c", third)
        await until(lambda: _is_known(plant, plant.hubs[-1].url))
        wms.opens.set()
        told = await plant.changed(begun["number"])
        assert told["state"] == "applied"
        assert told["reason"] == f"the hub at {ended} ended meanwhile: it runs what its files say when it starts"
        states = {hub["address"]: hub["state"] for hub in told["hubs"]}
        assert states == {plant.hubs[1].url: "runs it", started_again: "runs it", ended: "ended"}
        assert plant.run() == [{"erp", "wms"}] * 3


async def _is_known(plant: Together, url: str) -> bool:
    """A hub has said that it is there some time after it has begun."""
    neighbours = plant.hub._changing.work.core.neighbours
    return any(peer.live and peer.said.address == url for peer in await neighbours.others())


async def test_parts_in_processes_of_their_own_take_it_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with AsyncExitStack() as stack:
        plant = ChangingPlant(tmp_path, {"erp": Asker(), "mes": Asker(), "wms": Asker()})
        wire(monkeypatch, plant.systems)
        url = await stack.enter_async_context(broker(tmp_path / "nats"))

        async def opened(name: str, parts: Parts) -> Hub:
            bus = Bus(broker=url, folder=tmp_path / name)

            def read() -> Loaded:
                assert plant.file.config is not None
                return Loaded(plant.file.config.model_copy(update={"bus": bus}), (), ())

            origin = Origin((tmp_path / name,), (), read)
            config = read().config
            assert config is not None
            return await stack.enter_async_context(open_hub(config, parts=parts, origin=origin))

        plant.write(to("mes"), systems=("erp", "mes"))
        plant.hub = await opened("hub", parse_parts(["delivery", "connectors:erp"]))
        part = await opened("mes", parse_parts(["connectors:mes"]))
        async with plant.saying():
            changed = plant.write(to("mes"), systems=("erp", "mes"))
            changed.systems["mes"].__dict__["contact"] = "mes@acme.example"
            await until(lambda: len(plant.got("mes")) > 5)
            assert [(one["part"], one["how"]) for one in (await plant.plan())["apart"]] == [("connectors:mes", "first")]
            told = await plant.apply()
            assert told["state"] == "kept"
            assert "have it read them again (`systemctl reload`, SIGHUP), then apply" in told["reason"]
            assert part.reload("ann", "edited")
            await until(lambda: part.config.systems["mes"].contact)
            assert [one["how"] for one in (await plant.plan())["apart"]] == ["has it"]
            assert (await plant.apply())["state"] == "applied"
            changed = plant.write(to("mes"), to("wms", start="now"))
            changed.systems["mes"].__dict__["contact"] = "mes@acme.example"
            assert "nobody runs wms: start it with `mombus run --part" in (await plant.apply())["reason"]
            assert (await plant.apply(unreached=True))["state"] == "applied"
            await opened("wms", parse_parts(["connectors:wms"]))
        await until(lambda: plant.got("mes") == plant.said)
        await until(lambda: plant.got("wms") == plant.said[-len(plant.got("wms")) :] and plant.got("wms"))
