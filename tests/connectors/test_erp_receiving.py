"""What an ERP sends through the door: SOAP and plain POST on a real server, good, partly good and hostile."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import httpx
import pytest
import zeep
from lxml import etree
from patience import PATIENCE_S
from pydantic import SecretStr

from canonical.isa95.operations import OperationsRequest
from canonical.message import Action, Message, Verb
from connectors.connector import Hosted, Item, Outcome, Raw, RetryableError, Surroundings
from connectors.door import DoorConfig
from connectors.erp.connector import ErpB2mml, ErpB2mmlConfig
from plant.erp import Erp
from plant.served import Served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

B2MML = "http://www.mesa.org/xml/B2MML"
SCHEMAS = Path(__file__).parents[3] / "shared/b2mml/xsd/AllSchemas.xsd"
EXAMPLES = SCHEMAS.parents[1] / "examples"
XML = {"Content-Type": "application/xml"}
SOAP = {"Content-Type": "text/xml"}


def order(id: str, quantity: str = "240", unit: str = "H87") -> str:
    return f"""<OperationsRequest><ID>{id}</ID><OperationsType>Production</OperationsType>
      <RequestState>Released</RequestState><SegmentRequirement><ID>0010</ID><ProcessSegmentID>FILLING</ProcessSegmentID>
      <OperationsDefinitionID>FG-1000</OperationsDefinitionID><OperationsSegmentID>0010</OperationsSegmentID>
      <MaterialRequirement><ID>1</ID><MaterialDefinitionID>FG-1000</MaterialDefinitionID>
      <MaterialUse>Produced</MaterialUse><Quantity><QuantityString>{quantity}</QuantityString>
      <DataType>decimal</DataType><UnitOfMeasure>{unit}</UnitOfMeasure></Quantity></MaterialRequirement>
      </SegmentRequirement></OperationsRequest>"""


def schedule(*orders: str, verb: str = "Process", confirmation: str = "Always", bod_id: str = "B-1") -> bytes:
    return f"""<?xml version="1.0" encoding="UTF-8"?>
    <{verb}OperationsSchedule xmlns="{B2MML}" releaseID="7.0.1"><ApplicationArea><Sender><LogicalID>erp</LogicalID>
    <ConfirmationCode>{confirmation}</ConfirmationCode></Sender>
    <CreationDateTime>2026-03-02T06:00:00+01:00</CreationDateTime><BODID>{bod_id}</BODID></ApplicationArea>
    <DataArea><{verb}/><OperationsSchedule><ID>S</ID>{"".join(orders)}</OperationsSchedule></DataArea>
    </{verb}OperationsSchedule>""".strip().encode()


def enveloped(document: bytes) -> bytes:
    body = document.partition(b"?>")[2] if document.startswith(b"<?xml") else document
    return (
        b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>' + body + b"</s:Body></s:Envelope>"
    )


class Hub:
    """What stands behind the door: stores items, refuses the keys it was told to refuse."""

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.refuse: dict[str, str] = {}
        self.failing = 0

    async def deliver(self, item: Item) -> Sequence[Outcome]:
        if self.failing:
            self.failing -= 1
            raise RetryableError("the bus is down", retry_after_s=1)
        self.items.append(item)
        return [
            Outcome(m.id, m.key, m.key not in self.refuse, self.refuse.get(m.key))
            for m in item.messages
            if isinstance(m, Message)
        ]


@pytest.fixture
def hub() -> Hub:
    return Hub()


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False) as client:
        yield client


def connector(owns: Sequence[str] = ("production_order", "material"), **options: object) -> ErpB2mml:
    config = {"connector": "erp.b2mml", "url": "http://127.0.0.1:9/erp?wsdl", "door": {"max_bytes": 300_000}, **options}
    around = Surroundings("erp", "lyon", ZoneInfo("Europe/Paris"), owns=frozenset(owns))
    return ErpB2mml(ErpB2mmlConfig.model_validate(config), around)


@pytest.fixture
async def url(hub: Hub) -> AsyncIterator[str]:
    served = Served(connector().app(hub.deliver))
    await served.start()
    yield f"{served.url}/in/erp"
    await served.stop()


def answers(reply: bytes) -> list[tuple[str, str]]:
    """Action and reason of every response in a reply, which must be valid."""
    root = etree.fromstring(reply)
    body = root.find("{*}Body")
    document = root if body is None else body[0]
    if SCHEMAS.exists():
        schema = etree.XMLSchema(etree.parse(SCHEMAS))
        assert schema.validate(etree.fromstring(etree.tostring(document))), schema.error_log
    found = []
    for criteria in document.iter(f"{{{B2MML}}}ResponseCriteria"):
        expression = criteria.find("{*}ResponseExpression")
        assert expression is not None
        found.append((str(expression.get("actionCode")), " ".join(criteria.itertext()).strip()))
    return found


@pytest.mark.parametrize("soap", [True, False])
async def test_an_order_is_stored_and_acknowledged(hub: Hub, url: str, http: httpx.AsyncClient, soap: bool) -> None:
    document = schedule(order("PO-1"))
    content, headers = (enveloped(document), SOAP) if soap else (document, XML)
    reply = await http.post(url, content=content, headers=headers)
    assert reply.status_code == 200
    assert [action for action, _ in answers(reply.content)] == ["Accepted"]
    assert b"AcknowledgeOperationsSchedule" in reply.content
    assert b"B-1" in reply.content
    item = hub.items[0]
    message = item.messages[0]
    assert isinstance(message, Message)
    assert (message.object, message.verb, message.action, message.key) == (
        "production_order", Verb.SYNC, Action.ADD, "PO-1",
    )  # fmt: skip
    assert isinstance(message.body, OperationsRequest)
    assert str(message.body.segment_requirement[0].material_requirement[0].quantity.value) == "240"  # type: ignore[union-attr]
    assert item.document == "B-1"
    assert item.content_type == "application/xml"
    assert item.raw is not None
    assert etree.fromstring(item.raw).tag == f"{{{B2MML}}}ProcessOperationsSchedule"
    assert soap or item.raw == document


async def test_good_items_pass_and_the_bad_one_is_named(hub: Hub, url: str, http: httpx.AsyncClient) -> None:
    document = schedule(order("PO-1"), order("PO-2", unit="furlong"), order("PO-3"))
    reply = await http.post(url, content=enveloped(document), headers=SOAP)
    assert reply.status_code == 200
    said = answers(reply.content)
    assert sorted(action for action, _ in said) == ["Accepted", "Accepted", "Rejected"]
    rejected = next(text for action, text in said if action == "Rejected")
    assert "furlong" in rejected
    assert "PO-2" in rejected
    assert [m.key for m in hub.items[0].messages if isinstance(m, Message)] == ["PO-1", "PO-3"]
    fault = hub.items[0].faults[0]
    assert "OperationsRequest[PO-2]" in fault.place
    assert fault.raw is not None
    assert b"furlong" in fault.raw


async def test_a_document_that_is_kept_is_translated_again(hub: Hub, url: str, http: httpx.AsyncClient) -> None:
    for content in (schedule(order("PO-1"), order("PO-2", unit="furlong")), b"<nonsense"):
        await http.post(url, content=content, headers=XML)
    for item in hub.items:
        again = await connector().translate(Raw(content=item.raw or b"", document=item.document))
        assert [(m.id, m.content) for m in again.messages] == [(m.id, m.content) for m in item.messages]  # type: ignore[union-attr]
        assert again.faults == item.faults


async def test_what_the_hub_refuses_is_said(hub: Hub, url: str, http: httpx.AsyncClient) -> None:
    hub.refuse = {"PO-2": "mes owns PO-2"}
    reply = await http.post(url, content=schedule(order("PO-1"), order("PO-2")), headers=XML)
    said = answers(reply.content)
    assert [action for action, _ in said] == ["Accepted", "Rejected"]
    assert "mes owns PO-2" in said[1][1]


@pytest.mark.parametrize(
    ("confirmation", "refused"),
    [(code, refused) for code in ("Always", "OnError", "Never") for refused in (True, False)],
)
async def test_confirmation_as_asked_but_a_refusal_is_always_said(
    hub: Hub, url: str, http: httpx.AsyncClient, confirmation: str, refused: bool
) -> None:
    answered = refused or confirmation == "Always"
    hub.refuse = {"PO-1": "no"} if refused else {}
    reply = await http.post(url, content=schedule(order("PO-1"), verb="Sync", confirmation=confirmation), headers=XML)
    assert reply.status_code == (200 if answered else 202)
    if answered:
        assert b"ConfirmBOD" in reply.content
        assert [action for action, _ in answers(reply.content)] == ["Rejected" if refused else "Accepted"]
    assert len(hub.items) == 1


@pytest.mark.parametrize(
    ("verb", "action"), [("Process", Action.ADD), ("Change", Action.CHANGE), ("Cancel", Action.DELETE)]
)
async def test_an_owner_states_and_a_cancel_is_a_tombstone(
    hub: Hub, url: str, http: httpx.AsyncClient, verb: str, action: Action
) -> None:
    reply = await http.post(url, content=schedule(order("PO-1"), verb=verb), headers=XML)
    assert b"AcknowledgeOperationsSchedule" in reply.content
    message = hub.items[0].messages[0]
    assert isinstance(message, Message)
    assert (message.verb, message.action, message.key) == (Verb.SYNC, action, "PO-1")
    assert (message.content == b"") is (action is Action.DELETE)


async def test_who_does_not_own_it_asks(hub: Hub, http: httpx.AsyncClient) -> None:
    served = Served(connector(owns=()).app(hub.deliver))
    await served.start()
    await http.post(served.url, content=schedule(order("PO-1")), headers=XML)
    assert [m.verb for m in hub.items[0].messages if isinstance(m, Message)] == [Verb.PROCESS]
    await served.stop()


async def test_the_same_order_again_is_the_same_message(hub: Hub, url: str, http: httpx.AsyncClient) -> None:
    for _ in range(2):
        await http.post(url, content=schedule(order("PO-1")), headers=XML)
    first, again = (item.messages[0] for item in hub.items)
    assert isinstance(first, Message)
    assert isinstance(again, Message)
    assert first.id == again.id
    assert first.content == again.content


async def test_not_now_is_503_and_the_erp_sends_it_again(hub: Hub, url: str) -> None:
    """The simulated ERP repeats its document until it is acknowledged; the outage ends with the recovery."""
    hub.failing = 2
    erp = Erp(hub_url=url, pace=0)
    async with asyncio.timeout(PATIENCE_S):
        assert await erp.release() == "PO-4711"
        await erp.publish_materials()
    assert [item.document for item in hub.items] == ["ERP-00000001", "ERP-00000002"]
    assert len(hub.items[1].messages) == 6
    assert erp.refused == {}


async def test_an_erp_hears_that_its_order_was_refused(hub: Hub, url: str) -> None:
    hub.refuse = {"PO-4711": "mes is running it"}
    erp = Erp(hub_url=url, pace=0)
    await erp.release()
    assert "mes is running it" in erp.refused["ERP-00000001"]


async def test_zeep_sends_an_order_by_the_published_wsdl(hub: Hub, url: str) -> None:
    client = await asyncio.to_thread(zeep.Client, f"{url}?wsdl")
    root = etree.fromstring(schedule(order("PO-1")))
    answer = await asyncio.to_thread(client.service.ProcessOperationsSchedule, _value_1=list(root), releaseID="7.0.1")
    assert answer._value_1[1].find("{*}Acknowledge") is not None
    assert [m.key for m in hub.items[0].messages if isinstance(m, Message)] == ["PO-1"]


HEAD = b'<ProcessOperationsSchedule xmlns="http://www.mesa.org/xml/B2MML" releaseID="7">'
HOSTILE = {
    "external entity": b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
    "billion laughs": b'<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;&x;&x;&x;">]><a>&y;</a>',
    "depth": HEAD + b"<a>" * 100_000 + b"</a>" * 100_000,
    "too long": HEAD + b"<a>" + b"x" * 12_000_000 + b"</a></ProcessOperationsSchedule>",
    "attributes": b"<a " + b" ".join(b'a%d=""' % n for n in range(20_000)) + b"/>",
    "gzip": b"\x1f\x8b\x08\x00" + b"\x00" * 50,
    "truncated": schedule(order("PO-1"))[:-200],
    "wrong encoding": b'<?xml version="1.0" encoding="UTF-8"?><a>\xe9</a>',
    "unknown namespace": schedule(order("PO-1")).replace(B2MML.encode(), b"urn:else"),
    "no namespace": schedule(order("PO-1")).replace(b' xmlns="http://www.mesa.org/xml/B2MML"', b""),
    "unknown noun": b'<ProcessPayroll xmlns="http://www.mesa.org/xml/B2MML"/>',
    "no application area": HEAD + b"<DataArea><Process/></DataArea></ProcessOperationsSchedule>",
}


@pytest.mark.parametrize("soap", [True, False])
@pytest.mark.parametrize("kind", HOSTILE)
async def test_what_cannot_be_read_is_refused_kept_and_stops_nobody(
    hub: Hub, url: str, http: httpx.AsyncClient, kind: str, soap: bool
) -> None:
    document = HOSTILE[kind]
    content, headers = (enveloped(document), {**SOAP, "SOAPAction": '""'}) if soap else (document, XML)
    if soap and document.startswith(b"<!DOCTYPE"):
        doctype, _, rest = document.partition(b"]>")
        content = doctype + b"]>" + enveloped(rest)
    refused = await http.post(url, content=content, headers=headers)
    too_big = len(content) > 300_000
    assert refused.status_code == (413 if too_big else 500 if soap else 400), refused.text
    assert b"root:" not in refused.content
    assert len(refused.content) > 20
    if not too_big:
        assert (b"soap:Client" in refused.content) is soap
        fault = hub.items[0].faults[0]
        assert fault.reason
        assert hub.items[0].messages == ()
        assert hub.items[0].raw
    good = await http.post(url, content=schedule(order("PO-9")), headers=XML)
    assert [action for action, _ in answers(good.content)] == ["Accepted"]


async def test_an_error_of_our_own_is_said_kept_and_stops_nobody(
    hub: Hub, url: str, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_args: object, **_named: object) -> None:
        raise RuntimeError("a bug")

    with monkeypatch.context() as broken:
        broken.setattr("connectors.erp.receiving.read", failing)
        answer = await http.post(url, content=enveloped(schedule(order("PO-1"))), headers=SOAP)
    assert (answer.status_code, "soap:Server" in answer.text) == (500, True)
    assert "RuntimeError: a bug" in hub.items[0].faults[0].reason
    assert hub.items[0].raw
    assert (await http.post(url, content=schedule(order("PO-1")), headers=XML)).status_code == 200


@pytest.mark.skipif(not EXAMPLES.exists(), reason="MESA's example documents aren't beside this checkout")
async def test_documents_of_v4_come_in_by_the_same_door(http: httpx.AsyncClient) -> None:
    hub = Hub()
    served = Served(connector(assume_site_time=True).app(hub.deliver))
    await served.start()
    documents = sorted(EXAMPLES.rglob("*.xml"))
    for path in documents:
        reply = await http.post(served.url, content=path.read_bytes(), headers=XML)
        assert reply.status_code == 202, path.name
    assert len(hub.items) == len(documents) > 0
    assert all(item.messages and not item.faults for item in hub.items)
    await served.stop()


async def test_a_byte_order_mark_is_no_mistake(hub: Hub, url: str, http: httpx.AsyncClient) -> None:
    reply = await http.post(url, content=b"\xef\xbb\xbf" + schedule(order("PO-1")), headers=XML)
    assert reply.status_code == 200
    assert len(hub.items[0].messages) == 1


async def test_times_without_offset_are_refused_unless_they_are_the_sites(http: httpx.AsyncClient) -> None:
    naive = order("PO-1").replace(
        "</ID><OperationsType>", "</ID><StartTime>2026-07-01T06:00:00</StartTime><OperationsType>", 1
    )
    for options, taken in (({}, 0), ({"assume_site_time": True}, 1)):
        hub = Hub()
        served = Served(connector(**options).app(hub.deliver))
        await served.start()
        reply = await http.post(served.url, content=schedule(naive), headers=XML)
        assert len(hub.items[0].messages) == taken, reply.text
        assert len(hub.items[0].faults) == 1 - taken
        await served.stop()
    message = hub.items[0].messages[0]
    assert isinstance(message, Message)
    assert isinstance(message.body, OperationsRequest)
    assert message.body.start_time is not None
    assert message.body.start_time.isoformat() == "2026-07-01T06:00:00+02:00"


async def test_the_door_tells_the_hub_who_may_come_in(hub: Hub) -> None:
    system = connector(door=DoorConfig(users={"erp": SecretStr("s3cret-word")}, max_bytes=10_000))
    assert isinstance(system, Hosted)
    assert system.door.locked
    assert "s3cret" not in repr(system._config)
    served = Served(system.app(hub.deliver))
    await served.start()
    async with httpx.AsyncClient(trust_env=False) as http:
        assert (await http.post(served.url, content=b" " * 10_001, headers=XML)).status_code == 413
    await served.stop()
