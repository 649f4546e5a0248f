"""The configuration is changed while messages flow: none is lost, none repeated, their order is kept."""

from __future__ import annotations

import gc
import sqlite3
import weakref
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from changing_plant import changing_plant, to
from hub_plant import Asker, order
from patience import until
from sqlalchemy.exc import OperationalError

from connectors.connector import NotConnected, PermanentError
from mombus.bus.streams import MOM
from mombus.config.model import Http
from mombus.desk.messages import MESSAGES_SEARCH, MessagesSearch
from mombus.desk.planning import PLAN, MaybeSalted
from mombus.hub import note
from mombus.hub.changing import left
from mombus.hub.hub import folder_of
from mombus.journal import clearing

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any


class Strict(Asker):
    """Refuses everything while `strict`."""

    strict = True

    async def write(self, messages: Any) -> Any:
        if self.strict:
            return [PermanentError("not in this plant") for _ in messages]
        return await super().write(messages)


class Away(Asker):
    """Can't be connected while `away`."""

    away = False

    async def connect(self) -> None:
        if self.away:
            raise NotConnected("nobody is there")


async def test_targets_come_and_go_and_rules_change_while_messages_flow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with changing_plant(
        tmp_path, monkeypatch, to("mes"), systems=("erp", "mes"), mes=Asker(), wms=Asker()
    ) as plant:
        async with plant.saying():
            plant.write(to("mes"), to("wms", start="now"))
            assert [change["what"] for change in (await plant.plan())["changes"]] == ["wms", "production_order → wms"]
            before = len(plant.said)
            assert (await plant.apply())["state"] == "applied"
            plant.write(to("mes", map='$merge([body, {"description": "beer"}])'), to("wms"))
            at_map = len(plant.said)
            assert (await plant.apply())["state"] == "applied"
            await until(lambda: plant.systems["mes"].got[-1].content.count(b"beer"))
            plant.write(to("mes", map='$merge([body, {"description": "beer"}])'), systems=("erp", "mes"))
            at_end = len(plant.said)
            assert (await plant.apply())["state"] == "applied"
        await until(lambda: len(plant.got("mes")) >= len(plant.said))
        assert plant.got("mes") == plant.said, "each once, in their order"
        of_wms = plant.got("wms")
        first = plant.said.index(of_wms[0])
        assert of_wms == plant.said[first : first + len(of_wms)], "from one message to another without a hole"
        assert first >= before, "what was there before it came is none of its"
        assert len(of_wms) + first >= at_end, "what was stored before it went was delivered"
        mapped = [b"beer" in message.content for message in plant.systems["mes"].got]
        assert mapped == sorted(mapped), "by the old rule, and from one message on by the new one"
        assert mapped.index(True) >= at_map
        assert await plant.apply() == {
            "number": 4,
            "state": "nothing to change",
            "step": "",
            "reason": None,
            "hubs": [],
        }


async def test_another_owner_is_believed_from_then_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with changing_plant(tmp_path, monkeypatch, to("wms"), mes=Asker(), wms=Asker()) as plant:
        async with plant.saying():
            refused = await plant.systems["mes"].say(order("PO-M", source="mes"))
            assert not refused.accepted
        plant.write(to("wms"), owner="mes")
        assert (await plant.apply())["state"] == "applied"
        assert (await plant.systems["mes"].say(order("PO-M", source="mes"))).accepted
        assert not (await plant.systems["erp"].say(order("PO-E"))).accepted
        await until(lambda: len(plant.got("wms")) > len(plant.said))
        assert plant.got("wms") == [*plant.said, "PO-M"]


async def test_what_cannot_be_connected_leaves_all_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wms, mes = Away(), Away()
    async with changing_plant(tmp_path, monkeypatch, to("mes"), systems=("erp", "mes"), mes=mes, wms=wms) as plant:
        async with plant.saying():
            wms.away = True
            plant.write(to("mes", "wms"))
            desk = plant.hub.desk
            told = await plant.apply()
            assert told["state"] == "kept"
            assert told["reason"] == "wms can't be connected: nobody is there"
            assert plant.hub.desk is desk, "what runs wasn't touched"
            mes.away = True
            plant.write(to("mes", within="15m"), systems=("erp", "mes"), bus=None, http=None)
            plant.file.config.systems["mes"].__dict__["contact"] = "mes@acme.example"
            told = await plant.apply()
            assert (told["state"], told["reason"]) == ("kept", "mes can't be connected: nobody is there")
            mes.away = False
        await until(lambda: len(plant.got("mes")) >= len(plant.said))
        assert (plant.got("mes"), plant.got("wms")) == (plant.said, [])
        deeds = await plant.deeds()
        assert ("apply", "not done: wms can't be connected: nobody is there") in deeds
        plant.write(to("mes", "wms"))
        assert (await plant.apply(unreached=True))["state"] == "applied"


