"""What failed calls and answers mean: each httpx error, each status, each strange body, over real connections."""

from __future__ import annotations

import asyncio
import gzip
import ssl
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from patience import PATIENCE_S, until
from ports import free_port
from rest_bodies import message, surroundings
from rest_system import FIND, SAYS, WRITE, Ledger
from starlette.responses import Response

from connectors.connector import (
    Absent,
    ConfigError,
    ConnectorError,
    Effect,
    Halted,
    Health,
    Lacking,
    Level,
    MappingError,
    NotConnected,
    Offer,
    OutcomeUnknown,
    Receipt,
    Rejected,
    RetryableError,
)
from connectors.protocols.rest import Rest, RestConfig
from connectors.protocols.rest.answers import Reply, translated
from connectors.sending import only_while

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from canonical.message import Message

SOON_S = 1.0
SECRET = "a-secret-of-the-tests"


@pytest.fixture
async def ledger() -> AsyncIterator[Ledger]:
    ledger = Ledger()
    await ledger.server.start()
    yield ledger
    ledger.released.set()
    await ledger.server.stop()


def decision(ref: str = "W-1") -> Message:
    body = {"id": ref, "material_lot_id": "L1", "disposition": "UnRestricted", "decided": "2026-03-02T09:00:00Z"}
    return message("release_decision", body)


def rest(ledger: Ledger, *, write: dict[str, Any] | None = None, **changes: Any) -> Rest:
    base = {"connector": "rest", "url": ledger.url, "token": SECRET, "timeout_s": PATIENCE_S}
    writes = {"writes": [WRITE | (write or {})]}
    return Rest(RestConfig.model_validate(base | writes | changes), surroundings("ledger"))


async def written(connector: Rest, it: Message | None = None) -> Receipt | ConnectorError:
    return (await connector.write([it or decision()]))[0]


async def hurried(connector: Rest, it: Message) -> Receipt | ConnectorError:
    """Written by a call that has little time, over a connection that is there already; those after it have all."""
    exchange = connector._exchange
    await connector.find(it)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(exchange, "_endpoint", exchange._endpoint.model_copy(update={"timeout_s": SOON_S}))
        call = asyncio.create_task(written(connector, it))
        await asyncio.sleep(0)
    return await call


def _all_errors(kind: type[Exception]) -> Iterator[type[Exception]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _all_errors(child)


HTTPX_ERRORS = [
    *_all_errors(httpx.HTTPError), httpx.InvalidURL, httpx.CookieConflict, *_all_errors(httpx.StreamError)
]  # fmt: skip
NOTHING_SENT = {"ConnectError", "ConnectTimeout", "ProxyError"}
CANT_BE_MADE = {"InvalidURL", "UnsupportedProtocol", "LocalProtocolError", "CookieConflict"}


@pytest.mark.parametrize("kind", HTTPX_ERRORS, ids=lambda kind: kind.__name__)
def test_every_error_of_the_client_has_a_meaning(kind: type[Exception]) -> None:
    cause = kind.__new__(kind)
    Exception.__init__(cause, "said the client")
    cause._request = None  # type: ignore[attr-defined]
    name = kind.__name__
    lost = translated(cause, repeatable=False)
    if name in NOTHING_SENT:
        assert type(lost) is NotConnected
    elif name in CANT_BE_MADE:
        assert type(lost) is MappingError
    elif name == "PoolTimeout":
        assert type(lost) is RetryableError
    else:
        assert type(lost) is OutcomeUnknown
        assert type(translated(cause, repeatable=True)) is NotConnected


@pytest.mark.parametrize(
    ("status", "once", "repeatable"),
    [
        (301, Rejected, Rejected), (400, Rejected, Rejected), (401, Halted, Halted), (403, Halted, Halted),
        (404, Rejected, Rejected), (407, Halted, Halted), (408, RetryableError, RetryableError),
        (409, Rejected, Rejected), (412, Rejected, Rejected), (422, Rejected, Rejected),
        (423, RetryableError, RetryableError), (429, RetryableError, RetryableError),
        (500, OutcomeUnknown, RetryableError), (502, OutcomeUnknown, RetryableError),
        (503, RetryableError, RetryableError), (504, OutcomeUnknown, RetryableError),
    ],
)  # fmt: skip
def test_every_status_has_a_meaning(status: int, once: type[Exception], repeatable: type[Exception]) -> None:
    reply = Reply(status, {}, b'{"message": "because"}')
    assert type(translated(reply, repeatable=False)) is once
    assert type(translated(reply, repeatable=True)) is repeatable
    assert "because" in str(translated(reply, repeatable=True))


def test_unheard_of_failures_are_not_taken_for_certain() -> None:
    assert isinstance(translated(RuntimeError("?"), repeatable=False), OutcomeUnknown)
    certificate = httpx.ConnectError("no")
    certificate.__cause__ = ssl.SSLCertVerificationError("self-signed")
    assert isinstance(translated(certificate, repeatable=True), Halted)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_where_nobody_is_there_is_said_without_what_the_address_keeps_secret(host: str) -> None:
    port = free_port()
    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.ConnectError) as caught:
            await client.get(f"http://ann:secret@{host}:{port}/stops?token=secret")
    error = translated(caught.value, repeatable=False)
    assert str(error) == f"no connection to http://{host}:{port}: Connection refused"


