"""Attacks on the doors of systems that call the hub, over real sockets: nobody gets in, nobody is kept out by them."""

from __future__ import annotations

import asyncio
import base64
import time
from contextlib import asynccontextmanager
from itertools import count
from typing import TYPE_CHECKING

import httpx
import pytest
from front_door import Street, served, signed, street
from front_door import heard as heard_on
from pydantic import SecretStr

from connectors.door import DoorConfig, new_signing_secret, new_token, token_hash
from mombus.web.credentials import Signatures
from mombus.web.strangers import Strangers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TOKEN, NEXT_TOKEN = new_token(), new_token()
SECRET, NEXT_SECRET = new_signing_secret(), new_signing_secret()
HEAD = b"POST /in/erp HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n"


def basic(user: str, password: str, scheme: str = "Basic") -> str:
    return f"{scheme} {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False) as client:
        yield client


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (f"Bearer {TOKEN}", 202), (f"bearer  {NEXT_TOKEN}", 202), (basic("sap", "s3cret:wörd"), 202),
        (basic("sap", "s3cret:wörd", "BASIC"), 202), (basic("mii", TOKEN), 202), (None, 401), ("", 401),
        (TOKEN, 401), (f"Bearer {TOKEN}x", 401), (f"Bearer {TOKEN[:-1]}", 401), ("Bearer", 401),
        (f"Bearer {token_hash(TOKEN)}", 401), (basic("sap", "s3cret"), 401), (basic("sap", ""), 401),
        (basic("mii", token_hash(TOKEN)), 401), (basic("", "s3cret:wörd"), 401), (basic("SAP", "s3cret:wörd"), 401),
        ("Basic !!!", 401), ("Basic", 401), ("Bearer \xff\xfe", 401), ("Basic §§", 401), (f"Digest {TOKEN}", 401),
    ],
    ids=map(str, count()),
)  # fmt: skip
async def test_only_who_shows_a_credential_comes_in(
    http: httpx.AsyncClient, authorization: str | None, status: int
) -> None:
    hashes = [token_hash(TOKEN), token_hash(NEXT_TOKEN)]
    async with street(tokens=hashes, users={"sap": "s3cret:wörd", "mii": token_hash(TOKEN)}) as door:
        headers = {} if authorization is None else {"authorization": authorization.encode("latin-1", "replace")}
        answer = await http.post(door.url, content=b"x", headers=headers)
        assert answer.status_code == status
        assert len(door.house.taken) == (status == 202)
        if status == 401:
            assert answer.text == "401\n", "nothing is told"
            assert answer.headers.get_list("www-authenticate") == [
                'Basic realm="mombus", charset="UTF-8"', 'Bearer realm="mombus"',
            ]  # fmt: skip
            assert door.keeper.status()["refused"] == {"wrong credential": 1}


async def test_who_guesses_is_not_listened_to_any_more_and_is_one_line_of_trouble(http: httpx.AsyncClient) -> None:
    async with street(lambda: 0.0, tokens=[token_hash(TOKEN)], users={"sap": "s3cret:word"}) as door:
        wrong = {"authorization": "Bearer wrong"}
        statuses = [(await http.post(door.url, headers=wrong)).status_code for _ in range(25)]
        assert statuses == [401] * 10 + [429] * 15
        right = await http.post(door.url, auth=("sap", "s3cret:word"))
        assert right.status_code == 429, "a password that is right can't be told from a guess now"
        assert 0 < int(right.headers["retry-after"]) <= 6
        assert door.house.taken == []
        assert door.keeper.status()["refused"] == {"wrong credential": 10, "too many wrong credentials": 16}
        assert door.keeper.trouble is not None
        assert door.keeper.trouble.startswith("10 wrong credentials at the door of erp (/in/erp) in the last 10 min")
        assert "127.0.0.1" in door.keeper.trouble


