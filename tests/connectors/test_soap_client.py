"""The SOAP client against real servers: a good one, and those that answer in all the ways real ones do."""

from __future__ import annotations

import asyncio
import socket
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import zeep.exceptions
from lxml import etree
from patience import PATIENCE_S, until
from pydantic import SecretStr
from starlette.responses import Response
from test_rest_tls import self_signed

from canonical.b2mml.secure import parse
from connectors.connector import (
    ConfigError,
    ConnectorError,
    Halted,
    MappingError,
    NotConnected,
    OutcomeUnknown,
    Rejected,
    RetryableError,
)
from connectors.protocols.soap.client import SoapClient, Target
from connectors.protocols.soap.credentials import Credentials
from connectors.protocols.soap.envelope import Fault
from connectors.protocols.soap.errors import Asked, SoapFault, retry_after_s, translate
from connectors.protocols.soap.service import Operation, Service
from plant.served import Served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from starlette.types import Receive, Scope, Send

SERVICE = Service("Peer", "urn:test:peer", "urn:test", (Operation("ProcessThing", "AcknowledgeThing"),))
SOAP11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP12 = "http://www.w3.org/2003/05/soap-envelope"
THING = b'<ProcessThing xmlns="urn:test"><a>1</a></ProcessThing>'


def envelope(body: str, namespace: str = SOAP11) -> bytes:
    return f'<s:Envelope xmlns:s="{namespace}"><s:Body>{body}</s:Body></s:Envelope>'.encode()


def fault11(code: str, reason: str = "no", detail: str = "") -> bytes:
    inner = f"<faultcode>s:{code}</faultcode><faultstring>{reason}</faultstring><detail>{detail}</detail>"
    return envelope(f"<s:Fault>{inner}</s:Fault>")


def fault12(code: str, reason: str = "no") -> bytes:
    inner = f"<s:Code><s:Value>s:{code}</s:Value></s:Code><s:Reason><s:Text>{reason}</s:Text></s:Reason>"
    return envelope(f"<s:Fault>{inner}</s:Fault>", SOAP12)


ANSWER = envelope('<AcknowledgeThing xmlns="urn:test"/>')


class Peer:
    """A SOAP service that answers what the test wants."""

    def __init__(self) -> None:
        self.wsdl: Callable[[str], bytes] = SERVICE.wsdl
        self.answer: Response | Callable[[], Any] = Response(ANSWER, media_type="text/xml")
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.fetched: list[str] = []
        self._served = Served(self)

    @property
    def url(self) -> str:
        return f"{self._served.url}/peer?wsdl"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        while (message := await receive()).get("more_body"):
            body += message["body"]
        body += message.get("body", b"")
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        if scope["method"] == "GET":
            self.fetched.append(scope["path"])
            content = self.wsdl(f"{self._served.url}/peer")
            await Response(content, media_type="text/xml")(scope, receive, send)
            return
        self.requests.append((headers, body))
        answer = self.answer if isinstance(self.answer, Response) else await self.answer()
        await answer(scope, receive, send)

    async def start(self) -> None:
        await self._served.start()

    async def stop(self) -> None:
        await self._served.stop()


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    peer = Peer()
    await peer.start()
    yield peer
    await peer.stop()


@pytest.fixture
async def client(peer: Peer) -> AsyncIterator[SoapClient]:
    client = SoapClient(Target(wsdl=peer.url, timeout_s=PATIENCE_S, max_bytes=100_000), parse)
    await client.open()
    yield client
    await client.close()


async def test_sends_the_document_and_returns_the_answer(peer: Peer, client: SoapClient) -> None:
    answer = await client.ask(THING)
    assert answer is not None
    assert etree.fromstring(answer).tag == "{urn:test}AcknowledgeThing"
    headers, body = peer.requests[0]
    assert headers["soapaction"] == '"urn:test:peer:ProcessThing"'
    assert etree.fromstring(body).findtext("{*}Body/{urn:test}ProcessThing/{urn:test}a") == "1"


async def test_speaks_soap_12_where_the_wsdl_says_so(peer: Peer) -> None:
    first = b'<wsdl:port name="Peer_soap" binding="tns:Peer_soap"><soap:address location='
    peer.wsdl = lambda address: SERVICE.wsdl(address).replace(first + f'"{address}"/></wsdl:port>'.encode(), b"")
    peer.answer = Response(ANSWER.replace(SOAP11.encode(), SOAP12.encode()), media_type="application/soap+xml")
    client = SoapClient(Target(wsdl=peer.url), parse)
    await client.open()
    assert await client.ask(THING)
    headers, body = peer.requests[0]
    assert headers["content-type"] == 'application/soap+xml; charset=utf-8; action="urn:test:peer:ProcessThing"'
    assert SOAP12.encode() in body
    await client.close()