async def test_retry_after_is_honoured_in_both_spellings(ledger: Ledger) -> None:
    connector = rest(ledger)
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    ledger.next_answers = [Response(status_code=429, headers={"retry-after": text}) for text in ("7", later, "soon")]
    errors = [await written(connector) for _ in range(3)]
    waits = [error.retry_after_s for error in errors if isinstance(error, RetryableError)]
    assert waits[0] == 7.0
    assert 80 < (waits[1] or 0) <= 90
    assert waits[2] is None
    await connector.close()


async def test_a_target_that_fails_often_and_then_recovers(ledger: Ledger) -> None:
    connector = rest(ledger)
    ledger.next_answers = [Response("<h1>Oops</h1>", 500, media_type="text/html") for _ in range(3)]
    for _ in range(3):
        failed = await written(connector)
        assert isinstance(failed, OutcomeUnknown)
        assert "Oops" in str(failed)
        assert "<h1>" not in str(failed)
    assert await connector.find(decision()) == Absent()
    assert await written(connector) == Receipt(Level.POSTED, "7001")
    await connector.close()


async def test_an_answer_that_comes_too_late_is_read_back(ledger: Ledger) -> None:
    connector = rest(ledger)
    ledger.hang = True
    late = await hurried(connector, decision())
    assert isinstance(late, OutcomeUnknown)
    ledger.hang = False
    assert await connector.find(decision()) == Receipt(Level.POSTED, "7001")
    assert await connector.find(decision("W-2")) == Absent()
    assert await written(connector, decision("W-2")) == Receipt(Level.POSTED, "7002")
    assert ledger.count("W-1") == 1
    await connector.close()


async def test_a_late_answer_of_one_call_leaves_the_others_alone(ledger: Ledger) -> None:
    connector = rest(ledger)
    ledger.hang = True
    first = asyncio.create_task(hurried(connector, decision()))
    await until(lambda: ledger.count("W-1"))
    second = asyncio.create_task(written(connector, decision("W-2")))
    assert isinstance(await first, OutcomeUnknown)
    ledger.hang = False
    ledger.released.set()
    assert isinstance(await second, Receipt)
    await connector.close()