async def test_a_signed_webhook_comes_in_with_one_of_its_secrets(http: httpx.AsyncClient) -> None:
    async with street(signatures=[SECRET, NEXT_SECRET]) as door:
        for number, secret in enumerate((SECRET, NEXT_SECRET)):
            answer = await http.post(door.url, content=b"{}", headers=signed(secret, b"{}", f"msg_{number}"))
            assert answer.status_code == 202
        both = signed(SECRET, b"{}", "msg_3")
        both["webhook-signature"] = f"v1a,xyz v1,AAAA {both['webhook-signature']}"
        assert (await http.post(door.url, content=b"{}", headers=both)).status_code == 202
        assert len(door.house.taken) == 3


def test_the_signature_of_the_standards_own_example_fits() -> None:
    body, secret = b'{"test": 2432232314}', "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }  # fmt: skip
    signatures = Signatures(DoorConfig(signatures=(SecretStr(secret),)), clock=lambda: 1614265330.0)
    assert signatures.promised_in(headers) == "msg_p5jXN8AQM9LWM0D4loKWxJek"
    assert signatures.fit(headers, body)
    assert not signatures.fit(headers, body + b" ")


@pytest.mark.parametrize(
    "changed",
    [
        {"webhook-id": "msg_2"}, {"webhook-id": ""}, {"webhook-timestamp": "-1"}, {"webhook-timestamp": "1e9"},
        {"webhook-timestamp": "9" * 400}, {"webhook-timestamp": "²"}, {"webhook-signature": ""},
        {"webhook-signature": "v1,"}, {"webhook-signature": "v1,\xff"}, {"webhook-signature": "v1a,AAAA"},
        {"body": "more"}, {"at": "old"}, {"at": "ahead"}, {"secret": "other"}, {"buried": "deep"},
    ],
)  # fmt: skip
async def test_a_webhook_that_is_not_signed_well_stays_outside(
    http: httpx.AsyncClient, changed: dict[str, str]
) -> None:
    async with street(signatures=[SECRET], tolerance_s=60) as door:
        at = int(time.time()) + {"old": -62, "ahead": 65}.get(changed.pop("at", ""), 0)
        secret = new_signing_secret() if changed.pop("secret", "") else SECRET
        headers = signed(secret, b"{}", at=at)
        if changed.pop("buried", ""):
            headers["webhook-signature"] = "v1,AAAA " * 50 + headers["webhook-signature"]
        body = b"{}" + changed.pop("body", "").encode()
        sent = {name: value.encode("latin-1") for name, value in (headers | changed).items()}
        assert (await http.post(door.url, content=body, headers=sent)).status_code == 401
        assert door.house.taken == []


async def test_a_webhook_that_is_replayed_is_answered_as_before_without_a_second_effect(
    http: httpx.AsyncClient,
) -> None:
    async with street(signatures=[SECRET]) as door:
        heard = signed(SECRET, b"{}")
        door.house.ready.clear()
        asking = [asyncio.create_task(http.post(door.url, content=b"{}", headers=heard)) for _ in range(3)]
        await asyncio.wait(asking, timeout=0.3)
        door.house.ready.set()
        answers = [await one for one in asking] + [await http.post(door.url, content=b"{}", headers=heard)]
        assert [(answer.status_code, answer.text) for answer in answers] == [(202, "1")] * 4
        assert door.house.taken == [b"{}"]


async def test_an_id_that_is_used_again_for_something_else_is_not_taken_for_a_replay(http: httpx.AsyncClient) -> None:
    async with street(signatures=[SECRET]) as door:
        for body in (b"{}", b"[]", b"{}"):
            assert (await http.post(door.url, content=body, headers=signed(SECRET, body))).status_code == 202
        assert door.house.taken == [b"{}", b"[]"]