async def test_what_waits_for_what_goes_is_decided_by_a_person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mes = Strict()
    async with changing_plant(tmp_path, monkeypatch, to("mes", "wms"), mes=mes, wms=Asker()) as plant:
        for key in ("PO-1", "PO-2"):
            await plant.systems["erp"].say(order(key))

        await until(lambda: plant.waiting("mes"), good=lambda count: count == 2)
        plant.write(to("wms"), systems=("erp", "wms"))
        (fate,) = [fate for fate in (await plant.plan())["in_flight"] if fate["decide"]]
        assert (fate["count"], fate["becomes"]) == (2, "orphaned")
        told = await plant.apply()
        assert (told["state"], "messages wait for what would go (2 for mes)" in told["reason"]) == ("kept", True)
        told = await plant.apply(skip=("mes", "wms"))
        assert told["reason"] == "wms doesn't go: --skip and --keep are for systems that are removed"
        assert (await plant.apply(keep=("mes",)))["state"] == "applied"
        (left,) = (await plant.plan())["left"]
        assert (left["target"], left["count"]) == ("mes", 2)
        await plant.systems["erp"].say(order("PO-3"))
        mes.strict = False
        plant.write(to("mes", "wms"))
        assert (await plant.apply())["state"] == "applied"
        await until(lambda: plant.got("mes") == ["PO-3"])
        assert await plant.waiting("mes") == 2, "kept, and it goes on where it was"
        plant.write(to("wms"), systems=("erp", "wms"))
        assert (await plant.apply(skip=("mes",)))["state"] == "applied"
        assert not (await plant.plan())["left"]
        deeds = await plant.deeds()
        assert ("skip", "2 waiting messages skipped: there is no system 'mes' any more") in deeds
        skipped = MessagesSearch(state=("skipped",))
        await until(lambda: plant.hub.desk.ask(MESSAGES_SEARCH, skipped), good=lambda told: len(told["messages"]) == 2)
        plant.write(to("mes", "wms", start="now"))
        assert (await plant.apply())["state"] == "applied"
        await plant.systems["erp"].say(order("PO-4"))
        await until(lambda: plant.got("mes") == ["PO-3", "PO-4"])


async def test_only_what_was_planned_is_applied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with changing_plant(tmp_path, monkeypatch, to("mes"), mes=Asker(), wms=Asker()) as plant:
        plant.write(to("mes", "wms"))
        salt = "00112233445566778899aabbccddeeff"
        planned = await plant.hub.desk.ask(PLAN, MaybeSalted(salt=salt))
        wish = {"base": planned["plan"]["base"], "to": planned["plan"]["to"], "salt": salt}
        plant.write(to("wms"))
        assert "the files say something else" in (await plant.apply(**wish))["reason"]
        plant.write(to("mes", "wms"))
        assert (await plant.apply(**wish))["state"] == "applied"
        assert "the hub runs another configuration" in (await plant.apply(**wish))["reason"]
        plant.write(to("mes"), http=Http(port=1))
        assert "it takes a restart of the hub: http: port" in (await plant.apply())["reason"]


async def test_who_gives_no_time_to_finish_is_told_what_would_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with changing_plant(tmp_path, monkeypatch, to("mes"), mes=Asker(), wms=Asker()) as plant:
        plant.write(to("wms"), systems=("erp", "wms"))
        told = await plant.apply(within_s=0)
        assert told["state"] == "kept"
        assert told["reason"].startswith("mes would go, and hasn't done yet what was stored for it within 0 s")
        plant.write(to("mes", "wms"))
        assert (await plant.apply(within_s=0))["state"] == "applied"


async def test_what_works_is_not_called_refused_when_clearing_up_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def clear(*_: Any, **__: Any) -> None:
        raise OperationalError("DELETE FROM starts", {}, sqlite3.OperationalError("disk I/O error"))

    async with changing_plant(tmp_path, monkeypatch, to("mes"), mes=Asker(), wms=Asker()) as plant:
        with monkeypatch.context() as patch:
            patch.setattr(left, "clear", clear)
            plant.write(to("wms"), systems=("erp", "wms"))
            told = await plant.apply()
        assert told["state"] == "applied"
        assert told["reason"].endswith("cleared up: the journal's database doesn't answer: disk I/O error")
        journal = plant.hub._changing.work.core.journal
        await until(lambda: journal.read(clearing.rows), good=lambda rows: not rows)
        await plant.systems["erp"].say(order("PO-1"))
        await until(lambda: plant.got("wms") == ["PO-1"])
        assert (await plant.apply())["state"] == "nothing to change"


async def test_commands_find_the_hub_by_what_it_works_with_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with changing_plant(tmp_path, monkeypatch, to("mes"), mes=Asker(), wms=Asker()) as plant:
        folder = folder_of(plant.hub.config)
        left_first = note.find(folder)
        note.leave(folder, replace(left_first, token="of yesterday"))
        plant.write(to("mes", "wms"))
        assert (await plant.apply())["state"] == "applied"
        assert note.find(folder) == left_first
    with pytest.raises(note.NoHub):
        note.find(folder)


async def test_nothing_of_what_worked_before_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with changing_plant(tmp_path, monkeypatch, to("mes"), mes=Asker(), wms=Asker()) as plant:
        desk = weakref.ref(plant.hub.desk)
        plant.write(to("mes", "wms"))
        assert (await plant.apply())["state"] == "applied"

        def is_gone() -> bool:
            gc.collect()
            return desk() is None

        await until(is_gone)
        consumers = await plant.hub._changing.work.core.bus.js.consumers_info(MOM)
        assert len([one for one in consumers if not one.config.durable_name]) == 1, "the index has one reader"
