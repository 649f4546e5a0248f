"""The profiles against the plant's own servers: laboratory, maintenance system and warehouse."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from patience import PATIENCE_S
from rest_bodies import (
    NOW,
    consumption,
    downtime,
    inspection_order,
    maintenance_request,
    message,
    production_order,
    production_response,
    release,
    surroundings,
)

from canonical.message import Message, Verb
from connectors.cmms.rest import CmmsRest
from connectors.connector import Absent, Halted, Item, Lacking, Level, MappingError, OutcomeUnknown, Receipt, Rejected
from connectors.qms.rest import QmsRest
from connectors.wms.rest import WmsRest
from plant.cmms import Cmms
from plant.qms import Qms
from plant.wms import Wms

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from connectors.protocols.rest import Rest

TOKEN = "a-token-of-the-tests"
PACE = 0.05
RESPONSE = production_response("R1", "120")


class Talk:
    """A connector, its plant system, and what it said so far."""

    def __init__(self, kind: type[Rest], system: Any) -> None:
        self.system = system
        config = kind.Config(connector="rest", url=system.url, token=TOKEN, poll_s=0.02)
        self.connector = kind(config, surroundings(kind.__name__.lower()))
        self.said: list[Message] = []
        self.items: list[Item] = []

    async def until(self, enough: Callable[[list[Message]], bool], bookmark: str | None = None) -> str:
        """Read until it said enough; return the bookmark."""
        async with asyncio.timeout(PATIENCE_S):
            async for item in self.connector.read(bookmark):
                assert not item.faults, item.faults
                self.items.append(item)
                self.said += [it for it in item.messages if isinstance(it, Message)]
                if enough(self.said):
                    assert item.bookmark is not None
                    return item.bookmark
        raise AssertionError("reading ended")

    async def write(self, *messages: Message) -> list[Any]:
        return [(await self.connector.write([it]))[0] for it in messages]

    async def numbers(self, path: str) -> Any:
        headers = {"token": TOKEN, "x-api-key": TOKEN, "authorization": f"Bearer {TOKEN}"}
        async with httpx.AsyncClient() as client:
            return (await client.get(self.system.url + path, headers=headers)).json()


async def talking(kind: type[Rest], system: Any) -> AsyncIterator[Talk]:
    await system.start()
    talk = Talk(kind, system)
    await talk.connector.connect()
    yield talk
    await talk.connector.close()
    await system.stop()


@pytest.fixture
async def wms() -> AsyncIterator[Talk]:
    async for talk in talking(WmsRest, Wms(pace=PACE, token=TOKEN)):
        yield talk


@pytest.fixture
async def qms() -> AsyncIterator[Talk]:
    async for talk in talking(QmsRest, Qms(pace=PACE, token=TOKEN)):
        yield talk


@pytest.fixture
async def cmms() -> AsyncIterator[Talk]:
    async for talk in talking(CmmsRest, Cmms(pace=PACE, token=TOKEN)):
        yield talk


async def test_the_warehouse_stages_what_an_order_needs(wms: Talk) -> None:
    order = production_order()
    assert await wms.write(order, order) == [Receipt(Level.ACCEPTED)] * 2
    await wms.until(lambda said: len(said) == 4)
    moved = {
        actual.material_definition_id: (str(actual.quantity.value), actual.storage_location)
        for it in wms.said
        for actual in it.body.segment_response[0].material_actual
    }
    line = "LINE1"
    assert moved == {"30001": ("260", line), "30002": ("260", line), "30003": ("260", line), "30004": ("22", line)}
    first = wms.said[0]
    assert first.lanes == ("order:PO-4711",)
    assert first.occurred.utcoffset() is not None
    assert first.body.segment_response[0].material_actual[0].material_use == "Inventoried"
    assert (await wms.numbers("/numbers/PO-4711/"))["documents"] == 1


async def test_the_warehouse_receives_the_good_ones_of_a_free_lot(wms: Talk) -> None:
    await wms.write(production_order())
    await wms.until(lambda said: len(said) == 4)
    results = await wms.write(
        production_response("R1", "120"), consumption("R1", "30004", "10.25"), consumption("R1", "30006", "60.5", "LTR")
    )
    assert [it.level for it in results] == [Level.POSTED] * 3
    restricted = release("UD-0", "Restricted")
    assert await wms.write(restricted, restricted) == [Receipt(Level.POSTED, "1")] * 2
    await wms.write(release("UD-1"), production_response("R2", "118"))
    await wms.until(lambda said: sum(_received(said)) == 238)
    receipt = wms.said[-1].body.segment_response[0].material_actual[0]
    assert (receipt.material_use, receipt.material_lot_id, receipt.storage_location) == (
        "Produced",
        "PO-4711-L1",
        "WH1",
    )
    numbers = await wms.numbers("/numbers/PO-4711/")
    assert numbers["received"] == {"30005": "238"}
    assert numbers["issued"] == {"30004": "10.25"}


async def test_the_warehouse_refuses_an_issue_of_what_is_not_at_the_line_until_it_is(wms: Talk) -> None:
    used = consumption("R1", "30004", "10.25")
    (refused,) = await wms.write(used)
    assert isinstance(refused, Lacking)
    assert "insufficient stock of 30004 at LINE1: 0 of 10.25" in str(refused)
    assert await wms.connector.find(used) == Absent()
    await wms.write(production_order())
    await wms.until(lambda said: len(said) == 4)
    (receipt,) = await wms.write(used)
    assert receipt.level is Level.POSTED
    assert (await wms.numbers("/numbers/PO-4711/"))["issued"] == {"30004": "10.25"}


def _received(said: list[Message]) -> list[int]:
    return [
        int(actual.quantity.value)
        for it in said
        for actual in it.body.segment_response[0].material_actual
        if actual.material_use == "Produced"
    ]


async def test_a_repeated_fact_is_one_document_with_its_number(wms: Talk) -> None:
    response = production_response("R1", "120")
    first, again = await wms.write(response, response)
    assert first == again == Receipt(Level.POSTED, "1")
    assert await wms.connector.find(response) == Receipt(Level.POSTED, "1")
    assert await wms.connector.find(production_response("R2", "1")) == Absent()
    assert (await wms.numbers("/numbers/PO-4711/"))["repeated"] == 1


async def test_a_corrected_response_replaces_what_was_expected(wms: Talk) -> None:
    late = await wms.write(
        production_response("R1", "120"), replace(production_response("R1", "110"), revision=1), release()
    )
    assert [it.level for it in late] == [Level.POSTED] * 3
    await wms.until(lambda said: sum(_received(said)) > 0)
    assert (await wms.numbers("/numbers/PO-4711/"))["received"] == {"30005": "110"}


async def test_a_blocked_lot_is_not_put_away_until_it_is_free(wms: Talk) -> None:
    blocked = release("UD-1", "Restricted")
    await wms.write(release("UD-1"), blocked, production_response("R1", "120"), production_order())
    await wms.until(lambda said: len(said) >= 4)
    assert not sum(_received(wms.said))
    await wms.write(replace(release("UD-1"), revision=2))
    await wms.until(lambda said: sum(_received(said)) == 120)


async def test_what_the_warehouse_cannot_take_back_is_for_a_person(wms: Talk) -> None:
    unnumbered = replace(production_response("R1", "120"), reverses="R0")
    corrected = replace(consumption("R1", "30001", "5"), revision=1)
    undone = replace(consumption("R1", "30001", "5"), reverses="R0")
    for refused in await wms.write(unnumbered, corrected, undone):
        assert isinstance(refused, MappingError)
        assert "no declared write fits" in str(refused) or "{document}" in str(refused)


async def test_movements_go_on_from_the_bookmark(wms: Talk) -> None:
    await wms.write(production_order())
    bookmark = await wms.until(lambda said: len(said) == 4)
    await wms.write(production_order("PO-4712"))
    wms.said.clear()
    await wms.until(lambda said: len(said) >= 4, bookmark)
    assert {it.body.operations_request_id for it in wms.said} == {"PO-4712"}


async def test_a_deleted_order_is_not_staged(wms: Talk) -> None:
    from canonical.message import Action  # noqa: PLC0415

    gone = Message.of(
        "production_order", None, source="erp", site="lyon", occurred=NOW, recorded=NOW, action=Action.DELETE,
        key="PO-4711", lanes=("order:PO-4711",), revision=2,
    )  # fmt: skip
    cancelled = production_order("PO-4712", request_state="Cancelled")
    await wms.system._agenda.stop()  # nobody stages anything before all is said
    results = await wms.write(
        production_order(), gone, production_order("PO-4712"), cancelled, production_order("PO-1")
    )
    assert results == [Receipt(Level.ACCEPTED)] * 5
    wms.system._agenda.start()
    await wms.until(lambda said: len(said) == 4)
    assert {it.body.operations_request_id for it in wms.said} == {"PO-1"}


async def test_what_the_warehouse_refuses_with_status_200_is_refused(wms: Talk) -> None:
    unknown, untranslated = await wms.write(consumption("R1", "39999", "1"), consumption("R1", "BOTTLE-05", "1"))
    assert isinstance(unknown, Rejected)
    assert "goods_code does not exist: 39999" in str(unknown)
    assert "BOTTLE-05" in str(untranslated)


async def test_the_stock_is_a_complete_snapshot(wms: Talk) -> None:
    await wms.write(production_order())
    await wms.until(lambda said: len(said) == 4)
    assert wms.connector.complete
    levels = [it async for it in wms.connector.snapshot("stock_level")]
    at_line = {it.body.material_definition_id: str(it.body.quantity.value) for it in levels if "LINE1" in it.key}
    assert at_line == {"30001": "260", "30002": "260", "30003": "260", "30004": "22"}


@pytest.mark.parametrize(("kind", "system"), [(WmsRest, Wms), (QmsRest, Qms), (CmmsRest, Cmms)])
async def test_a_wrong_token_halts_and_is_not_taken_for_an_empty_list(kind: type[Rest], system: Any) -> None:
    server = system(token="another")
    await server.start()
    talk = Talk(kind, server)
    with pytest.raises(Halted) as halted:
        await talk.connector.connect()
    assert TOKEN not in str(halted.value)
    request = maintenance_request() if kind is CmmsRest else inspection_order() if kind is QmsRest else RESPONSE
    with pytest.raises(Halted):
        await talk.connector.write([request])
    with pytest.raises(Halted):
        await talk.connector.find(request)
    with pytest.raises(Halted):
        await anext(talk.connector.read(None))
    await talk.connector.close()
    await server.stop()


async def test_the_laboratory_measures_and_decides(qms: Talk) -> None:
    asked = inspection_order()
    assert await qms.write(asked, asked) == [Receipt(Level.POSTED, "QL-000001")] * 2
    await qms.until(lambda said: any(it.object == "release_decision" for it in said) and _states(said)[-1] == "Closed")
    results = [it.body for it in qms.said if it.object == "quality_result"]
    measured = {it.property_measurement[0].id: it.property_measurement[0].value for it in results}
    assert {name: value.unit_of_measure for name, value in measured.items()} == {
        "FILL_VOLUME": "MLT", "CAP_TORQUE": "NU", "LABEL_POSITION": "MMT"
    }  # fmt: skip
    assert {it.evaluated_criterion_result for it in results} == {"Pass"}
    decision = next(it for it in qms.said if it.object == "release_decision")
    assert (decision.body.disposition, decision.body.material_lot_id) == ("UnRestricted", "PO-4711-L1")
    assert decision.by == "lab1"
    numbers = await qms.numbers("/numbers/PO-4711")
    assert {value.value for value in measured.values()} == {text.split()[0] for text in numbers["results"].values()}
    assert len({it.id for it in qms.said}) == len(qms.said), "nothing is said twice in one go"


def _states(said: list[Message]) -> list[str]:
    return [it.body.request_state for it in said if it.object == "inspection_order"] or [""]


async def test_the_laboratory_answers_a_get(qms: Talk) -> None:
    await qms.write(inspection_order(), inspection_order("INS-2"))
    get = Message.of(
        "inspection_order", None, source="mes", site="lyon", occurred=NOW, recorded=NOW, verb=Verb.GET,
        key="INS-2", lanes=("inspection_order:INS-2",),
    )  # fmt: skip
    assert len([it async for it in qms.connector.answer(replace(get, key=""))]) == 2
    shows = [it async for it in qms.connector.answer(get)]
    assert [(it.verb, it.key, it.correlation, it.to) for it in shows] == [(Verb.SHOW, "INS-2", get.id, "mes")]
    with pytest.raises(Rejected):
        await anext(qms.connector.answer(message("release_decision", _decision(), Verb.GET)))


def _decision() -> dict[str, object]:
    return {"id": "1", "material_lot_id": "L", "disposition": "Closed", "decided": "2026-03-02T10:00:00Z"}


async def test_the_laboratory_knows_orders_and_what_was_made(qms: Talk) -> None:
    order, made = production_order(), production_response("R1", "120.50")
    assert await qms.write(order, order, made, made) == [Receipt(Level.ACCEPTED)] * 4
    assert (await qms.numbers("/numbers/PO-4711"))["planned"] is True
    with pytest.raises(OutcomeUnknown):
        await qms.connector.find(order)


async def test_an_inspection_without_a_lot_is_refused_with_the_reason(qms: Talk) -> None:
    (refused,) = await qms.write(inspection_order(lot=None))
    assert isinstance(refused, Rejected)
    assert "ClientReference (the lot) is required" in str(refused)


async def test_the_maintenance_system_takes_a_request_once_and_tells_what_becomes_of_it(cmms: Talk) -> None:
    asked = maintenance_request()
    assert await cmms.write(asked, asked) == [Receipt(Level.POSTED, "5001")] * 2
    assert await cmms.connector.find(asked) == Receipt(Level.POSTED, "5001")
    assert await cmms.connector.find(maintenance_request("MR-2")) == Absent()
    await cmms.until(lambda said: said[-1].body.request_state == "Completed")
    assert {it.key for it in cmms.said} == {"MR-PO-4711-1"}
    revisions = [it.revision for it in cmms.said]
    assert revisions == sorted(set(revisions))
    last = cmms.said[-1].body.segment_requirement[0]
    assert last.equipment_requirement[0].equipment_id == "103"
    assert last.segment_parameter[0].value.value == "5001"
    numbers = await cmms.numbers("/numbers")
    assert numbers["repeated"] == 1
    assert numbers["requests"]["5001"]["priority"] == "HIGH"


async def test_revisions_of_a_stop_are_one_downtime(cmms: Talk) -> None:
    stop = downtime()
    open_ended = downtime("DT-2", end_time=None)
    assert await cmms.write(stop, stop, open_ended) == [Receipt(Level.ACCEPTED)] * 3
    numbers = await cmms.numbers("/numbers")
    assert len(numbers["downtimes"]) == 2
    assert numbers["downtime_s"] == "120.5"
    assert numbers["downtimes"]["DT-1"]["asset"] == {"id": 103}


async def test_a_stop_without_a_reason_or_of_an_unknown_asset_is_refused(cmms: Talk) -> None:
    unreasoned, unknown, untranslated = await cmms.write(
        downtime("DT-1", state="closed", reason=None), downtime("DT-2", "999"), downtime("DT-3", "CAPPER1")
    )
    assert "needs startsOn with an offset and a reason" in str(unreasoned)
    assert "asset 999 not found" in str(unknown)
    assert "CAPPER1" in str(untranslated)
