"""The door a system posts to, served by a real uvicorn: who may, what is refused, and when the answer comes."""

from __future__ import annotations

import json
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from patience import until
from rest_bodies import surroundings
from rest_system import SAYS

from canonical.message import Message
from connectors.connector import (
    ConfigError,
    Health,
    Hosted,
    Item,
    NotConnected,
    Offer,
    Outcome,
    OutcomeUnknown,
    Rejected,
    RetryableError,
)
from connectors.door import token_hash
from connectors.protocols.rest import Rest, RestConfig
from connectors.qms.rest import QmsRest
from connectors.wms.rest import WmsRest
from mombus.web.doorkeeper import Doorkeeper
from plant.served import Served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

TOKEN = "the-door's-token"


@dataclass
class Hub:
    """What the hub does with an item: here it keeps it, and answers as it is told."""

    items: list[Item] = field(default_factory=list)
    refusal: dict[str, str] = field(default_factory=dict)
    error: Exception | None = None

    async def deliver(self, item: Item) -> Sequence[Outcome]:
        if self.error is not None:
            raise self.error
        self.items.append(item)
        messages = [it for it in item.messages if isinstance(it, Message)]
        return [Outcome(it.id, it.key, it.key not in self.refusal, self.refusal.get(it.key)) for it in messages]


@dataclass
class Caller:
    hub: Hub
    url: str
    client: httpx.AsyncClient

    async def post(self, body: bytes | dict[str, Any] | list[Any], **headers: str) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        given = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.post(self.url, content=content, headers=given)


def listening() -> Rest:
    config = {
        "connector": "rest", "url": "http://127.0.0.1:1", "listen": "/in/ledger",
        "door": {"tokens": [token_hash(TOKEN)], "max_bytes": 100_000},
        "pushed": {"items": "docs", "says": [SAYS | {"when": "$exists(lot)"}]},
    }  # fmt: skip
    return Rest(RestConfig.model_validate(config), surroundings("ledger"))


@pytest.fixture
async def caller() -> AsyncIterator[Caller]:
    hub = Hub()
    ledger = listening()
    server = Served(Doorkeeper(ledger.app(hub.deliver), ledger.door, system="ledger", path=ledger.path))
    await server.start()
    async with httpx.AsyncClient(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)) as client:
        yield Caller(hub, f"{server.url}/in/ledger", client)
    await server.stop()


def doc(ref: str, **more: Any) -> dict[str, Any]:
    return {"ref": ref, "lot": "L1", "decided": "2026-03-02T09:00:00Z"} | more


async def test_what_is_stored_is_answered_with_202(caller: Caller) -> None:
    answer = await caller.post({"docs": [doc("D-1"), doc("D-2")]})
    assert answer.status_code == 202
    assert answer.json() == {"accepted": ["D-1", "D-2"], "refused": []}
    (item,) = caller.hub.items
    assert item.raw is not None
    assert json.loads(item.raw)["docs"][0]["ref"] == "D-1"
    assert [it.source for it in item.messages if isinstance(it, Message)] == ["ledger", "ledger"]


@pytest.mark.parametrize("context", ["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "00-1-2-01"])
async def test_what_comes_goes_on_in_the_trace_of_its_sender(caller: Caller, context: str) -> None:
    await caller.post({"docs": [doc("D-1"), doc("D-2")]}, traceparent=context)
    (item,) = caller.hub.items
    said = {it.traceparent for it in item.messages if isinstance(it, Message)}
    assert said == ({context} if len(context) == 55 else {None})


async def test_one_object_without_a_list_is_an_item(caller: Caller) -> None:
    assert (await caller.post({"docs": doc("D-1")})).json()["accepted"] == ["D-1"]


async def test_what_is_refused_is_answered_with_422_and_each_reason(caller: Caller) -> None:
    caller.hub.refusal = {"D-2": "mes owns release_decision"}
    answer = await caller.post({"docs": [doc("D-1"), doc("D-2"), doc("D-3", decided="soon"), {"ref": "D-4"}]})
    assert answer.status_code == 422
    said = answer.json()
    assert said["accepted"] == ["D-1"]
    assert said["refused"][0] == {"key": "D-2", "reason": "mes owns release_decision"}
    assert said["refused"][1]["place"] == "docs[3]"
    assert "nothing that is declared fits" in said["refused"][2]["reason"]
    assert len(caller.hub.items[0].faults) == 2, "what can't be understood is kept"


@pytest.mark.parametrize(
    ("error", "status", "retry_after"),
    [
        (RetryableError("the broker is away", 2.5), 503, "3"), (NotConnected("no broker"), 503, "5"),
        (OutcomeUnknown("no answer from the broker"), 503, None), (Rejected("too many lanes"), 422, None),
    ],
)  # fmt: skip
async def test_what_could_not_be_stored_is_not_taken(
    caller: Caller, error: Exception, status: int, retry_after: str | None
) -> None:
    caller.hub.error = error
    answer = await caller.post({"docs": [doc("D-1")]})
    assert (answer.status_code, answer.headers.get("retry-after")) == (status, retry_after)
    assert str(error) in answer.json()["reason"]
    caller.hub.error = None
    assert (await caller.post({"docs": [doc("D-1")]})).status_code == 202


DEEP = b'{"docs":' + b"[" * 5000 + b"]" * 5000 + b"}"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"docs": [{"ref": "a", "ref": "b"}]}', "twice"), (b'{"docs": [{"ref": NaN}]}', "NaN"),
        (b'{"docs": [{"ref": -Infinity}]}', "Infinity"), (b'{"docs": [' + b"9" * 4000 + b"]}", "4000 digits"),
        (DEEP, "nested deeper"), (b"12345", "no items"), (b'"text"', "no items"), (b"", "line 1"), (b"{", "line 1"),
        (b'{"docs": "x"}', "no items"), (b'{"docs": [1e999999]}', "digits"), (b"\xff\xfe{}", "not UTF-8"),
        ("{'docs': 'é'}".encode("latin-1"), "not UTF-8"), (b"<docs/>", "line 1"),
    ],
)  # fmt: skip
async def test_what_is_no_strict_json_is_refused_with_400(caller: Caller, body: bytes, words: str) -> None:
    answer = await caller.post(body)
    assert answer.status_code == 400
    assert words in answer.json()["reason"]
    (kept,) = caller.hub.items
    assert (kept.messages, kept.raw) == ((), body)
    assert [(fault.reason, fault.raw) for fault in kept.faults] == [(answer.json()["reason"], body)]
    assert (await caller.post({"docs": [doc("D-1")]})).status_code == 202