async def test_what_nobody_can_guess_opens_also_for_an_address_from_which_somebody_guesses(
    http: httpx.AsyncClient,
) -> None:
    """A reverse proxy, a shared gateway: who is locked out with the address isn't who guessed."""
    async with street(tokens=[token_hash(TOKEN)], users={"mii": token_hash(NEXT_TOKEN)}) as door:
        for _ in range(15):
            await http.post(door.url, headers={"authorization": "Bearer wrong"})
        assert (await http.post(door.url, headers={"authorization": "Bearer wrong"})).status_code == 429
        for shown in (f"Bearer {TOKEN}", basic("mii", NEXT_TOKEN)):
            assert (await http.post(door.url, headers={"authorization": shown})).status_code == 202


@asynccontextmanager
async def trickling(door: Street, many: int, body: bytes = b"x", *, address: str = "127.0.0.%d") -> AsyncIterator[list]:
    """Who promises a signature, sends the beginning of a body, and then nothing more: what each hears."""
    promised = "".join(f"{name}: {value}\r\n" for name, value in signed(SECRET, b"x").items()).encode()
    held = []
    for number in range(many):
        where = (address % (number + 2) if "%" in address else address, 0)
        held.append(await asyncio.open_connection("127.0.0.1", door.port, local_addr=where))
        held[-1][1].write(HEAD % (len(body) + 9) + promised + b"\r\n" + body)
    heard = [asyncio.create_task(reader.read(20)) for reader, _ in held]
    try:
        yield heard
    finally:
        for _, writer in held:
            writer.close()
        await asyncio.wait(heard)


@pytest.mark.parametrize("address", ["127.0.0.%d", "127.0.0.2"], ids=["many", "one"])
async def test_who_promises_a_signature_and_trickles_keeps_nobody_else_out(
    http: httpx.AsyncClient, address: str
) -> None:
    async with street(signatures=[SECRET], at_once=4) as door, trickling(door, 6, address=address) as heard:
        done, _ = await asyncio.wait(heard, return_when=asyncio.FIRST_COMPLETED)
        assert all(b" 408 " in one.result() for one in done), "the oldest makes room"
        assert (await http.post(door.url, content=b"{}", headers=signed(SECRET, b"{}"))).status_code == 202


async def test_those_who_promise_a_signature_hold_no_place_of_who_has_shown_a_token(http: httpx.AsyncClient) -> None:
    locks = {"signatures": [SECRET], "tokens": [token_hash(TOKEN)]}
    async with street(**locks, at_once=2) as door, trickling(door, 2):
        answer = await http.post(door.url, content=b"{}", headers={"authorization": f"Bearer {TOKEN}"})
        assert answer.status_code == 202


async def test_bodies_that_nobody_has_vouched_for_are_bounded_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Strangers.__init__, "__defaults__", (300_000,))
    async with (
        street(signatures=[SECRET], max_bytes=1_000_000) as door,
        trickling(door, 5, b"x" * 100_000) as heard,
    ):
        done, _ = await asyncio.wait(heard, return_when=asyncio.FIRST_COMPLETED)
        assert all(b" 408 " in one.result() for one in done)


async def test_who_says_where_it_comes_from_is_believed_only_if_it_is_a_known_proxy(http: httpx.AsyncClient) -> None:
    """Else one address guesses under a thousand names."""
    for proxies, refused in (((), [401] * 10 + [429] * 2), (("127.0.0.0/8",), [401] * 12)):
        async with served(DoorConfig(users={"sap": SecretStr("s3cret:word")}), proxies=proxies) as (url, _, house):
            statuses = []
            for number in range(12):
                said = {"x-forwarded-for": f"10.0.0.{number}"}
                answer = await http.post(f"{url}/in/erp", auth=("sap", str(number)), headers=said)
                statuses.append(answer.status_code)
            assert (statuses, house.taken) == (refused, [])


async def test_a_request_with_two_ends_is_refused_and_nothing_behind_it_is_heard() -> None:
    async with served() as (_, port, house):
        both = b"POST /in/erp HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        said = await heard_on(port, both + b"POST /in/erp HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx")
        assert said.startswith(b"HTTP/1.1 400 ")
        assert said.count(b"HTTP/1.1") == 1
        assert house.taken == []