async def test_a_generic_operation_gets_the_document_in_its_wrapper(peer: Peer) -> None:
    generic = Service("Any", "urn:test:any", "urn:generic", (Operation("Post", "PostResponse"),))
    peer.wsdl = generic.wsdl
    peer.answer = Response(
        envelope('<PostResponse xmlns="urn:generic"><AcknowledgeThing xmlns="urn:test"/></PostResponse>'),
        media_type="text/xml",
    )
    client = SoapClient(Target(wsdl=peer.url, operation="Post"), parse)
    await client.open()
    answer = await client.ask(THING)
    assert answer is not None
    assert etree.fromstring(answer).tag == "{urn:test}AcknowledgeThing"
    assert etree.fromstring(peer.requests[0][1]).find("{*}Body/{urn:generic}Post/{urn:test}ProcessThing") is not None
    await client.close()


async def test_a_document_without_an_operation_is_a_mapping_error(client: SoapClient) -> None:
    with pytest.raises(MappingError, match="ProcessThing"):
        await client.ask(b'<ProcessOther xmlns="urn:test"/>')


async def test_a_document_over_the_limit_is_not_sent(peer: Peer, client: SoapClient) -> None:
    with pytest.raises(MappingError, match="100000"):
        await client.ask(b'<ProcessThing xmlns="urn:test">' + b" " * 100_000 + b"</ProcessThing>")
    assert peer.requests == []


async def test_an_unknown_certificate_halts_and_a_configured_one_is_trusted(tmp_path: Path) -> None:
    async def wsdl(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        content = SERVICE.wsdl(url)
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(content) + content)
        await writer.drain()
        writer.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*map(str, self_signed(tmp_path)))
    server = await asyncio.start_server(wsdl, "127.0.0.1", 0, ssl=context)
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/peer"
    with pytest.raises(Halted, match="ca_file"):
        await SoapClient(Target(wsdl=url), parse).open()
    client = SoapClient(Target(wsdl=url, ca_file=tmp_path / "server.pem"), parse)
    await client.open()
    await client.close()
    server.close()


HTML = "<html><body>Internal error. <br> Please call</body></html>"
ANSWERS: dict[str, tuple[Response, type[ConnectorError]]] = {
    "client fault with 500": (Response(fault11("Client"), 500, media_type="text/xml"), Rejected),
    "client fault with 200": (Response(fault11("Client"), 200, media_type="text/xml"), Rejected),
    "soap 1.2 fault on a 1.1 binding": (Response(fault12("Sender"), 500), Rejected),
    "soap 1.2 fault with 200": (Response(fault12("Receiver"), 200), OutcomeUnknown),
    "server fault": (Response(fault11("Server"), 500, media_type="text/xml"), OutcomeUnknown),
    "server fault with 503": (Response(fault11("Server"), 503, {"Retry-After": "7"}), RetryableError),
    "authentication fault": (Response(fault11("Client.Authentication"), 500), Halted),
    "401": (Response("who?", 401), Halted),
    "403 as a page": (Response(HTML, 403, media_type="text/html"), Halted),
    "page with 200": (Response(HTML, 200, media_type="text/html"), OutcomeUnknown),
    "page with 500": (Response(HTML, 500, media_type="text/html"), OutcomeUnknown),
    "gateway timeout": (Response("", 504), OutcomeUnknown),
    "not found": (Response("", 404), RetryableError),
    "too many": (Response("", 429, {"Retry-After": "7"}), RetryableError),
    "bad request": (Response("what?", 400), Rejected),
    "redirect": (Response("", 302, {"Location": "http://169.254.169.254/"}), ConfigError),
    "too big": (Response(b"<a>" + b" " * 200_000, 200), OutcomeUnknown),
    "half an answer": (Response(ANSWER[:60], 200), OutcomeUnknown),
    "an entity": (Response(b"<!DOCTYPE a [<!ENTITY x 'y'>]>" + ANSWER, 200), OutcomeUnknown),
    "empty with 500": (Response("", 500), OutcomeUnknown),
}


