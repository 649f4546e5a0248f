"""A hub whose parts run apart, meeting over a broker of their own: as if they were one."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from hub_plant import NOW, Asker, Owner, config, get, order, wire
from own_broker import broker
from patience import until

from canonical.message import Verb
from connectors.connector import Accept, Effect, Item, Level, NotConnected, Offer, OutcomeUnknown, Receipt, Rejected
from connectors.exchange import calling, listening
from mombus.bus.connection import connect
from mombus.config.model import Bus, Route
from mombus.desk.kept import KeptItems
from mombus.desk.question import Nothing
from mombus.desk.status import STATUS
from mombus.doctor import doctor
from mombus.doctor.check import MOST, Check, certificate
from mombus.hub import examining
from mombus.hub.apart import far_intake, remote
from mombus.hub.apart.far_intake import FarIntake
from mombus.hub.apart.remote import remote as make_remote
from mombus.hub.hub import open_hub
from mombus.hub.parts import EVERYTHING, Parts, PartsError, parse_parts
from mombus.hub.store.gate import Gate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from mombus.bus.connection import Bus as OpenBus
    from mombus.config.model import Config

DELIVERY = Parts(frozenset(), delivery=True, web=False)
WEB = Parts(frozenset(), delivery=False, web=True)


def connectors(*names: str) -> Parts:
    return Parts(frozenset(names), delivery=False, web=False)


class Findable(Asker):
    """Takes orders; each write waits until it may go on, then fails as it is told to."""

    accepts = {Offer("production_order"): Accept(Effect.FINDABLE)}  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.begun = asyncio.Event()
        self.troubles: list[Exception] = []
        self.cancelled = False

    async def write(self, messages: Any) -> Any:
        self.begun.set()
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        if self.troubles:
            return [self.troubles.pop(0)]
        self.got += messages
        return [
            Receipt(Level.POSTED, "4500001", replace(messages[0], verb=Verb.ACKNOWLEDGE, source="mes"))
            for _ in messages
        ]


@dataclass
class Apart:
    """Everything of the tests' plant, in parts."""

    config: Config
    erp: Any
    mes: Any
    bus: OpenBus

    def far(self, system: str, here: Any) -> Any:
        return make_remote(self.bus.client, "lyon", system, here)

    @property
    def intake(self) -> FarIntake:
        return FarIntake(self.bus.client, "lyon")


@asynccontextmanager
async def apart(folder: Path, monkeypatch: pytest.MonkeyPatch, erp: Any, mes: Any) -> AsyncIterator[Apart]:
    """A broker, and a configuration by which `erp` owns orders and `mes` gets them."""
    wire(monkeypatch, {"erp": erp, "mes": mes})
    monkeypatch.setattr(remote, "WATCH_S", 0.05)
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(broker(folder / "nats"))
        bus = await stack.enter_async_context(connect(url))
        settings = config(
            folder, "erp", "mes", owns={"production_order": "erp"}, bus=Bus(broker=url),
            routes=(Route(object="production_order", to=("mes",), start="snapshot"),),
        )  # fmt: skip
        yield Apart(settings, erp, mes, bus)


async def test_what_one_part_says_is_delivered_by_another_to_a_third(tmp_path, monkeypatch):
    async with apart(tmp_path, monkeypatch, Asker(), Asker()) as plant, open_hub(plant.config, parts=DELIVERY) as hub:
        async with (
            open_hub(plant.config, parts=connectors("erp")),
            open_hub(plant.config, parts=connectors("mes")) as mes,
            open_hub(plant.config, parts=WEB) as web,
        ):
            said = order("PO-1")
            outcome = await plant.erp.say(said)
            assert (outcome.accepted, outcome.key) == (True, "PO-1")
            (got,) = await plant.mes.answers(1)
            assert (got.id, got.content, got.source) == (said.with_revision(got.revision).id, said.content, "erp")
            status = await web.desk.ask(STATUS, Nothing())
            assert {row["name"]: row["health"] for row in status["systems"]} == {"erp": "ok", "mes": "ok"}
            async with httpx.AsyncClient() as client:
                page = await client.get(web.url)
                assert (page.status_code, "production order" in page.text.replace("_", " ")) == (200, True)
                assert (await client.get(f"{web.url}/metrics")).text.count("mombus_system_up") > 2
                assert (await client.get(f"{mes.url}/readyz")).status_code == 200
                assert (await client.get(mes.url)).status_code == 404
        await until(
            lambda: _is(hub, "mes", "down", "nobody runs mes: start it with `mombus run --part connectors:mes`")
        )


async def test_an_item_of_another_release_is_kept_with_its_reason(tmp_path, monkeypatch):
    pack = far_intake.pack
    monkeypatch.setattr(far_intake, "pack", lambda item: pack(item).replace(b'"version": 1', b'"version": 99'))
    async with apart(tmp_path, monkeypatch, Asker(), Asker()) as plant, open_hub(plant.config, parts=DELIVERY) as hub:
        item = Item(messages=(order("PO-1"),))
        for _ in range(2):
            (outcome,) = await plant.intake.accept("erp", item)
            assert (outcome.accepted, outcome.key) == (False, "PO-1")
            assert "has kept it" in outcome.reason
        (row,) = (await hub.desk.kept.page(KeptItems()))["rows"]
        assert "an item of version 99; this is version 1: do all parts run the same release?" in row["reason"]


