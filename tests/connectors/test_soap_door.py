"""The door of a hosted SOAP service, on a real server: what comes in, what is refused, and how."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import zeep
from lxml import etree
from pydantic import SecretStr

from canonical.b2mml.faults import DocumentError
from canonical.b2mml.secure import parse as parse_xml
from connectors.connector import RetryableError
from connectors.protocols.soap.credentials import Credentials
from connectors.protocols.soap.door import Door, Refused
from connectors.protocols.soap.service import Operation, Service
from plant.served import Served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from lxml.etree import _Element

SERVICE = Service("Door", "urn:test:door", "urn:test", (Operation("ProcessThing", "AcknowledgeThing"),))
SOAP11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP12 = "http://www.w3.org/2003/05/soap-envelope"
THING = '<ProcessThing xmlns="urn:test" releaseID="1"><a b="é">1 &lt; 2</a></ProcessThing>'
XML = {"Content-Type": "application/xml"}
SOAP = {"Content-Type": "text/xml; charset=utf-8"}


def envelope(body: str, namespace: str = SOAP11, header: str = "") -> bytes:
    return f'<s:Envelope xmlns:s="{namespace}">{header}<s:Body>{body}</s:Body></s:Envelope>'.encode()


def parse(content: bytes) -> _Element:
    try:
        return parse_xml(content, 200_000)
    except DocumentError as error:
        raise Refused(error.reason, error.place or None) from error


class House:
    """Stands behind the door: keeps what came in, answers as it was told to."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.kept: list[tuple[bytes, Refused]] = []
        self.answer: bytes | None = b'<AcknowledgeThing xmlns="urn:test"/>'
        self.error: Exception | None = None
        self.stored = asyncio.Event()
        self.stored.set()

    async def take(self, document: bytes) -> bytes | None:
        self.taken.append(document)
        await self.stored.wait()
        if self.error:
            raise self.error
        return self.answer

    async def keep(self, document: bytes, refusal: Refused) -> None:
        self.kept.append((document, refusal))

    def door(self, **options: Any) -> Door:
        return Door(SERVICE, self.take, self.keep, parse, **{"max_bytes": 200_000, **options})


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False) as client:
        yield client


@pytest.fixture
async def url(house: House) -> AsyncIterator[str]:
    served = Served(house.door())
    await served.start()
    yield f"{served.url}/in/erp"
    await served.stop()


async def test_zeep_calls_the_service_by_its_wsdl(house: House, url: str) -> None:
    def call(port: str) -> Any:
        client = zeep.Client(f"{url}?wsdl")
        content = etree.fromstring('<x xmlns="urn:any">1</x>')
        return client.bind("Door", port).ProcessThing(_value_1=[content], releaseID="7")

    for port in ("Door_soap", "Door_soap12"):
        await asyncio.to_thread(call, port)
    assert len(house.taken) == 2
    for document in house.taken:
        root = etree.fromstring(document)
        assert root.tag == "{urn:test}ProcessThing"
        assert root.get("releaseID") == "7"
        assert root[0].text == "1"


async def test_zeep_gets_the_reason_of_a_refusal(house: House, url: str) -> None:
    house.error = Refused("no such thing", "Thing[4711]/Quantity")
    client = await asyncio.to_thread(zeep.Client, f"{url}?wsdl")
    with pytest.raises(zeep.exceptions.Fault) as caught:
        await asyncio.to_thread(client.service.ProcessThing)
    assert caught.value.code == "soap:Client"
    assert caught.value.message == "no such thing"
    assert caught.value.detail.findtext("{*}Refusal/{*}Place") == "Thing[4711]/Quantity"


async def test_the_wsdl_names_the_address_it_was_asked_at(url: str, http: httpx.AsyncClient) -> None:
    answer = await http.get(f"{url}?wsdl")
    assert answer.status_code == 200
    root = etree.fromstring(answer.content)
    addresses = {str(found.get("location")) for found in root.iter("{*}address")}
    assert addresses == {url}
    assert "?wsdl" in (await http.get(url)).text