async def test_items_that_are_no_objects_or_hold_hostile_ids_are_kept_as_faults(caller: Caller) -> None:
    hostile = [doc(ref) for ref in ("a.b*>", "é ü", "x" * 200, "a\r\nb", "", "x" * 201, "\ud800")]
    answer = await caller.post({"docs": [*hostile, 7, "text", None, []]})
    assert answer.status_code == 422
    said = answer.json()
    assert said["accepted"] == ["a.b*>", "é ü", "x" * 200]
    assert len(said["refused"]) == 8


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"authorization": "Bearer wrong"}, 401), ({"authorization": ""}, 401), ({"authorization": TOKEN}, 401),
        ({"authorization": "Basic YTpi"}, 401), ({"content_type": "text/plain"}, 415), ({"content_type": ""}, 415),
        ({"content_type": "application/json; charset=latin-1"}, 400), ({"content_encoding": "gzip"}, 415),
        ({"content_type": "application/cloudevents+json; charset=UTF-8"}, 202),
    ],
)  # fmt: skip
async def test_who_may_post_what(caller: Caller, headers: dict[str, str], status: int) -> None:
    answer = await caller.post({"docs": [doc("D-1")]}, **headers)
    assert answer.status_code == status
    assert [len(item.faults) for item in caller.hub.items] == {202: [0], 401: []}.get(status, [1])
    assert TOKEN not in answer.text


async def test_too_much_is_refused_before_it_is_read_whole(caller: Caller) -> None:
    answer = await caller.post(b" " * 250_000)
    assert answer.status_code == 413
    (fault,) = caller.hub.items[0].faults
    assert (fault.reason, fault.raw) == (answer.json()["reason"], b" " * 100_000), "its beginning is kept"


async def test_only_post_is_taken(caller: Caller) -> None:
    answer = await caller.client.get(caller.url, headers={"authorization": f"Bearer {TOKEN}"})
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


async def test_a_system_that_only_posts_needs_no_address() -> None:
    config = {"connector": "rest", "listen": "/in/erp", "pushed": {"says": [SAYS]}}
    connector = Rest(RestConfig.model_validate(config), surroundings("erp"))
    await connector.connect()
    await until(connector.probe, good=lambda probe: probe.health is Health.OK)
    await connector.close()


def test_only_what_listens_is_hosted() -> None:
    connector = listening()
    assert isinstance(connector, Hosted)
    assert connector.path == "/in/ledger"
    assert Offer("release_decision") in connector.offers
    silent = QmsRest(QmsRest.Config(connector="qms.rest", url="http://127.0.0.1:1"), surroundings("qms"))
    assert not isinstance(silent, Hosted)
    door = {"connector": "wms.rest", "url": "http://127.0.0.1:1", "listen": "/in/wms"}
    with pytest.raises(ConfigError, match="nothing that its system could post"):
        WmsRest(WmsRest.Config.model_validate(door), surroundings("wms"))
    qms = QmsRest(QmsRest.Config.model_validate(door | {"connector": "qms.rest"}), surroundings("qms"))
    assert isinstance(qms, Hosted)


async def test_what_the_laboratory_posts_says_the_same_as_its_lists() -> None:
    hub = Hub()
    config = {"connector": "qms.rest", "url": "http://127.0.0.1:1", "listen": "/in/qms"}
    qms = QmsRest(QmsRest.Config.model_validate(config), surroundings("qms"))
    server = Served(qms.app(hub.deliver))
    await server.start()
    at = "2026-03-02T09:00:00+01:00"
    result = {
        "portal_type": "Analysis", "uid": "a1", "Keyword": "PH", "Result": "7.10", "Unit": "", "InRange": True,
        "RequestID": "QL-1", "ClientReference": "L1", "ResultCaptureDate": at, "Retest": 0,
    }  # fmt: skip
    decision = {
        "portal_type": "Disposition", "id": "UD-1", "ClientReference": "L1", "decision": "blocked", "decided": at,
        "version": 0, "Analyst": "lab1",
    }  # fmt: skip
    items = [
        result | {"review_state": "assigned"},
        result | {"review_state": "verified"},
        decision,
        {"portal_type": "?"},
    ]
    async with httpx.AsyncClient() as client:
        answer = await Caller(hub, f"{server.url}/in/qms", client).post({"items": items})
    assert answer.json()["accepted"] == ["QL-1/-/PH/1", "UD-1"]
    assert [refused["place"] for refused in answer.json()["refused"]] == ["items[4]"]
    await server.stop()