async def _is(hub: Any, system: str, health: str, words: str) -> bool:
    rows = {row["name"]: row for row in (await hub.desk.status())["systems"]}
    return rows[system]["health"] == health and words in rows[system]["reason"]


async def _ended(_config: Any, system: Any) -> list[Check]:
    """More than is told: what is wrong with it last."""
    name, begins = f"system {system.name}", NOW - timedelta(days=99)
    well, ended = (certificate(name, begins, NOW + timedelta(days=days)) for days in (9999, -1))
    return [*[well] * MOST, ended]


async def test_what_is_on_the_disk_of_a_part_is_in_the_hubs_status(tmp_path, monkeypatch):
    monkeypatch.setattr(Gate, "_shut", lambda _: "the hub's disk is full")
    monkeypatch.setattr(examining, "FIRST_S", 0)
    monkeypatch.setattr(doctor, "examine_system", _ended)
    async with (
        apart(tmp_path, monkeypatch, Asker(), Asker()) as plant,
        open_hub(plant.config, parts=DELIVERY) as hub,
        open_hub(plant.config, parts=connectors("erp")),
    ):
        await plant.erp.to_say.put(Item(messages=(order("PO-1"),)))

        async def told() -> bool:
            status = await hub.desk.status()
            spools = status["hubs"][0]["spools"]
            begin = ("erp, in its own process: 1 items (", "system erp: its certificate ended on 2026-03-01: put a new")
            return all(any(line.startswith(one) for line in status["trouble"]) for one in begin) and [
                (spool["system"], spool["items"], spool["apart"], spool["reason"]) for spool in spools
            ] == [("erp", 1, True, "the hub's disk is full")]

        await until(told)


async def test_a_get_is_answered_by_a_system_of_another_part(tmp_path, monkeypatch):
    async with (
        apart(tmp_path, monkeypatch, Owner(), Asker()) as plant,
        open_hub(plant.config, parts=replace(DELIVERY, systems=frozenset({"mes"}))),
        open_hub(plant.config, parts=connectors("erp")),
    ):
        await plant.mes.say(get("PO-2"))
        await until(lambda: any(answer.verb is Verb.SHOW for answer in plant.mes.got))
        shows = [answer for answer in plant.mes.got if answer.verb is Verb.SHOW]
        assert [(show.key, show.body.id) for show in shows] == [("PO-2", "PO-2")]


async def test_without_the_hub_pages_say_so_and_a_source_waits(tmp_path, monkeypatch):
    monkeypatch.setattr(far_intake, "AGAIN_S", 0.05)
    async with (
        apart(tmp_path, monkeypatch, Asker(), Asker()) as plant,
        open_hub(plant.config, parts=replace(WEB, systems=frozenset({"erp"}))) as part,
        httpx.AsyncClient() as client,
    ):
        page = await client.get(part.url)
        assert (page.status_code, "the hub's part `delivery` doesn't run" in page.text) == (503, True)
        assert (await client.get(f"{part.url}/livez")).status_code == 200
        assert (await client.get(f"{part.url}/readyz")).status_code == 503
        saying = asyncio.create_task(plant.erp.say(order("PO-1")))
        await asyncio.sleep(0.2)
        assert not saying.done()
        async with open_hub(plant.config, parts=DELIVERY):
            assert (await saying).accepted


async def test_a_result_travels_whole_and_an_error_by_its_type(tmp_path, monkeypatch):
    mes = Findable()
    async with (
        apart(tmp_path, monkeypatch, Asker(), mes) as plant,
        open_hub(plant.config, parts=connectors("mes")),
    ):
        far = plant.far("mes", mes)
        said = order("PO-1", revision=1)
        (receipt,) = await far.write([said])
        assert receipt == Receipt(Level.POSTED, "4500001", replace(said, verb=Verb.ACKNOWLEDGE, source="mes"))
        mes.troubles = [Rejected("the period is closed")]
        (refused,) = await far.write([said])
        assert (type(refused), str(refused)) == (Rejected, "the period is closed")
        assert (await far.find(said)) == Receipt(Level.ACCEPTED)
        with pytest.raises(NotConnected, match="nobody runs erp"):
            await plant.far("erp", Asker()).write([said])


class Telling(Findable):
    """Notes what it exchanges."""

    async def write(self, messages: Any) -> Any:
        with calling("POST http://mes/orders", b"the order") as call:
            call.answered(b"taken", status="201")
        return await super().write(messages)

    async def find(self, message: Any) -> Any:
        with calling("GET http://mes/orders", b""):
            raise NotConnected("gone")