@pytest.mark.parametrize(("namespace", "media_type"), [(SOAP11, "text/xml"), (SOAP12, "application/soap+xml")])
async def test_the_document_passes_the_envelope_unchanged(
    house: House, url: str, http: httpx.AsyncClient, namespace: str, media_type: str
) -> None:
    answer = await http.post(url, content=envelope(THING, namespace), headers={"Content-Type": media_type})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(media_type)
    assert etree.fromstring(answer.content).find(f"{{{namespace}}}Body/{{urn:test}}AcknowledgeThing") is not None
    said = etree.tostring(etree.fromstring(house.taken[0]), method="c14n", exclusive=True)
    assert said == etree.tostring(etree.fromstring(THING), method="c14n", exclusive=True)


async def test_a_bare_document_is_answered_bare(house: House, url: str, http: httpx.AsyncClient) -> None:
    answer = await http.post(url, content=THING.encode(), headers=XML)
    assert (answer.status_code, answer.content) == (200, house.answer)
    assert house.taken == [THING.encode()]


async def test_no_answer_is_202(house: House, url: str, http: httpx.AsyncClient) -> None:
    house.answer = None
    for content, headers in ((THING.encode(), XML), (envelope(THING), SOAP)):
        answer = await http.post(url, content=content, headers=headers)
        assert (answer.status_code, answer.content) == (202, b"")


async def test_the_caller_hears_nothing_before_it_is_stored(house: House, url: str, http: httpx.AsyncClient) -> None:
    house.stored.clear()
    asking = asyncio.create_task(http.post(url, content=THING.encode(), headers=XML))
    while not house.taken:  # noqa: ASYNC110 - the server has no event for it
        await asyncio.sleep(0.01)
    done, _ = await asyncio.wait({asking}, timeout=0.2)
    assert not done
    house.stored.set()
    assert (await asking).status_code == 200


async def test_not_now_is_503_and_says_when(house: House, url: str, http: httpx.AsyncClient) -> None:
    house.error = RetryableError("the bus is full", retry_after_s=6.2)
    bare = await http.post(url, content=THING.encode(), headers=XML)
    assert (bare.status_code, bare.headers["retry-after"]) == (503, "7")
    soap = await http.post(url, content=envelope(THING), headers=SOAP)
    assert (soap.status_code, soap.headers["retry-after"]) == (503, "7")
    assert b"soap:Server" in soap.content
    assert b"the bus is full" in soap.content
    house.error = None
    assert (await http.post(url, content=envelope(THING), headers=SOAP)).status_code == 200


BILLION_LAUGHS = (
    '<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><l>&c;</l>'
)
ATTACKS = {
    "external entity": b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
    "external DTD": b'<!DOCTYPE a SYSTEM "http://127.0.0.1:9/x.dtd"><a/>',
    "billion laughs": BILLION_LAUGHS.encode(),
    "depth": b"<a>" * 5_000 + b"</a>" * 5_000,
    "attributes": b"<a " + b" ".join(b'a%d="1"' % n for n in range(10_000)) + b"/>",
    "gzip": b"\x1f\x8b\x08\x00rest",
    "truncated": b"<a><b>",
    "wrong encoding": b'<?xml version="1.0" encoding="UTF-8"?><a>\xe9</a>',
    "empty": b"  ",
    "no XML": b"hello",
}


@pytest.mark.parametrize("attack", ATTACKS)
async def test_dangerous_xml_is_kept_and_refused(house: House, url: str, http: httpx.AsyncClient, attack: str) -> None:
    content = ATTACKS[attack]
    answer = await http.post(url, content=content, headers=XML)
    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("text/plain")
    assert b"root:" not in answer.content
    assert len(answer.text.strip()) > 10
    assert house.taken == []
    assert [document for document, _ in house.kept] == [content]
    assert (await http.post(url, content=THING.encode(), headers=XML)).status_code == 200


