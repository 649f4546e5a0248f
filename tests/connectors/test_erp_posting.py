"""What the ERP is told: real documents to the simulated ERP, its books asked, its answers lost and looked up."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from erp_facts import AT, ORDER, consumed, decided, fact, measured_lot, moved, produced
from lxml import etree
from patience import PATIENCE_S, until
from pydantic import ValidationError
from relay import Relay
from starlette.responses import Response

from canonical.isa95.operations import SegmentResponse
from canonical.isa95.work import JobOrder
from canonical.message import Message, Verb
from connectors.connector import (
    Absent,
    Answers,
    ConfigError,
    ConnectorError,
    Health,
    Hosted,
    Level,
    MappingError,
    Offer,
    OutcomeUnknown,
    Receipt,
    Rejected,
    Sink,
    Snapshot,
    Surroundings,
)
from connectors.erp.connector import ErpB2mml, ErpB2mmlConfig
from connectors.erp.objects import trace
from connectors.erp.questions import Head, about, owned
from connectors.erp.replies import verdict
from plant.erp import Erp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

SCHEMAS = Path(__file__).parents[3] / "shared/b2mml/xsd/AllSchemas.xsd"
B2MML = "http://www.mesa.org/xml/B2MML"


def around() -> Surroundings:
    return Surroundings("erp", "lyon", ZoneInfo("Europe/Paris"), owns=frozenset({"production_order", "material"}))


def connected_to(url: str, **options: Any) -> ErpB2mml:
    return ErpB2mml(ErpB2mmlConfig.model_validate({"connector": "erp.b2mml", "url": url, **options}), around())


@pytest.fixture
async def erp() -> AsyncIterator[Erp]:
    erp = Erp()
    await erp.start()
    await erp.release(ORDER)
    yield erp
    await erp.stop()


@pytest.fixture
async def system(erp: Erp) -> AsyncIterator[ErpB2mml]:
    system = connected_to(erp.url, timeout_s=PATIENCE_S)
    await system.connect()
    yield system
    await system.close()


async def write(system: ErpB2mml, message: Message) -> Receipt | ConnectorError:
    results = await system.write([message])
    assert len(results) == 1
    return results[0]


def test_it_is_what_it_says() -> None:
    system = connected_to("http://127.0.0.1:9/erp?wsdl")
    assert all(isinstance(system, kind) for kind in (Sink, Answers, Hosted, Snapshot))
    assert system.path == "/in/erp"
    assert Offer("production_order") in system.offers
    assert {offer.object for offer in system.accepts} >= {"production_response", "material_consumption"}


async def test_an_order_is_reported_to_its_end(erp: Erp, system: ErpB2mml) -> None:
    """Outputs, scrap, consumptions and the receipt: the books say what was told, each document has its number."""
    reports = [
        produced("C-1", good="118", scrap="2"), produced("C-2", good="120", scrap=None),
        consumed("C-1", "BOTTLE-05", "120"), consumed("C-2", "BOTTLE-05", "120"),
        consumed("C-1", "WATER", "59.125", "LTR", line="2"), moved("D/2026/1", "238"),
        moved("D/2026/2", "260", use="Inventoried"),
    ]  # fmt: skip
    for report in reports:
        receipt = await write(system, report)
        assert isinstance(receipt, Receipt), receipt
        assert receipt.level is Level.POSTED
        assert await system.find(report) == receipt
    async with httpx.AsyncClient(trust_env=False) as http:
        numbers = (await http.get(f"http://127.0.0.1:{erp.port}/numbers/{ORDER}")).json()
    assert numbers == {
        "order": ORDER, "released": True, "good": "238", "scrap": "2", "receipts": "238",
        "consumption": {"BOTTLE-05": "240", "WATER": "59.125"}, "documents": 7, "duplicates": 0,
    }  # fmt: skip


async def test_facts_of_one_report_are_told_apart(system: ErpB2mml) -> None:
    """What was used and what was made share the report's id and even the line's: each is found only if it is there."""
    made, used, more = (
        produced("C-1", scrap=None),
        consumed("C-1", "CAP-28", "120"),
        consumed("C-1", "WATER", "1", "LTR", "2"),
    )
    await write(system, used)
    assert isinstance(await system.find(used), Receipt)
    assert await system.find(made) == Absent()
    assert await system.find(more) == Absent()
    await write(system, made)
    found = await system.find(made)
    assert isinstance(found, Receipt)
    assert found.document == "5000000123"
    assert await system.find(more) == Absent()


async def test_a_report_without_lines_is_found_only_by_its_own_number(system: ErpB2mml) -> None:
    body = SegmentResponse(id="C-7", operations_type="Production", operations_request_id=ORDER, actual_end_time=AT)
    empty = fact("production_response", body)
    assert await system.find(empty) == Absent()
    await write(system, consumed("C-7", "CAP-28", "1"))
    with pytest.raises(OutcomeUnknown, match="C-7"):
        await system.find(empty)
    await write(system, empty)
    assert isinstance(await system.find(empty), Receipt)


@pytest.mark.parametrize("message", [decided("UD-1"), measured_lot("T-1")], ids=lambda message: message.object)
async def test_quality_is_told_and_found(system: ErpB2mml, message: Message) -> None:
    assert await system.find(message) == Absent()
    receipt = await write(system, message)
    assert isinstance(receipt, Receipt)
    assert await system.find(message) == receipt


async def test_a_second_decision_on_a_lot_is_another_one(system: ErpB2mml) -> None:
    await write(system, decided("UD-1", "Restricted"))
    assert await system.find(decided("UD-2")) == Absent()
    await write(system, decided("UD-2"))
    first, second = await system.find(decided("UD-1", "Restricted")), await system.find(decided("UD-2"))
    assert isinstance(first, Receipt)
    assert isinstance(second, Receipt)
    assert first.document != second.document


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (produced("C-1", order="PO-1"), "ORDER_UNKNOWN: order PO-1"),
        (consumed("C-1", "GLUE", "1"), "MATERIAL_UNKNOWN: material GLUE"),
    ],
)
async def test_the_erps_no_comes_with_its_reason(system: ErpB2mml, message: Message, reason: str) -> None:
    refused = await write(system, message)
    assert isinstance(refused, Rejected)
    assert reason in str(refused)
    assert await system.find(message) == Absent()
    assert isinstance(await write(system, produced("C-2")), Receipt)


async def test_what_b2mml_has_no_noun_for_is_a_mapping_error(system: ErpB2mml) -> None:
    job = fact("job_order", JobOrder(id="J-1", production_order_id=ORDER))
    refused = await write(system, job)
    assert isinstance(refused, MappingError), refused


async def test_a_correction_of_a_posted_report_is_refused(erp: Erp, system: ErpB2mml) -> None:
    """The books add up: a second document for the same output would count it twice."""
    corrected = produced("C-1", good="119", revision=1, revises=produced("C-1").id)
    await write(system, produced("C-1"))
    refused = await write(system, corrected)
    assert isinstance(refused, Rejected)
    assert "reversal" in str(refused)
    assert "5000000123" in str(refused)
    assert erp.numbers(ORDER)["documents"] == 1
    unposted = produced("C-2", revision=1, revises=produced("C-2").id)
    assert isinstance(await write(system, unposted), Receipt)


async def test_a_lost_answer_is_looked_up_and_posted_once(erp: Erp) -> None:
    relay = Relay()
    relay.upstream = erp.port
    await relay.start()
    system = connected_to(f"http://127.0.0.1:{relay.port}/erp?wsdl", timeout_s=PATIENCE_S)
    await system.connect()
    message = produced("C-1")
    relay.swallow = True
    assert isinstance(await write(system, message), OutcomeUnknown)
    found = await system.find(message)
    assert isinstance(found, Receipt)
    assert found.document == "5000000123"
    assert (erp.numbers(ORDER)["documents"], erp.numbers(ORDER)["duplicates"]) == (1, 0)
    relay.swallow = True
    with pytest.raises(ConnectorError):
        await system.find(message)
    assert isinstance(await system.find(message), Receipt)
    await system.close()
    await relay.stop()


async def test_sync_is_confirmed_without_a_number_and_found_with_one(erp: Erp) -> None:
    system = connected_to(erp.url, verb="sync")
    await system.connect()
    receipt = await write(system, produced("C-1"))
    assert receipt == Receipt(Level.ACCEPTED)
    assert await system.find(produced("C-1")) == Receipt(Level.POSTED, "5000000123")
    refused = await write(system, produced("C-2", order="PO-1"))
    assert isinstance(refused, Rejected)
    await system.close()


async def test_answers_a_get_from_the_erp(erp: Erp, system: ErpB2mml) -> None:
    await erp.release("PO-4712")

    def get(object: str, key: str) -> Message:
        return fact(object, None, verb=Verb.GET, key=key, lanes=(f"order:{key or '*'}",))  # type: ignore[arg-type]

    one = [shown async for shown in system.answer(get("production_order", ORDER))]
    assert [(shown.key, shown.verb, shown.to) for shown in one] == [(ORDER, Verb.SHOW, "mes")]
    assert one[0].correlation == get("production_order", ORDER).id
    assert [shown.key async for shown in system.answer(get("production_order", ""))] == [ORDER, "PO-4712"]
    assert [shown.key async for shown in system.answer(get("production_order", "PO-1"))] == []
    assert [shown.key async for shown in system.answer(get("material", "WATER"))] == ["WATER"]
    with pytest.raises(MappingError, match="downtime"):
        await anext(system.answer(get("downtime", "1")))


async def test_a_snapshot_is_everything_the_erp_has(system: ErpB2mml) -> None:
    materials = [told async for told in system.snapshot("material")]
    assert len(materials) == 6
    assert {told.verb for told in materials} == {Verb.SYNC}
    assert [told.key async for told in system.snapshot("production_order", [ORDER, "PO-1"])] == [ORDER]


async def test_probe_follows_the_erp(erp: Erp, system: ErpB2mml) -> None:
    await until(system.probe, good=lambda probe: probe.health is Health.OK)
    system._heard_at = None
    await until(system.probe, good=lambda probe: probe.health is Health.OK)
    await erp.stop()
    system._heard_at = None
    down = await system.probe()
    assert down.health is Health.DOWN
    assert "127.0.0.1" in down.reason
    await erp.start()
    await until(system.probe, good=lambda probe: probe.health is Health.OK)


class OddErp(Erp):
    """Answers what the test wants instead of what was asked; None for the real answer."""

    says: bytes | None = None

    async def _soap(self, request: Request) -> Response:
        if self.says is None:
            return await super()._soap(request)
        body = b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>' + self.says
        return Response(body + b"</s:Body></s:Envelope>", media_type="text/xml")


def reply(name: str, inner: str) -> bytes:
    return f'<{name} xmlns="{B2MML}"><DataArea>{inner}</DataArea></{name}>'.encode()


def acknowledged(bod_id: str, code: str, status: str = "") -> bytes:
    original = f"<OriginalApplicationArea><BODID>{bod_id}</BODID></OriginalApplicationArea>"
    criteria = f'<ResponseCriteria><ResponseExpression actionCode="{code}"/>{status}</ResponseCriteria>'
    return reply("AcknowledgeOperationsPerformance", f"<Acknowledge>{original}{criteria}</Acknowledge>")


async def test_odd_answers_settle_nothing() -> None:
    erp = OddErp()
    await erp.start()
    await erp.release(ORDER)
    system = connected_to(erp.url)
    await system.connect()
    message = produced("C-1")
    for says in (
        acknowledged("another", "Accepted"), reply("ShowOperationsPerformance", "<Show/>"),
        b'<PerformanceResponse xmlns="urn:else"/>',
    ):  # fmt: skip
        erp.says = says
        assert isinstance(await write(system, message), OutcomeUnknown), says
    for says in (b"", acknowledged("x", "Accepted"), reply("ConfirmBOD", "<Confirm/>")):
        erp.says = says
        with pytest.raises(OutcomeUnknown):
            await system.find(message)
    erp.says = reply("ShowOperationsPerformance", "<Show/>")
    assert await system.find(message) == Absent()
    erp.says = acknowledged(message.id, "Accepted", "<ChangeStatus><Code>4711</Code></ChangeStatus>")
    assert await write(system, message) == Receipt(Level.POSTED, "4711")
    erp.says = acknowledged(message.id, "Rejected")
    assert isinstance(await write(system, message), Rejected)
    erp.says = None
    assert isinstance(await write(system, message), Receipt)
    await system.close()
    await erp.stop()


async def test_without_a_connection_nothing_is_sent(erp: Erp) -> None:
    system = connected_to(erp.url)
    results = await system.write([produced("C-1"), produced("C-2")])
    assert [type(result).__name__ for result in results] == ["NotConnected", "NotConnected"]
    assert erp.numbers(ORDER)["documents"] == 0


def test_one_rejected_item_rejects() -> None:
    said = etree.fromstring(
        acknowledged("B", "Accepted").replace(
            b"</Acknowledge>",
            b'<ResponseCriteria><ResponseExpression actionCode="Rejected"/><ChangeStatus>'
            b"<Description>locked</Description><ReasonCode>LOCK</ReasonCode></ChangeStatus>"
            b"</ResponseCriteria></Acknowledge>",
        )
    )
    assert verdict(said, "B").accepted is False
    assert verdict(said, "B").reason == "LOCK: locked"


@pytest.mark.skipif(not SCHEMAS.exists(), reason="MESA's schemas aren't beside this checkout")
def test_every_question_is_valid() -> None:
    schema = etree.XMLSchema(etree.parse(SCHEMAS))
    asked = [
        about(trace(message))
        for message in (produced("C"), consumed("C", "WATER", "1"), moved("D", "1"), decided("U"), measured_lot("T"))
    ]
    asked += [owned("production_order", "PO-1"), owned("production_order", None), owned("material", None)]
    for question in asked:
        document = etree.fromstring(question.document(Head("mombus", "erp", "B-1", AT)))
        assert schema.validate(document), schema.error_log


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"url": "http://user:pw@erp/x?wsdl"}, "credentials"),
        ({"url": "ftp://erp/x"}, "ftp"),
        ({"endpoint": "http://user:pw@erp/x"}, "credentials"),
        ({"listen": "in erp"}, "listen"),
        ({"credentials": {"username": "hub"}}, "password"),
        ({"max_bytes": 10}, "max_bytes"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_wrong_configuration_says_what_is_wrong(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        connected_to(**{"url": "http://127.0.0.1:9/erp?wsdl", **options})


def test_a_local_wsdl_needs_an_endpoint() -> None:
    with pytest.raises(ConfigError) as caught:
        connected_to("erp.wsdl")
    assert caught.value.field == "endpoint"


async def test_a_local_wsdl_starts_at_the_config_files_folder(erp: Erp, tmp_path: Path) -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        (tmp_path / "erp.wsdl").write_bytes((await http.get(erp.url)).content)
    config = ErpB2mmlConfig(connector="erp.b2mml", url="erp.wsdl", endpoint=erp.url.removesuffix("?wsdl"))
    system = ErpB2mml(config, Surroundings("erp", "lyon", ZoneInfo("Europe/Paris"), folder=str(tmp_path)))
    await system.connect()
    assert isinstance(await write(system, produced("C-1")), Receipt)
    await system.close()


async def test_writes_at_once_do_not_mix(erp: Erp, system: ErpB2mml) -> None:
    reports = [produced(f"C-{number}", good=str(number), scrap=None) for number in range(1, 21)]
    results = await asyncio.gather(*(write(system, report) for report in reports))
    numbers = {result.document for result in results if isinstance(result, Receipt)}
    assert len(numbers) == 20
    for report, result in zip(reports, results, strict=True):
        assert await system.find(report) == result
    assert erp.numbers(ORDER)["good"] == "210"
