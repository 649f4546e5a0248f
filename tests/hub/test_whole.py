"""Any of several hubs shows the whole: what each has, its disk and spools, every flow, and who doesn't answer."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx
import pytest
from hub_plant import Asker, order
from patience import PATIENCE_S, until
from sqlalchemy import text
from two_hubs import held, two_hubs

from connectors.connector import Item
from connectors.exchange import calling
from mombus.bus.commands import AwayError
from mombus.bus.errors import NotReachable
from mombus.desk.messages import MESSAGES_SEARCH, MessagesSearch
from mombus.desk.question import Nothing
from mombus.desk.stages import DIFF, STAGES, DiffAsked, Side, Stage, StagesAsked
from mombus.desk.status import STATUS
from mombus.hub.apart.far_desk import FarDesk
from mombus.hub.hub import Hub
from mombus.hub.several import neighbours, whole
from mombus.hub.several.sharing import HOUSE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from mombus.bus.connection import Bus as Connection
    from mombus.hub.desk.frontdesk import FrontDesk


class Calling(Asker):
    """Its calls can be overheard."""

    async def write(self, messages: Any) -> Any:
        with calling("POST http://mes/orders", b"{}" * 20_000) as call:
            call.answered(b"created", status="201")
        return await super().write(messages)


class Plant(NamedTuple):
    """Two hubs; `other` of them hasn't got mes."""

    stack: AsyncExitStack
    bus: Connection
    erp: Asker
    mes: Asker
    here: Hub
    other: Hub


@pytest.fixture
async def plant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgresql: str) -> AsyncIterator[Plant]:
    async with opened(tmp_path, monkeypatch, postgresql) as plant:
        yield plant


@asynccontextmanager
async def opened(folder: Path, monkeypatch: pytest.MonkeyPatch, store: str) -> AsyncIterator[Plant]:
    erp, mes = Asker(), Calling()
    monkeypatch.setattr(neighbours, "STATUS_S", PATIENCE_S)
    async with two_hubs(folder, monkeypatch, store, erp, mes) as (hubs, bus, stack):
        await until(lambda: sorted(len(held(hub)) for hub in hubs) == [1, 2])
        here, other = sorted(hubs, key=lambda hub: "mes" not in held(hub))
        yield Plant(stack, bus, erp, mes, here, other)


