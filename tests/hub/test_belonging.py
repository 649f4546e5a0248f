"""Journal and broker that don't belong together: refused with what to do, and a way on that repeats nothing."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING, Any

import nats
import pytest
from hub_plant import Asker, config, order, wire
from patience import PATIENCE_S, until

from mombus.bus.connection import connect
from mombus.bus.embedded import EmbeddedBroker
from mombus.bus.errors import NotOurs
from mombus.config.model import Route
from mombus.desk.audit import Verify
from mombus.desk.systems import Resume
from mombus.hub import note
from mombus.hub.hub import open_hub
from mombus.hub.store import adopting, belonging
from mombus.journal import audit
from mombus.journal.journal import Journal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


class Plant:
    """An ERP that states orders and an MES that gets them, with a hub that comes and goes."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.store = folder / ".mombus"
        self.monkeypatch = monkeypatch
        self.got: list[str] = []

    @asynccontextmanager
    async def hub(self) -> AsyncIterator[tuple[Asker, object]]:
        erp, mes = Asker(), Asker()
        wire(self.monkeypatch, {"erp": erp, "mes": mes})
        routes = (Route(object="production_order", to=("mes",)),)
        async with open_hub(config(
            self.folder, "erp", "mes", owns={"production_order": "erp"}, routes=routes
        )) as hub:  # fmt: skip
            yield erp, hub
            await asyncio.sleep(0)
        self.got += [message.key for message in mes.got]

    async def run(self, *keys: str) -> None:
        """A hub's life: these orders are stated and handed over."""
        async with self.hub() as (erp, hub):
            for key in keys:
                assert (await erp.say(order(key))).accepted

            async def delivered() -> bool:
                (mes,) = [row for row in (await hub.desk.status())["systems"] if row["name"] == "mes"]
                return mes["lag"] == 0 and mes["out_per_minute"] >= len(keys)

            await until(delivered)

    async def refused(self, match: str) -> None:
        with pytest.raises(NotOurs, match=match) as error:
            await self.run()
        assert "mombus journal adopt" in str(error.value)

    async def adopt(self) -> adopting.Plan:
        async with EmbeddedBroker(self.store / "broker") as broker, connect(broker.url) as bus:
            journal = await Journal.open(f"sqlite:///{self.store / 'journal.sqlite'}")
            plan = await adopting.plan(bus, journal, "lyon")
            await adopting.adopt(bus, journal, "lyon", plan, who="ada", why="the disk died")
            deed, *_ = await journal.read(audit.deeds)
            await journal.close()
        assert (deed.who, deed.action, deed.why) == ("ada", "adopt", "the disk died")
        return plan

    def copy(self, what: str) -> None:
        source = self.store / what
        if source.is_dir():
            shutil.copytree(source, self.folder / "backup")
        else:
            shutil.copy(source, self.folder / "backup")

    def restore(self, what: str) -> None:
        target = self.store / what
        if target.is_dir():
            shutil.rmtree(target)
            shutil.copytree(self.folder / "backup", target)
        else:
            self.delete(what)
            shutil.copy(self.folder / "backup", target)

    def delete(self, what: str) -> None:
        for path in self.store.glob(f"{what}*"):
            path.unlink()


@pytest.fixture
def plant(tmp_path, monkeypatch) -> Plant:
    return Plant(tmp_path, monkeypatch)


async def test_a_deleted_journal_is_not_taken_for_a_first_start(plant):
    await plant.run("PO-1", "PO-2")
    plant.delete("journal.sqlite")
    await plant.refused("the journal was deleted")
    plan = await plant.adopt()
    assert {place.inbox: place.seq for place in plan.places} == {"erp": 2, "mes": 2}
    await plant.run("PO-3")
    assert plant.got == ["PO-1", "PO-2", "PO-3"]


async def test_an_older_copy_of_the_journal_is_refused(plant):
    await plant.run("PO-1")
    plant.copy("journal.sqlite")
    await plant.run("PO-2")
    plant.restore("journal.sqlite")
    await plant.refused("the journal is an older copy")
    await plant.adopt()
    await plant.run("PO-3")
    assert plant.got == ["PO-1", "PO-2", "PO-3"]