@pytest.mark.parametrize("case", ANSWERS)
async def test_every_answer_means_one_thing(peer: Peer, client: SoapClient, case: str) -> None:
    """And after each of them a good answer is understood again."""
    good = peer.answer
    peer.answer, meaning = ANSWERS[case]
    with pytest.raises(ConnectorError) as caught:
        await client.ask(THING)
    assert type(caught.value) is meaning, str(caught.value)
    assert "ProcessThing at http://127.0.0.1" in str(caught.value)
    if isinstance(caught.value, RetryableError) and "Retry-After" in peer.answer.headers:
        assert caught.value.retry_after_s == 7
    peer.answer = good
    assert await client.ask(THING)


async def test_a_fault_tells_reason_and_detail(peer: Peer, client: SoapClient) -> None:
    peer.answer = Response(fault11("Client", "order is locked", "<e xmlns='urn:e'>by MEIER</e>"), 500)
    with pytest.raises(Rejected, match=r"order is locked \(by MEIER\)"):
        await client.ask(THING)


@pytest.mark.parametrize("status", [200, 202, 204])
async def test_an_empty_answer_is_taken_for_taken(peer: Peer, client: SoapClient, status: int) -> None:
    peer.answer = Response(status_code=status)
    assert await client.ask(THING) is None


async def test_no_answer_in_time_is_an_unknown_outcome(peer: Peer) -> None:
    client = SoapClient(Target(wsdl=peer.url, timeout_s=0.5), parse)
    await until(lambda: in_time(client.open()))

    async def never() -> None:
        await asyncio.sleep(60)

    peer.answer = never
    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises(OutcomeUnknown):
            await client.ask(THING)
    with pytest.raises(NotConnected):
        await client.ask(THING, effect=False)
    peer.answer = Response(ANSWER)
    await until(lambda: in_time(client.ask(THING)))
    await client.close()


async def in_time(call: Awaitable[object]) -> bool:
    """False when it took longer than the client waits: on a busy machine it may."""
    try:
        await call
    except (NotConnected, OutcomeUnknown):
        return False
    return True


async def test_nobody_there_means_nothing_was_sent(peer: Peer, client: SoapClient) -> None:
    await peer.stop()
    with pytest.raises(NotConnected):
        await client.ask(THING)
    with pytest.raises(NotConnected):
        await client.open()
    with pytest.raises(NotConnected):
        await client.reachable(0.5)
    await peer.start()
    await client.open()
    assert await client.ask(THING)


async def test_unopened_and_closed_clients_say_so(peer: Peer) -> None:
    client = SoapClient(Target(wsdl=peer.url), parse)
    with pytest.raises(NotConnected):
        await client.ask(THING)
    await client.open()
    await client.close()
    await client.close()
    with pytest.raises(NotConnected):
        await client.ask(THING)


async def test_gives_its_credentials_and_hides_them(peer: Peer) -> None:
    credentials = Credentials(username="hub", password=SecretStr("s3cret"))
    target = Target(wsdl=peer.url, credentials=credentials)
    client = SoapClient(target, parse)
    await client.open()
    await client.ask(THING)
    assert peer.requests[0][0]["authorization"] == credentials.header
    assert "s3cret" not in repr(target)
    await client.close()


IMPORT = b'<xsd:import namespace="urn:x" schemaLocation="%s"/><xsd:complexType name="AnyDocument">'


@pytest.mark.parametrize(
    "location",
    ["http://169.254.169.254/latest/meta-data", "http://127.0.0.1:9/x.xsd", "file:///etc/passwd", "//localhost/x"],
)
async def test_a_wsdl_may_not_import_from_elsewhere(peer: Peer, location: str) -> None:
    peer.wsdl = lambda address: SERVICE.wsdl(address).replace(
        b'<xsd:complexType name="AnyDocument">', IMPORT % location.encode()
    )
    client = SoapClient(Target(wsdl=peer.url), parse)
    with pytest.raises(ConfigError, match="origin") as caught:
        await client.open()
    assert caught.value.field == "url"
    await client.close()


async def test_a_wsdl_may_import_from_its_own_origin(peer: Peer) -> None:
    whole = SERVICE.wsdl
    xsd = b'<xsd:schema xmlns:xsd="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:x"/>'
    peer.wsdl = lambda address: (
        xsd if peer.fetched[-1] == "/x.xsd"
        else whole(address).replace(b'<xsd:complexType name="AnyDocument">', IMPORT % b"/x.xsd")
    )  # fmt: skip
    client = SoapClient(Target(wsdl=peer.url), parse)
    await client.open()
    assert peer.fetched == ["/peer", "/x.xsd"]
    assert await client.ask(THING)
    await client.close()