async def test_a_half_open_server_is_noticed(ledger: Ledger) -> None:
    """It takes connections and never says a word."""
    silent = await asyncio.start_server(lambda *_: asyncio.sleep(30), "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    connector = rest(ledger, url=f"http://127.0.0.1:{port}", timeout_s=0.2)
    with pytest.raises(NotConnected):
        await connector.connect()
    assert isinstance(await written(connector), OutcomeUnknown)
    assert (await connector.probe()).health is Health.DOWN
    await connector.close()
    silent.close()


async def test_nobody_there_means_nothing_was_sent(ledger: Ledger) -> None:
    connector = rest(ledger)
    await ledger.server.stop()
    with pytest.raises(NotConnected):
        await written(connector)
    with pytest.raises(NotConnected):
        await connector.find(decision())
    await ledger.server.start()
    assert isinstance(await written(connector), Receipt)
    await connector.close()


async def test_bad_credentials_halt(ledger: Ledger) -> None:
    connector = rest(ledger, check={"url": "/me", "expect": "user = 'hub'"})
    ledger.next_answers = [Response(f'{{"detail": "no such token {SECRET}"}}', 401, media_type="application/json")]
    with pytest.raises(Halted) as halted:
        await written(connector)
    assert SECRET not in str(halted.value)
    assert "no such token ***" in str(halted.value)
    ledger.next_answers = [Response('{"user": null}')]
    with pytest.raises(Halted):
        await connector.connect()
    await connector.connect()
    await connector.close()


async def test_an_empty_list_for_a_wrong_password_is_not_absent(ledger: Ledger) -> None:
    connector = rest(ledger, check={"url": "/me", "expect": "user = 'hub'"})
    assert await connector.find(decision()) == Absent()
    ledger.next_answers = [Response('{"items": []}'), Response('{"user": "guest"}')]
    with pytest.raises(Halted):
        await connector.find(decision())
    await connector.close()


IN_BODY = "ok = false ? {'status': code, 'reason': message} : error"


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        ('{"ok": false, "code": 401, "message": "who are you"}', Halted, "who are you"),
        ('{"ok": false, "code": 400, "message": "no such lot"}', Rejected, "no such lot"),
        ('{"ok": false, "code": 503, "message": "closed"}', RetryableError, "closed"),
        ('{"ok": false, "code": 500, "message": "crashed"}', OutcomeUnknown, "crashed"),
        ('{"error": "UserError: locked"}', Rejected, "UserError: locked"),
        ('{"error": {"reason": "frozen period"}}', Rejected, "frozen period"),
        ("<html><title>Log in</title></html>", OutcomeUnknown, "Log in"),
        ('{"number": 1, "number": 2}', OutcomeUnknown, "twice"),
    ],
)
async def test_errors_inside_status_200_are_errors(ledger: Ledger, body: str, kind: type, words: str) -> None:
    connector = rest(ledger, error=IN_BODY)
    ledger.next_answers = [Response(body, 200)]
    try:
        result: object = await written(connector)
    except ConnectorError as error:
        result = error
    assert isinstance(result, kind), result
    assert words in str(result)
    assert await written(connector) == Receipt(Level.POSTED, "7001")
    await connector.close()


async def test_a_strange_answer_to_a_write_leaves_open_what_happened(ledger: Ledger) -> None:
    failing = rest(ledger, error="$number(state) > 3 ? 'closed'")
    ledger.next_answers = [Response('{"state": "odd"}')]
    assert isinstance(await written(failing), OutcomeUnknown)
    await failing.close()


async def test_what_was_taken_and_refused_later_has_its_reason(ledger: Ledger) -> None:
    connector = rest(ledger, write={"duplicate": [409], "find": FIND | {"refused": "item.refused"}})
    assert await written(connector) == Receipt(Level.POSTED, "7001")
    assert await connector.find(decision()) == Receipt(Level.POSTED, "7001")
    ledger.docs[0]["refused"] = "the period is closed"
    with pytest.raises(Rejected, match="the period is closed"):
        await connector.find(decision())
    ledger.next_answers = [Response('{"message": "exists"}', 409)]
    assert isinstance(await written(connector), Rejected)
    await connector.close()


async def test_a_refusal_for_missing_stock_is_told_from_others(ledger: Ledger) -> None:
    error = '{"status": 422, "reason": detail, "lacking": code = "STOCK"}'
    connector = rest(ledger, write={"error": f"$exists(code) ? {error}"})
    answers = ('{"code": "STOCK", "detail": "0 of 5 there"}', '{"code": "NO", "detail": "no"}')
    ledger.next_answers = [Response(answer) for answer in answers]
    assert isinstance(lacking := await written(connector), Lacking)
    assert "0 of 5 there" in str(lacking)
    assert isinstance(await written(connector), Rejected)
    await connector.close()


@pytest.mark.parametrize("write", [{}, {"document": None}])
async def test_a_login_page_with_a_good_status_took_nothing_for_sure(ledger: Ledger, write: dict[str, Any]) -> None:
    connector = rest(ledger, write=write)
    ledger.next_answers = [Response("<html>Log in</html>", 200, media_type="text/html")]
    assert isinstance(await written(connector), OutcomeUnknown)
    assert await connector.find(decision()) == Absent()
    await connector.close()