async def test_what_was_exchanged_travels_too_also_when_it_went_wrong(tmp_path, monkeypatch):
    mes = Telling()
    async with apart(tmp_path, monkeypatch, Asker(), mes) as plant, open_hub(plant.config, parts=connectors("mes")):
        far, said, noted = plant.far("mes", mes), order("PO-1", revision=1), []
        with listening(noted.append, (said.id,)):
            await far.write([said])
            with pytest.raises(NotConnected):
                await far.find(said)
        written, asked = noted
        assert written.messages == asked.messages == (said.id,)
        assert (written.exchange.request, written.exchange.response) == (b"the order", b"taken")
        assert (asked.exchange.how, asked.exchange.trouble) == ("GET http://mes/orders", "NotConnected: gone")


async def test_what_is_still_being_written_is_neither_there_nor_absent(tmp_path, monkeypatch):
    mes = Findable()
    mes.go_on.clear()
    async with (
        apart(tmp_path, monkeypatch, Asker(), mes) as plant,
        open_hub(plant.config, parts=connectors("mes")),
    ):
        far, said = plant.far("mes", mes), order("PO-1", revision=1)
        writing = asyncio.create_task(far.write([said]))
        await mes.begun.wait()
        with pytest.raises(OutcomeUnknown, match="being written right now"):
            await far.find(said)
        writing.cancel()
        await until(lambda: mes.cancelled)
        mes.go_on.set()
        assert type(await far.find(said)).__name__ == "Absent"


async def test_a_part_that_ends_while_it_writes_leaves_the_outcome_unknown(tmp_path, monkeypatch):
    monkeypatch.setattr("mombus.bus.calls.caller.LOOK_S", 0.2)
    monkeypatch.setattr("mombus.bus.calls.caller.LOST_S", 2.0)
    monkeypatch.setattr("mombus.hub.hub.DRAIN_S", 0.0)
    mes = Findable()
    mes.go_on.clear()
    async with apart(tmp_path, monkeypatch, Asker(), mes) as plant:
        far = plant.far("mes", mes)
        async with open_hub(plant.config, parts=connectors("mes")):
            writing = asyncio.create_task(far.write([order("PO-1", revision=1)]))
            await mes.begun.wait()
            await asyncio.sleep(2.5)
            assert not writing.done(), "who still works on it isn't given up"
        with pytest.raises(OutcomeUnknown):
            await writing


async def test_items_and_outcomes_larger_than_the_broker_carries_go_in_frames(tmp_path, monkeypatch):
    async with apart(tmp_path, monkeypatch, Asker(), Asker()) as plant, open_hub(plant.config, parts=DELIVERY):
        orders = tuple(order(f"PO-{n}" + "x" * 80) for n in range(300))
        monkeypatch.setattr("mombus.bus.calls.framing.ROOM_FOR_HEADERS", plant.bus.client.max_payload - 20_000)
        outcomes = await plant.intake.accept("erp", Item(messages=orders, raw=b"r" * 3_000_000, bookmark="7"))
        assert [outcome.key for outcome in outcomes] == [one.key for one in orders]
        assert await plant.intake.bookmark("erp") == "7"
        again = await plant.intake.accept("erp", Item(messages=orders))
        assert all(outcome.accepted for outcome in again)
        assert (await plant.bus.js.stream_info("MOM")).state.messages == len(orders)


async def test_a_part_speaks_for_its_own_system_only(tmp_path, monkeypatch):
    async with apart(tmp_path, monkeypatch, Asker(), Asker()) as plant, open_hub(plant.config, parts=DELIVERY):
        (outcome,) = await plant.intake.accept("mes", Item(messages=(order("PO-1"),)))
        assert (outcome.accepted, "can't speak for erp" in outcome.reason) == (False, True)


def test_parts_are_named_on_the_command_line(tmp_path):
    assert parse_parts(()) == EVERYTHING
    assert parse_parts(("connectors:erp,mes", "connectors:qms")) == connectors("erp", "mes", "qms")
    assert parse_parts(("delivery", "web")) == Parts(frozenset(), delivery=True, web=True)
    assert str(parse_parts(("web", "connectors:mes,erp"))) == "connectors:erp,mes web"
    for wrong in ("connector:erp", "connectors:", "everything"):
        with pytest.raises(PartsError, match="expected connectors:erp"):
            parse_parts((wrong,))
    plant = config(tmp_path, "erp", owns={}, bus=Bus(broker="nats://127.0.0.1:1"))
    with pytest.raises(PartsError, match="there is no system 'epr'; the systems are erp"):
        connectors("epr").check(plant)
    with pytest.raises(PartsError, match="mombus broker-config"):
        connectors("erp").check(config(tmp_path, "erp", owns={}))


def test_a_systems_own_account_runs_that_system_alone(tmp_path):
    own = Bus(broker="nats://127.0.0.1:1", credentials=tmp_path / "erp.nk")
    plant = config(tmp_path, "erp", "mes", owns={}, bus=own)
    connectors("erp").check(plant)
    for more in (connectors("erp", "mes"), connectors("mes"), Parts(frozenset({"erp"}), web=False), EVERYTHING):
        with pytest.raises(PartsError, match=r"erp\.nk is the account of erp alone.* --part connectors:erp"):
            more.check(plant)
    hubs = plant.model_copy(update={"bus": own.model_copy(update={"credentials": tmp_path / "hub.nk"})})
    EVERYTHING.check(hubs)