async def test_an_address_elsewhere_must_be_configured(peer: Peer) -> None:
    here = peer.url.removesuffix("?wsdl")
    peer.wsdl = lambda _: SERVICE.wsdl("http://169.254.169.254/erp")
    with pytest.raises(ConfigError, match="endpoint"):
        await SoapClient(Target(wsdl=peer.url), parse).open()
    client = SoapClient(Target(wsdl=peer.url, endpoint=here), parse)
    await client.open()
    assert await client.ask(THING)
    await client.close()


async def test_a_local_copy_of_the_wsdl_stays_in_its_folder(peer: Peer, tmp_path: Path) -> None:
    here, folder = peer.url.removesuffix("?wsdl"), tmp_path / "wsdl"
    folder.mkdir()
    (folder / "peer.wsdl").write_bytes(SERVICE.wsdl(here))
    client = SoapClient(Target(wsdl=str(folder / "peer.wsdl"), endpoint=here), parse)
    await client.open()
    assert await client.ask(THING)
    await client.close()
    (tmp_path / "secret.xsd").write_text("<a/>")
    sneaky = SERVICE.wsdl(here).replace(b'<xsd:complexType name="AnyDocument">', IMPORT % b"../secret.xsd")
    (folder / "peer.wsdl").write_bytes(sneaky)
    with pytest.raises(ConfigError, match="folder"):
        await SoapClient(Target(wsdl=str(folder / "peer.wsdl"), endpoint=here), parse).open()


@pytest.mark.parametrize(
    "content",
    [
        b"<html/>", b"", b"<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", b"<a>" * 3000,
        b'<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/"/>', b"\x00", b" " * 200_000,
    ],
)  # fmt: skip
async def test_what_is_no_wsdl_is_a_config_error(peer: Peer, content: bytes) -> None:
    peer.wsdl = lambda _: content
    client = SoapClient(Target(wsdl=peer.url, max_bytes=100_000), parse)
    with pytest.raises((ConfigError, NotConnected), match=r"(?i)wsdl"):
        await client.open()
    peer.wsdl = SERVICE.wsdl
    await client.open()
    assert await client.ask(THING)
    await client.close()


def _all_below(error: type[BaseException]) -> set[type[BaseException]]:
    return {error, *(below for direct in error.__subclasses__() for below in _all_below(direct))}


def test_every_error_of_the_libraries_is_translated() -> None:
    """None of what httpx and zeep may raise is left to the fallback, whatever they add."""
    known = _all_below(httpx.HTTPError) | {httpx.InvalidURL} | _all_below(zeep.exceptions.Error)
    for kind in known:
        error = kind.__new__(kind)
        error.args = ("x",)
        error.message = "x"  # type: ignore[attr-defined]
        error._request = None  # type: ignore[attr-defined]
        for name in ("filename", "sourceline", "name", "sysid", "pubid", "content", "path", "url"):
            if issubclass(kind, zeep.exceptions.Error):
                setattr(error, name, "")
        assert isinstance(error, Exception)
        translated = translate(error, Asked("x"))
        assert isinstance(translated, OutcomeUnknown | NotConnected | RetryableError | ConfigError), kind


def test_only_what_was_surely_not_sent_may_be_repeated() -> None:
    sent = (httpx.ReadTimeout("x"), httpx.WriteTimeout("x"), httpx.RemoteProtocolError("x"), httpx.ReadError("x"))
    assert all(isinstance(translate(error, Asked("x")), OutcomeUnknown) for error in sent)
    unsent = (httpx.ConnectError("x"), httpx.ConnectTimeout("x"), socket.gaierror("x"))
    assert all(isinstance(translate(error, Asked("x", effect=False)), NotConnected) for error in unsent)
    assert isinstance(translate(SoapFault(Fault("Odd", "x"), 500), Asked("x")), OutcomeUnknown)


def test_retry_after_is_a_number_or_a_date() -> None:
    assert retry_after_s("12") == 12
    assert retry_after_s("Thu, 01 Jan 1970 00:00:00 GMT") == 0
    assert retry_after_s("soon") is None
    assert retry_after_s(None) is None