@pytest.mark.parametrize("body", ['{"number": null}', "", '{"other": 1}'])
async def test_what_was_taken_without_a_number_is_taken(ledger: Ledger, body: str) -> None:
    connector = rest(ledger)
    ledger.next_answers = [Response(body, 201)]
    assert await written(connector) == Receipt(Level.ACCEPTED)
    await connector.close()


async def test_a_conflict_counts_as_done_only_where_it_is_declared(ledger: Ledger) -> None:
    refuses, knows = rest(ledger), rest(ledger, write={"duplicate": [409]})
    unnumbered = rest(ledger, write={"duplicate": [409], "find": None, "document": None})
    conflict = Response('{"message": "exists"}', 409)
    ledger.next_answers = [conflict]
    assert isinstance(await written(refuses), Rejected)
    ledger.next_answers = [conflict]
    assert isinstance(await written(knows), Rejected), "a conflict with something else isn't our effect"
    ledger.add("W-1")
    ledger.next_answers = [conflict]
    assert await written(knows) == Receipt(Level.POSTED, "7001")
    ledger.next_answers = [conflict, Response(status_code=500)]
    assert isinstance(await written(knows), OutcomeUnknown)
    ledger.next_answers = [conflict]
    assert await written(unnumbered) == Receipt(Level.ACCEPTED)
    for connector in (refuses, knows, unnumbered):
        await connector.close()


async def test_an_idempotent_write_carries_its_id_and_is_simply_repeated(ledger: Ledger) -> None:
    connector = rest(
        ledger, write={"find": None, "idempotency_header": "Idempotency-Key", "headers": {"x-of": "{key}"}}
    )
    assert connector.accepts[Offer("release_decision")].effect is Effect.IDEMPOTENT
    ledger.next_answers = [Response(status_code=502)]
    assert type(await written(connector)) is RetryableError
    assert isinstance(await written(connector), Receipt)
    ids = {headers["idempotency-key"] for _, _, headers, _ in ledger.seen}
    assert ids == {decision().id}
    assert ledger.seen[0][2]["x-of"] == "W-1"
    assert "traceparent" not in ledger.seen[0][2]
    context = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    await connector.write([replace(decision(), traceparent=context)])
    assert ledger.seen[-1][2]["traceparent"] == context
    (taken,) = await connector.write([replace(decision(), traceparent="00-\u00e9\n")])
    assert isinstance(taken, Receipt), "what no trace can be is no reason for anything"
    assert "traceparent" not in ledger.seen[-1][2]
    await connector.close()


async def test_a_blind_write_that_may_have_happened_is_never_repeated_by_itself(ledger: Ledger) -> None:
    connector = rest(ledger, write={"find": None})
    assert connector.accepts[Offer("release_decision")].effect is Effect.BLIND
    ledger.swallow = True
    assert isinstance(await written(connector), OutcomeUnknown)
    with pytest.raises(OutcomeUnknown):
        await connector.find(decision())
    await connector.close()


async def test_reading_back_that_fails_stays_unknown(ledger: Ledger) -> None:
    connector = rest(ledger)
    for answer in (Response(status_code=500), Response("<html>"), Response('{"rows": []}'), Response(status_code=400)):
        ledger.next_answers = [answer]
        with pytest.raises(OutcomeUnknown):
            await connector.find(decision())
    ledger.next_answers = [Response(status_code=404)]
    assert await connector.find(decision()) == Absent()
    await connector.close()


async def test_answers_are_capped_also_when_they_unpack(ledger: Ledger) -> None:
    connector = rest(ledger, max_response_bytes=50_000)
    bomb = gzip.compress(b" " * 10_000_000)
    ledger.next_answers = [Response(bomb, headers={"content-encoding": "gzip"})]
    with pytest.raises(OutcomeUnknown):
        await connector.find(decision())
    ledger.next_answers = [Response(bomb, headers={"content-encoding": "gzip"})]
    assert isinstance(await written(connector), OutcomeUnknown)
    await connector.close()