@pytest.mark.parametrize("attack", ["external entity", "billion laughs", "depth", "attributes"])
async def test_dangerous_xml_in_an_envelope_is_a_refusal_too(
    house: House, url: str, http: httpx.AsyncClient, attack: str
) -> None:
    document = ATTACKS[attack].decode()
    doctype, _, rest = document.partition("]>") if document.startswith("<!DOCTYPE") else ("", "", document)
    content = (f"{doctype}]>".encode() if doctype else b"") + envelope(rest)
    answer = await http.post(url, content=content, headers=SOAP)
    assert answer.status_code in (400, 500)
    assert house.taken == []
    assert len(house.kept) == 1


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (envelope(THING, "urn:not:soap"), "VersionMismatch"),
        (envelope(THING, header='<s:Header><w xmlns="urn:w" s:mustUnderstand="1"/></s:Header>'), "MustUnderstand"),
        (envelope(""), "Client"),
        (envelope(THING + THING), "Client"),
        (envelope("<s:Fault><faultcode>s:Server</faultcode><faultstring>x</faultstring></s:Fault>"), "Client"),
        (b'<s:Envelope xmlns:s="' + SOAP11.encode() + b'"/>', "Client"),
    ],
)
async def test_a_broken_envelope_is_a_typed_fault(
    house: House, url: str, http: httpx.AsyncClient, content: bytes, code: str
) -> None:
    answer = await http.post(url, content=content, headers=SOAP)
    assert answer.status_code == 500
    fault = etree.fromstring(answer.content).find("{*}Body/{*}Fault")
    assert fault is not None
    assert fault.findtext("faultcode") == f"soap:{code}"
    assert fault.findtext("faultstring")
    assert house.taken == []
    assert len(house.kept) == 1


async def test_soap_12_faults_have_soap_12_codes(house: House, url: str, http: httpx.AsyncClient) -> None:
    house.error = Refused("no\x00")
    answer = await http.post(url, content=envelope(THING, SOAP12), headers={"Content-Type": "application/soap+xml"})
    assert answer.status_code == 400
    fault = etree.fromstring(answer.content).find(f"{{{SOAP12}}}Body/{{{SOAP12}}}Fault")
    assert fault is not None
    assert fault.findtext(f"{{{SOAP12}}}Code/{{{SOAP12}}}Value") == "soap:Sender"
    assert fault.findtext(f"{{{SOAP12}}}Reason/{{{SOAP12}}}Text") == "no?"


async def test_too_big_is_413_even_when_the_size_is_not_told(house: House, url: str, http: httpx.AsyncClient) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(30):
            yield b" " * 10_000

    assert (await http.post(url, content=b" " * 200_001, headers=XML)).status_code == 413
    assert (await http.post(url, content=chunks(), headers=XML)).status_code == 413
    assert [(content, refused.reason) for content, refused in house.kept] == [
        (b" " * 200_000, "the document is over 200000 bytes: split it, or let this door take more (door.max_bytes)")
    ] * 2, "its beginning is kept"


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/json"},
        {},
        {"Content-Type": "multipart/related; boundary=x"},
        {"Content-Type": "text/xml", "Content-Encoding": "gzip"},
    ],
)
async def test_other_media_types_are_415_and_kept(
    house: House, url: str, http: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    answer = await http.post(url, content=THING.encode(), headers=headers)
    assert answer.status_code == 415
    assert [(content, f"{refused.reason}\n") for content, refused in house.kept] == [(THING.encode(), answer.text)]


async def test_other_methods_are_405(url: str, http: httpx.AsyncClient) -> None:
    answer = await http.put(url, content=THING.encode(), headers=XML)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, POST")


async def test_a_caller_that_hangs_up_stops_nobody(house: House, url: str, http: httpx.AsyncClient) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", int(httpx.URL(url).port or 0))
    writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: 100\r\n\r\n<a")
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert (await http.post(url, content=THING.encode(), headers=XML)).status_code == 200
    assert house.taken == [THING.encode()]


async def test_an_answer_may_be_larger_than_a_document(house: House, url: str, http: httpx.AsyncClient) -> None:
    """What was taken is never answered with a fault, however long its acknowledgement is."""
    house.answer = b'<AcknowledgeThing xmlns="urn:test">' + b" " * 300_000 + b"</AcknowledgeThing>"
    answer = await http.post(url, content=envelope(THING), headers=SOAP)
    assert answer.status_code == 200
    assert len(answer.content) > 300_000


BASIC = Credentials(username="erp", password=SecretStr("s3cret:ü"))


def test_credentials_are_one_kind_and_stay_secret() -> None:
    assert "s3cret" not in repr(BASIC)
    for wrong in (
        {},
        {"username": "a"},
        {"token": "t", "username": "a", "password": "b"},
        {"username": "a:b", "password": "c"},
    ):
        with pytest.raises(ValueError, match="username"):
            Credentials.model_validate(wrong)
