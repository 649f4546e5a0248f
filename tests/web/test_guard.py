"""With `http.token` the pages are for those who show it; the plain probes and the systems' doors stay as they are."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from starlette.responses import PlainTextResponse

from mombus.web.app import make_app, make_part_app

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

TOKEN = "tok-ü-123"
REASONS = "[-] broker: 10.0.0.5 doesn't answer\n[!] the certificate ends in 3 days\n"
GUARDED = ("/", "/live", "/metrics", "/api/status", "/api/waiting", "/api/journey/PO-1", "/openapi.json",
           "/nowhere", "/livez/", "/readyz?verbose", "/livez?verbose=1", "/healthz?%76erbose=1",
           "//livez", "/in/erpx")  # fmt: skip


ANSWERS: dict[str, Any] = {
    "status": {
        "at": "2026-03-02T06:00:00Z", "site": "lyon", "version": "1", "causes_total": 0, "waiting_total": 0, "kept": 0,
        "disagreements": 0, "broker": {"up": False, "reason": "no answer", "since": "2026-03-02T06:00:00Z"},
        **dict.fromkeys(("hubs", "systems", "flows", "waiting", "messages", "trouble", "besides"), ()),
    },
    "waiting": {"rows": [], "next": None},
}  # fmt: skip


class Desk:
    """A hub whose broker is away."""

    async def ask(self, question: Any, _asked: Any) -> Any:
        return ANSWERS.get(question.name, [])

    async def ready(self) -> dict[str, str]:
        return {"broker": "10.0.0.5 doesn't answer"}

    async def metrics(self) -> str:
        return "mombus_up 1\n"


async def door(scope: Scope, receive: Receive, send: Send) -> None:
    """A hosted connector's application."""
    await PlainTextResponse("the ERP's door")(scope, receive, send)


def client(token: str | None = TOKEN, **headers: bytes) -> httpx.AsyncClient:
    app = make_app(Desk(), {"/in/erp": door}, token, notices=lambda: ["the certificate ends in 3 days"])
    raw = {name.encode(): value for name, value in headers.items()}
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost", headers=raw)


def bearer(token: str) -> bytes:
    return f"Bearer {token}".encode()


def basic(text: str) -> bytes:
    return b"Basic " + b64encode(text.encode())


@pytest.mark.parametrize("path", GUARDED)
async def test_without_the_token_nothing_is_shown(path):
    async with client() as http:
        answer = await http.get(path)
    assert answer.status_code == 401
    assert answer.headers.get_list("www-authenticate") == ['Basic realm="mombus", charset="UTF-8"',
                                                           'Bearer realm="mombus"']  # fmt: skip
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert TOKEN not in answer.text


@pytest.mark.parametrize(
    "shown", [bearer(TOKEN), b"bearer  " + TOKEN.encode(), basic(f"ann:{TOKEN}"), basic(f":{TOKEN}")]
)
async def test_the_token_opens(shown):
    async with client(Authorization=shown) as http:
        for path in ("/api/status", "/metrics"):
            assert (await http.get(path)).status_code == 200, path
        assert (await http.get("/readyz?verbose")).text == REASONS


@pytest.mark.parametrize(
    "shown",
    [b"", b"Bearer", b"Bearer ", bearer("tok"), bearer(TOKEN + "x"), TOKEN.encode(), basic(TOKEN), basic(f"{TOKEN}:"),
     b"Basic", b"Basic ???", b"Basic =", b"Digest x", b"Bearer \xff\xfe", basic(f"a:b:{TOKEN}")],
)  # fmt: skip
async def test_something_else_does_not(shown):
    async with client(Authorization=shown) as http:
        assert (await http.get("/api/status")).status_code == 401


@pytest.mark.parametrize("open_to_all", [True, False])
async def test_a_part_without_pages_tells_reasons_only_where_nobody_signs_in(open_to_all):
    app = make_part_app(Desk().ready, {}, open_to_all=open_to_all)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://part") as http:
        said = {(await http.get(f"/readyz{query}")).text for query in ("", "?verbose")}
    assert said == {"[-] broker: 10.0.0.5 doesn't answer\n" if open_to_all else "not ready\n"}


async def test_probes_stay_open_and_keep_their_reasons():
    async with client() as http:
        live, ready = await http.get("/livez"), await http.get("/readyz")
    assert (live.status_code, live.text) == (200, "ok\n")
    assert (ready.status_code, ready.text) == (503, "not ready\n")


async def test_a_door_keeps_its_own_credentials():
    async with client() as http:
        for path in ("/in/erp", "/in/erp/orders"):
            assert (await http.post(path)).text == "the ERP's door"


async def test_without_a_token_everything_is_open():
    async with client(token=None) as http:
        assert (await http.get("/api/status")).status_code == 200
        assert (await http.get("/readyz")).text == REASONS


async def test_who_guesses_the_token_is_not_listened_to_for_a_while():
    async with client(Authorization=bearer("wrong")) as http:
        statuses = [(await http.get("/api/status")).status_code for _ in range(12)]
        assert statuses == [401] * 10 + [429] * 2
        assert (await http.get("/api/status", headers={"Authorization": bearer(TOKEN)})).status_code == 429
        assert (await http.get("/livez")).status_code == 200


async def test_a_browser_that_shows_nothing_yet_is_no_guess():
    async with client() as http:
        assert {(await http.get("/api/status")).status_code for _ in range(20)} == {401}


@pytest.mark.parametrize(("hsts", "said"), [(True, "max-age=31536000"), (False, "max-age=0"), (None, None)])
async def test_who_came_by_tls_is_told_to_come_by_nothing_else_and_over_plain_http_nobody_is(hsts, said):
    app = make_app(Desk(), {}, hsts=hsts)
    for scheme, told in (("https", said), ("http", None)):
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=f"{scheme}://localhost") as http:
            for path in ("/api/status", "/nowhere", "/static/mombus.css", "/livez"):
                answer = await http.get(path)
                assert (answer.headers.get("strict-transport-security"), path) == (told, path)
                assert answer.headers["cache-control"] == "no-store"