async def test_no_redirect_leads_to_another_host(ledger: Ledger) -> None:
    elsewhere = Ledger()
    await elsewhere.server.start()
    connector = rest(ledger)
    ledger.add("W-1")
    ledger.next_answers = [Response(status_code=302, headers={"location": f"{elsewhere.url}/docs"})]
    with pytest.raises(OutcomeUnknown, match="another host"):
        await connector.find(decision())
    ledger.next_answers = [Response(status_code=307, headers={"location": "/docs?ref=W-1"})]
    assert isinstance(await connector.find(decision()), Receipt)
    ledger.next_answers = [Response(status_code=307, headers={"location": f"{elsewhere.url}/docs"})]
    assert isinstance(await written(connector), Rejected)
    assert not elsewhere.seen
    await connector.close()
    await elsewhere.server.stop()


async def test_a_next_link_leads_to_no_other_host(ledger: Ledger) -> None:
    read = {
        "name": "docs", "url": "/docs", "items": "items", "paging": {"style": "link"},
        "bookmark": {"field": "seq", "query": "since"}, "says": [SAYS],
    }  # fmt: skip
    connector = rest(ledger, reads=[read], poll_s=0.02)
    ledger.add("D-1")
    ledger.next_answers = [Response('{"items": [], "next": "http://169.254.169.254/latest"}')]
    item = await anext(connector.read(None))
    assert [it.key for it in item.messages] == ["D-1"], "the poll goes on after the refused link"
    await connector.close()


async def test_basic_authentication_and_own_headers(ledger: Ledger) -> None:
    basic = rest(ledger, token=None, user="hub", password=SECRET)
    named = rest(ledger, token_header="x-api-key")
    for connector in (basic, named):
        await written(connector)
        await connector.close()
    assert ledger.seen[0][2]["authorization"].startswith("Basic ")
    assert ledger.seen[1][2]["x-api-key"] == SECRET
    assert SECRET not in repr(basic._config)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"url": "ftp://erp"}, "no http"), ({"url": "http://a:b@erp"}, "credentials"), ({"url": "erp"}, "no http"),
        ({"url": "http://erp?x=1"}, "no query"), ({"user": "a"}, "belong together"),
        ({"token": "t", "user": "a", "password": "p"}, "either token"), ({"listen": "/in/x"}, "listen and pushed"),
        ({"url": "", "writes": [WRITE]}, "needs `url`"), ({"url": ""}, "needs `url`"),
        ({"door": {"max_bytes": 5000}}, "a door needs `listen`"), ({"door": {"tokens": ["t"]}}, "not the token itself"),
        ({"nonsense": 1}, "Extra inputs"),
        ({"writes": [WRITE | {"object": "bottle"}]}, "no data object"),
        ({"writes": [WRITE | {"body": "{{"}]}, "expression"), ({"writes": [WRITE | {"url": "/{a"}]}, "brace"),
        ({"writes": [WRITE | {"find": None, "effect": "findable"}]}, "how is it read back"),
        ({"writes": [WRITE | {"find": FIND | {"match": "$$$("}}]}, "expression"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused_when_it_is_configured(changes: dict[str, Any], words: str) -> None:
    base = {"connector": "rest", "url": "http://127.0.0.1:1"}
    with pytest.raises(ValueError, match=words):
        RestConfig.model_validate(base | changes)


def test_a_time_zone_that_is_none_is_named(ledger: Ledger) -> None:
    with pytest.raises(ConfigError, match="Mars/Olympus"):
        rest(ledger, timezone="Mars/Olympus")


async def test_certificate_files_that_are_none_are_named(ledger: Ledger) -> None:
    connector = rest(ledger, url="https://127.0.0.1:1", ca_file="missing.pem")
    with pytest.raises(ConfigError) as refused:
        await connector.connect()
    assert refused.value.field == "ca_file"
    await connector.close()


async def test_what_may_not_be_sent_any_more_when_there_is_a_connection_is_not_sent(ledger: Ledger) -> None:
    connector, looks = rest(ledger), []
    with only_while(lambda: bool(looks.append(len(ledger.seen)))):
        failed = await asyncio.gather(written(connector), return_exceptions=True)
    assert isinstance(failed[0], NotConnected)
    assert (looks, ledger.seen) == ([0], []), "it was looked once, and nothing went out"
    with only_while(lambda: True):
        assert isinstance(await written(connector), Receipt)
    await connector.close()