async def test_a_page_in_a_browser_here_cannot_post_to_an_unlocked_door(http: httpx.AsyncClient) -> None:
    async with street() as door:
        page = {"origin": "https://elsewhere.example", "content-type": "text/plain"}
        assert (await http.post(door.url, content=b"{}", headers=page)).status_code == 403
        assert (await http.post(door.url, content=b"{}")).status_code == 202
        assert door.house.taken == [b"{}"]


async def test_a_webhook_that_could_not_be_taken_may_be_sent_again(http: httpx.AsyncClient) -> None:
    async with street(signatures=[SECRET]) as door:
        again = signed(SECRET, b"{}")
        door.house.status = 503
        assert (await http.post(door.url, content=b"{}", headers=again)).status_code == 503
        door.house.status = 202
        assert (await http.post(door.url, content=b"{}", headers=again)).status_code == 202
        assert len(door.house.taken) == 2


async def test_too_much_is_cut_off_while_it_is_read(http: httpx.AsyncClient) -> None:
    """Whether it says so beforehand or not, and whether the application looks or not."""
    async with street(max_bytes=10_000) as door:
        assert (await http.post(door.url, content=b"x" * 10_000)).status_code == 202
        for content in (b"x" * 5_000_000, _endless()):
            assert (await http.post(door.url, content=content)).status_code == 413
        assert door.house.taken == [b"x" * 10_000]


async def _endless() -> AsyncIterator[bytes]:
    for _ in range(1000):
        yield b"x" * 65536


async def test_too_often_is_429_and_tells_when_to_come_again(http: httpx.AsyncClient) -> None:
    async with street(lambda: 0.0, per_second=0.5, burst=3) as door:
        answers = [await http.post(door.url, content=b"x") for _ in range(5)]
        assert [answer.status_code for answer in answers] == [202, 202, 202, 429, 429]
        assert [answer.headers["retry-after"] for answer in answers[3:]] == ["2", "2"]
        assert len(door.house.taken) == 3


async def test_too_many_at_once_are_503(http: httpx.AsyncClient) -> None:
    async with street(at_once=2) as door:
        door.house.ready.clear()
        asking = [asyncio.create_task(http.post(door.url, content=b"x")) for _ in range(3)]
        done, pending = await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
        assert [(one.result().status_code, one.result().headers["retry-after"]) for one in done] == [(503, "1")]
        door.house.ready.set()
        assert [(await one).status_code for one in pending] == [202, 202]


async def test_a_body_that_trickles_in_is_cut_off_while_others_are_served(http: httpx.AsyncClient) -> None:
    async with street(body_timeout_s=0.4) as door:
        slow = [asyncio.create_task(_trickle(door)) for _ in range(5)]
        assert (await http.post(door.url, content=b"x")).status_code == 202
        for answer in await asyncio.gather(*slow):
            assert answer.startswith(b"HTTP/1.1 408 ")
        assert door.house.taken == [b"x"]


async def _trickle(door: Street) -> bytes:
    return await door.says(HEAD % 100 + b"\r\n", *[b"x"] * 12, pause_s=0.1)


async def test_a_head_with_hundreds_of_lines_is_refused() -> None:
    async with street() as door:
        many = b"".join(b"x-%d: y\r\n" % number for number in range(200))
        assert (await door.says(HEAD % 0 + many + b"\r\n")).startswith(b"HTTP/1.1 431 ")
        assert door.house.taken == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"tokens": [TOKEN]}, {"users": {"a:b": "longenough"}}, {"users": {"a": "short"}}, {"signatures": ["whsec_x"]},
        {"signatures": ["c2VjcmV0"]}, {"certificates": ["sha256:12"]}, {"max_bytes": 0}, {"locked": True},
    ],
)  # fmt: skip
def test_a_lock_that_cannot_work_is_no_configuration(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="validation error") as caught:
        DoorConfig.model_validate(wrong)
    assert "longenough" not in str(caught.value.errors(include_input=False))