async def test_any_hub_and_the_pages_apart_show_the_whole(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        assert (await plant.erp.say(order(f"PO-{number}"))).accepted
    await until(lambda: len(plant.mes.got) == 3)
    far = FarDesk(plant.bus.client, "lyon")
    for desk in (plant.here.desk, plant.other.desk, far):

        async def counted(desk: Any = desk) -> bool:
            (flow,) = (await desk.ask(STATUS, Nothing()))["flows"]
            return (flow["total"], flow["state"]) == (3, "delivered")

        await until(counted)
        status = await desk.ask(STATUS, Nothing())
        assert {row["address"] for row in status["hubs"]} == {plant.here.url, plant.other.url}
        assert sorted(name for row in status["hubs"] for name in row["leases"]) == sorted(["erp", "mes", HOUSE])
        assert all(row["answers"] and row["disk"]["free"] > 0 and row["since"] for row in status["hubs"])
        assert {row["health"] for row in status["systems"]} == {"ok"}
        assert all(message["arrivals"] == {"mes": "delivered"} for message in status["messages"])
        assert status["trouble"] == []
    await what_is_on_the_disk_of_one_hub_is_told_by_all(plant, monkeypatch)


async def what_is_on_the_disk_of_one_hub_is_told_by_all(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_what: Any) -> None:
        raise NotReachable("it can't be reached from here")

    monkeypatch.setattr(type(plant.here.desk._intake), "accept", away)
    await plant.erp.to_say.put(Item(messages=(order("PO-9"),)))

    async def told() -> bool:
        return any("1 items (" in line and "erp: " in line for line in (await plant.here.desk.status())["trouble"])

    await until(told)
    for desk in (plant.here.desk, plant.other.desk):
        assert sum(len(row["spools"]) for row in (await desk.ask(STATUS, Nothing()))["hubs"]) == 1


async def test_a_hub_that_does_not_answer_is_named_with_since_when(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "STATUS_S", 0.2)

    async def silent() -> dict[str, Any]:
        await until(lambda: False, 5)
        return {}

    monkeypatch.setattr(plant.other.desk.overview, "own", silent)
    before = datetime.now(UTC)
    status = await plant.here.desk.status()
    (row,) = [row for row in status["hubs"] if not row["answers"]]
    assert row["address"] == plant.other.url
    assert datetime.fromisoformat(row["heard"]) >= before
    assert any(line.startswith(f"the hub at {plant.other.url} doesn't answer since ") for line in status["trouble"])
    await one_that_ended_without_a_word_is_told_with_what_is_on_its_disk(plant)
    await who_asks_if_it_is_ready_hears_of_one_that_runs_something_else(plant)


async def one_that_ended_without_a_word_is_told_with_what_is_on_its_disk(plant: Plant) -> None:
    await plant.here.desk._journal.write(
        lambda c: c.execute(text(
            "INSERT INTO hubs SELECT 'gone', 'http://gone', plan, routes, version, 'its disk', 7, since, since, since "
            "FROM hubs LIMIT 1"
        )) and None
    )  # fmt: skip

    async def told() -> str:
        lines = (await plant.here.desk.status())["trouble"]
        return next((line for line in lines if line.startswith("the hub at http://gone doesn't answer since ")), "")

    await until(told)
    assert "it ended without a word; 7 items are in the spools on its disk: start it again, or move" in await told()


async def who_asks_if_it_is_ready_hears_of_one_that_runs_something_else(plant: Plant) -> None:
    await plant.here.desk._journal.write(
        lambda c: c.execute(text(
            "INSERT INTO hubs SELECT 'new', 'http://new', 'another', routes, '9.9', 'new', 0, since, heard, "
            "expires + 60 FROM hubs LIMIT 1"
        )) and None
    )  # fmt: skip
    await until(lambda: len(plant.here.desk.heard()) == 2)
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.get(f"{plant.here.url}/readyz?verbose")
    assert answer.status_code == httpx.codes.OK
    assert "[!] the hub at http://new runs another configuration: give all hubs the same files" in answer.text
    assert "[!] the hub at http://new runs mombus 9.9, this one " in answer.text


def test_a_door_is_every_hubs() -> None:
    def hub(address: str, health: str, let_in: int, **refused: int) -> dict[str, Any]:
        last = {"at": f"2026-01-0{let_in}", "peer": address, "why": "x"}
        door = {
            "path": "/in",
            "locked": True,
            "let_in": let_in,
            "refused": refused,
            "last_refused": last,
            "trouble": None,
        }
        return {"address": address, "systems": [{"name": "erp", "health": health, "condition": None, "door": door}]}

    (row,) = whole.systems([hub("a", "elsewhere", 1, wrong=2), hub("b", "ok", 4, wrong=1, large=1)])
    assert (row["health"], row["hub"], row["door"]["let_in"]) == ("ok", "b", 5)
    assert row["door"]["refused"] == {"wrong": 3, "large": 1}
    assert row["door"]["last_refused"]["peer"] == "b"


def test_what_is_behind_for_a_system_in_its_own_process_is_told_by_the_hub_that_delivers_to_it() -> None:
    def hub(address: str, condition: str | None, lag: int, **more: int) -> dict[str, Any]:
        row = {"name": "erp", "health": "down", "condition": condition, "lag": lag, "door": None, **more}
        return {"address": address, "systems": [row]}

    own, theirs = hub("a", None, 0), hub("b", "reconnecting", 38)
    for hubs in ([own, theirs], [theirs, own], [own, hub("c", None, 0), theirs]):
        (row,) = whole.systems(hubs)
        assert (row["lag"], row["condition"]) == (38, "reconnecting")
    (row,) = whole.systems([own, hub("c", None, 0)])
    assert "hub" not in row, "nobody delivers to it now"


def test_a_system_in_its_own_process_is_told_while_hubs_get_another_number_of_shards_one_by_one() -> None:
    def hub(address: str, lag: int, **more: int) -> dict[str, Any]:
        row = {
            "name": "mes", "health": "ok", "condition": "running" if lag else None, "lag": lag, "late": 0,
            "out_per_minute": 1, "in_per_minute": 2, "in_hand": [], "last_data": None, "last_delivery": None,
            "longest_pause_in_s": None, "longest_pause_out_s": None, "door": None, **more,
        }  # fmt: skip
        return {"address": address, "systems": [row]}

    for hubs in ([hub("new", 0, shards=0), hub("old", 38)], [hub("old", 38), hub("new", 0, shards=0)]):
        (row,) = whole.systems(hubs)
        assert row["lag"] == 38


async def test_any_hub_finds_messages_by_what_another_did_with_them(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await plant.erp.say(order("PO-1"))).accepted
    asked = MessagesSearch(order=("PO-1",), target=("mes",), state=("delivered",))
    for hub in (plant.here, plant.other):

        async def found(desk: FrontDesk | FarDesk = hub.desk) -> list[dict[str, Any]]:
            return (await desk.ask(MESSAGES_SEARCH, asked))["messages"]

        (row,) = await until(found)
        assert [(hop["target"], hop["state"]) for hop in row["hops"]] == [("mes", "delivered")]
    await any_hub_shows_the_calls_that_another_made(plant, row["id"])
    await one_that_is_away_is_named(plant, row["id"], monkeypatch)


async def any_hub_shows_the_calls_that_another_made(plant: Plant, id: str) -> None:
    for hub in (plant.here, plant.other):
        for asked in (StagesAsked(id=id), StagesAsked(id=id, target="mes")):

            async def called(desk: FrontDesk = hub.desk, asked: StagesAsked = asked) -> Any:
                told = await desk.ask(STAGES, asked)
                return told if told["targets"][0]["attempts"] and not told["away"] else None

            told = await until(called)
            (call,) = told["targets"][0]["attempts"]
            assert (call["how"], call["status"], call["reply"]["text"]) == ("POST http://mes/orders", "201", "created")
            assert call["sent"]["size"] == 40_000

        async def the_same(desk: FrontDesk = hub.desk) -> bool:
            sides = DiffAsked(left=Side(id=id, stage=Stage.REPLY, target="mes"), right=Side(text="created"))
            found = await desk.ask(DIFF, sides)
            return (found["missing"], found["changes"]) == (None, [])

        await until(the_same)


async def one_that_is_away_is_named(plant: Plant, id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def gone(*_what: Any, **_more: Any) -> Any:
        raise error

    monkeypatch.setattr(neighbours, "pass_on", gone)
    error: Exception = AwayError("the journal's database doesn't answer: disk I/O error")
    told = await plant.other.desk.ask(STAGES, StagesAsked(id=id))
    assert told["away"] == [f"{plant.here.url}: {error}"], "what one can't look at keeps nobody from the rest"
    error = ValueError("the hub that has it doesn't answer")
    told = await plant.other.desk.ask(STAGES, StagesAsked(id=id))
    (away,) = told["away"]
    assert away == f"{plant.here.url}: the hub that has it doesn't answer"
    (mes,) = told["targets"]
    assert mes["attempts_missing"] == f"if it is kept, then by a hub that is away: {away}"
