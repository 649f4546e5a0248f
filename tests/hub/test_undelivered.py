"""While a system is away, everybody sees what it hasn't got: since when, about which orders, and what to do."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from hub_plant import NOW, Asker, config, order, wire
from patience import until

from connectors.connector import Halted, NotConnected, Receipt
from mombus.config.model import Route
from mombus.desk.journey import JOURNEY, Number
from mombus.desk.messages import MESSAGES_SEARCH, MessagesSearch
from mombus.desk.night import NIGHT
from mombus.desk.question import Nothing
from mombus.hub.desk.undelivered import undelivered
from mombus.hub.hub import open_hub

if TYPE_CHECKING:
    from collections.abc import Sequence

    from canonical.message import Message


class Away(Asker):
    """Can be taken from the line."""

    trouble: Exception | None = NotConnected("no connection to http://mes: Connection refused")

    async def connect(self) -> None:
        if self.trouble is not None:
            raise self.trouble

    async def write(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        await self.connect()
        return await super().write(messages)


async def test_what_a_system_that_is_away_lacks_is_on_every_page(tmp_path, monkeypatch):
    erp, mes = Asker(), Away()
    wire(monkeypatch, {"erp": erp, "mes": mes})
    route = Route(object="production_order", to=("mes",))
    async with open_hub(config(tmp_path, "erp", "mes", owns={"production_order": "erp"}, routes=(route,))) as hub:
        for number in range(3):
            await erp.say(order(f"PO-{number}"))

        async def told() -> bool:
            rows = (await hub.desk.ask(NIGHT, Nothing()))["undelivered"]
            return bool(rows) and rows[0]["count"] == 3

        await until(told)
        night = await hub.desk.ask(NIGHT, Nothing())
        (row,) = night["undelivered"]
        assert (row["target"], row["health"], row["orders"]) == ("mes", "down", ["PO-0", "PO-1", "PO-2"])
        assert row["objects"] == {"production_order": 3}
        assert row["do"] == "get mes to answer: they go by themselves then, in their order"
        (way,) = (way for line in night["lines"] for way in line["ways"])
        assert night["systems"] == [], "it is told of once"
        assert (way["word"], way["waiting"], way["orders"]) == ("down", 3, row["orders"])
        assert way["since"] == row["since"]
        assert [line for line in night["trouble"] if line.endswith("; 3 messages wait for it")]

        async def is_known() -> bool:
            journey = await hub.desk.ask(JOURNEY, Number(number="PO-1"))
            return len(journey["hops"]) == 2

        await until(is_known)
        _stored, hop = (await hub.desk.ask(JOURNEY, Number(number="PO-1")))["hops"]
        assert (hop["target"], hop["state"], hop["waits"]) == ("mes", "not sent yet", True)
        assert "Connection refused" in hop["reason"]
        found = await hub.desk.ask(MESSAGES_SEARCH, MessagesSearch(order=("PO-2",)))
        (arrival,) = found["messages"][0]["hops"]
        assert (arrival["target"], arrival["state"]) == ("mes", "not sent yet")

        mes.trouble = None

        async def all_gone() -> bool:
            return not (await hub.desk.ask(NIGHT, Nothing()))["undelivered"]

        await until(all_gone)

        async def arrived() -> bool:
            (arrival,) = (await hub.desk.ask(JOURNEY, Number(number="PO-1")))["hops"][1:]
            return bool(arrival["state"] == "delivered")

        await until(arrived)
        await until(lambda: len(mes.got) == 3)
        assert [message.key for message in mes.got] == ["PO-0", "PO-1", "PO-2"]


async def test_a_halted_system_says_what_a_person_must_do(tmp_path, monkeypatch):
    erp, mes = Asker(), Away()
    mes.trouble = Halted("the password has expired")
    wire(monkeypatch, {"erp": erp, "mes": mes})
    route = Route(object="production_order", to=("mes",))
    async with open_hub(config(tmp_path, "erp", "mes", owns={"production_order": "erp"}, routes=(route,))) as hub:
        await erp.say(order("PO-0"))

        async def told() -> bool:
            return bool((await hub.desk.ask(NIGHT, Nothing()))["undelivered"])

        await until(told)
        (row,) = (await hub.desk.ask(NIGHT, Nothing()))["undelivered"]
    assert (row["health"], row["count"]) == ("halted", 1)
    assert row["do"] == "mend the cause, then `mombus resume mes`: they go then, in their order"


def test_the_oldest_comes_first_and_who_looks_after_it_is_named() -> None:
    rows = undelivered(
        [system("wms", 2), system("erp", 1), system("qms", 3, health="ok"), system("mes", 0)],
        {"erp": "sap@acme.example", "wms": None}, {7: ["PO-7"]}, NOW + timedelta(hours=1),
    )  # fmt: skip
    assert [(row["target"], row["age_s"]) for row in rows] == [("wms", 3480.0), ("erp", 3540.0)][::-1]
    assert rows[0]["do"] == "get erp to answer, or call sap@acme.example: they go by themselves then, in their order"
    assert rows[0]["orders"] == ["PO-7"]
    assert rows[1]["count"] == 500, "those that weren't looked at yet count, too"


def test_what_the_shards_of_a_system_lack_is_told_together() -> None:
    one = system("erp", 1)
    (held,) = one["in_hand"]
    other = {**held, "count": 2, "lanes": ["equipment:LABELLER1"], "lanes_total": 30}
    (row,) = undelivered([{**one, "in_hand": [held, other]}], {}, {}, NOW)
    assert (row["objects"], row["orders_total"]) == ({"downtime": 6}, 31), "also of lanes that aren't named"
    assert row["orders"] == ["equipment:CAPPER1", "equipment:LABELLER1"]


def system(name: str, minute: int, health: str = "down") -> dict[str, Any]:
    since: datetime = NOW + timedelta(minutes=minute)
    held = {
        "object": "downtime", "count": 4, "since": since.isoformat(), "late": 0, "seqs": [7, 8],
        "lanes": ["equipment:CAPPER1"], "lanes_total": 1,
    }  # fmt: skip
    return {
        "name": name, "health": health, "reason": "away", "condition": "reconnecting", "lag": 500,
        "in_hand": [held] if minute else [],
    }  # fmt: skip


async def test_a_hub_that_begins_knows_how_its_routes_went_last(tmp_path, monkeypatch):
    erp, mes = Asker(), Asker()
    wire(monkeypatch, {"erp": erp, "mes": mes})
    settings = config(
        tmp_path, "erp", "mes", owns={"production_order": "erp"},
        routes=(Route(object="production_order", to=("mes",)),),
    )  # fmt: skip

    async def way(hub) -> dict[str, Any]:
        night = await hub.desk.ask(NIGHT, Nothing())
        (found,) = (way for line in night["lines"] for way in line["ways"])
        return dict(found)

    async with open_hub(settings) as hub:
        assert (await way(hub))["word"] == "nothing yet"
        await erp.say(order("PO-1"))
        before = await until(partial(way, hub), good=lambda way: way["last"])
    async with open_hub(settings) as hub:
        assert (await way(hub)) | {"per_minute": 0} == before | {"per_minute": 0}