async def test_an_older_copy_of_the_brokers_store_is_refused(plant):
    await plant.run("PO-1")
    plant.copy("broker/jetstream")
    await plant.run("PO-2", "PO-3")
    plant.restore("broker/jetstream")
    await plant.refused("MOM is an older copy .it ends at 1, the journal saw 3")
    await plant.adopt()
    await plant.run("PO-4")
    assert plant.got == ["PO-1", "PO-2", "PO-3", "PO-4"]


async def test_a_wiped_store_is_refused(plant):
    await plant.run("PO-1", "PO-2")
    shutil.rmtree(plant.store / "broker" / "jetstream")
    await plant.refused("wiped or replaced")
    await plant.adopt()
    await plant.run("PO-3")
    assert plant.got == ["PO-1", "PO-2", "PO-3"]


async def test_what_a_lost_journal_had_in_hand_counts_as_begun(plant):
    await plant.run("PO-1")
    async with EmbeddedBroker(plant.store / "broker") as broker, connect(broker.url) as bus:
        await bus.publish(order("PO-2").with_revision(1))
        subscription = await bus.js.pull_subscribe_bind("to-mes", "MOM")
        await subscription.fetch(1, timeout=PATIENCE_S)
    plant.delete("journal.sqlite")
    plan = await plant.adopt()
    (mes,) = [place for place in plan.places if place.inbox == "mes"]
    assert (mes.seq, [message.key for _, message in mes.in_hand]) == (1, ["PO-2"])
    assert str(mes) == "mes: reading goes on after 1, 1 messages there may have taken effect"
    await plant.run()
    assert plant.got == ["PO-1", "PO-2"]


async def decided(hub: Any, *whys: str) -> None:
    """Ada decides something, and it is in the trail."""
    for why in whys:
        await hub.desk.systems.resume(Resume(system="erp", who="ada", why=why))


def cut(plant: Plant, above: int) -> None:
    """Somebody who can write to the journal's file takes the newest deeds away, seals and all."""
    with closing(sqlite3.connect(plant.store / "journal.sqlite")) as file, file:
        for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            file.execute(f"DROP TRIGGER {name}")
        file.execute("DELETE FROM audit WHERE number > ?", [above])


async def test_deeds_that_were_cut_off_are_missed_because_the_broker_remembers_the_newest(plant):
    async with plant.hub() as (_, hub):
        await decided(hub, "one", "two", "three")
        assert (await hub.desk.audit.verified(Verify()))["intact"]
    cut(plant, above=1)
    async with plant.hub() as (_, hub):
        (line,) = [line for line in (await hub.desk.status())["trouble"] if line.startswith("audit trail: ")]
        assert "row 3 with the hash" in line
        await decided(hub, "four", "five", "six")
        verdict = await hub.desk.audit.verified(Verify())
        assert (verdict["intact"], verdict["number"]) == (False, 4)
        assert "cut off or written anew" in verdict["faults"][0], "new deeds don't hide it"
    await plant.adopt()
    async with plant.hub() as (_, hub):
        assert (await hub.desk.audit.verified(Verify()))["intact"]


@pytest.mark.parametrize("stream", ["MOM", "LATEST"])
async def test_a_stream_deleted_while_running_is_told(plant, monkeypatch, stream):
    monkeypatch.setattr(belonging, "EVERY_S", 0.05)
    async with plant.hub() as (erp, hub):
        await erp.say(order("PO-1"))
        client = await nats.connect(note.find(plant.store).broker)
        await client.jetstream().delete_stream(stream)
        await client.close()

        async def told() -> bool:
            return "MOM or LATEST doesn't exist" in (await hub.desk.ready()).get("store", "")

        await until(told)
        assert any(line.startswith("store: ") for line in (await hub.desk.status())["trouble"])


async def test_a_latest_that_was_deleted_is_made_anew_at_the_next_start(plant):
    await plant.run("PO-1")
    async with EmbeddedBroker(plant.store / "broker") as broker, connect(broker.url) as bus:
        await bus.js.delete_stream("LATEST")
    async with plant.hub() as (erp, _):
        assert (await erp.say(order("PO-1"))).reason == "said before"
