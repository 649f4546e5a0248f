"""A page elsewhere, in a browser that may use the hub, can't make it do anything there."""

from __future__ import annotations

import re
from datetime import UTC
from typing import TYPE_CHECKING

import httpx
import pytest
from fastapi import Request, Response
from jinja2 import ChoiceLoader, DictLoader

from mombus.web import forms
from mombus.web.access import forgery
from mombus.web.app import make_app
from mombus.web.forms import Form
from mombus.web.pages import rendering

if TYPE_CHECKING:
    from fastapi import FastAPI

HERE = "http://localhost"


class Desk:
    """A hub that isn't asked."""

    async def ready(self) -> dict[str, str]:
        return {}


def app(token: str | None = None, *, deeds: list[str]) -> FastAPI:
    """The hub's application with one more page that has a form, and does what it says."""
    made = make_app(Desk(), {}, token)

    @made.get("/form")
    async def form(request: Request) -> Response:
        return rendering.page(request, "refused.html", title=rendering.text(request, "csrf_of.html"), said="-")

    @made.post("/form")
    async def sent(fields: Form) -> Response:
        deeds.extend([f"{name}={value}" for name, value in fields.multi_items()] or ["nothing"])
        return rendering.done("/form")

    return made


@pytest.fixture
def deeds() -> list[str]:
    return []


@pytest.fixture
def http(deeds: list[str], monkeypatch: pytest.MonkeyPatch) -> httpx.AsyncClient:
    loader = ChoiceLoader([DictLoader({"csrf_of.html": "{{ csrf_field() }}"}), rendering.LOADER])
    monkeypatch.setattr(rendering._templates(UTC), "loader", loader)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app(deeds=deeds)), base_url=HERE)


async def token(http: httpx.AsyncClient) -> str:
    """What the page's form holds."""
    answer = await http.get("/form")
    return re.search(r"[0-9a-f]{64}", answer.text).group()


async def test_a_form_of_the_hub_is_taken_and_leads_back_to_its_page(http, deeds):
    answer = await http.post("/form", data={"csrf": await token(http), "id": ["1", "2"]}, headers={"origin": HERE})
    assert (answer.status_code, answer.headers["location"], deeds) == (303, "/form", ["id=1", "id=2"])


async def test_a_script_of_the_hub_sends_the_token_as_a_header(http, deeds):
    csrf = await token(http)
    answer = await http.post("/form", json={}, headers={"x-csrf-token": csrf, "sec-fetch-site": "same-origin"})
    assert (answer.status_code, len(deeds)) == (303, 1)


@pytest.mark.parametrize(
    "said",
    [{"origin": "http://evil.example"}, {"origin": "null"}, {"origin": "http://localhost:9999"}, {"origin": "https://localhost"},
     {"sec-fetch-site": "cross-site", "origin": HERE}, {"sec-fetch-site": "same-site"}, {"sec-fetch-site": "none"},
     {"sec-fetch-site": ""}],
)  # fmt: skip
async def test_another_site_is_refused_though_it_had_the_token(http, deeds, said):
    answer = await http.post("/form", data={"csrf": await token(http)}, headers=said)
    assert (answer.status_code, deeds) == (403, [])
    assert answer.json()["detail"] == forgery.ELSEWHERE


async def test_without_its_own_token_nothing_is_done(http, deeds):
    right = await token(http)
    for wrong in ("", "0" * 64, right[:-1], right.upper(), "ü", right + "0"):
        assert (await http.post("/form", data={"csrf": wrong})).status_code == 403, wrong
        assert (await http.post("/form", headers={"x-csrf-token": wrong.encode()})).status_code == 403, wrong
    assert (
        await http.post("/form", content=f"csrf={right}", headers={"content-type": "text/plain"})
    ).status_code == 403
    assert deeds == []


async def test_the_token_of_another_browser_is_no_use(http, deeds):
    right = await token(http)
    http.cookies.clear()
    await token(http)
    assert (await http.post("/form", data={"csrf": right})).status_code == 403
    http.cookies.clear()
    for cookie in ("", "mombus=", "mombus=x", f"mombus={'a' * 43}"):
        answer = await http.post("/form", data={"csrf": right}, headers={"cookie": cookie})
        assert (answer.status_code, deeds) == (403, []), cookie


@pytest.mark.parametrize("kind", sorted(forgery.ANYWHERE))
async def test_what_any_page_may_send_anywhere_needs_the_token_without_a_cookie_too(http, deeds, kind):
    assert (await http.post("/form", content=b"id=1", headers={"content-type": kind})).status_code == 403
    assert deeds == []


async def test_a_program_on_this_machine_needs_none(http, deeds):
    assert (await http.post("/form", json={"a": 1})).status_code == 303
    assert deeds


async def test_a_program_with_the_token_needs_none_and_a_password_that_a_browser_repeats_does(deeds):
    transport = httpx.ASGITransport(app("tok-1", deeds=deeds))
    async with httpx.AsyncClient(transport=transport, base_url=HERE) as http:
        bearer = {"authorization": "Bearer tok-1"}
        assert (await http.post("/form", data={"a": "1"}, headers=bearer)).status_code == 303
        for said in ({}, {"origin": "http://evil.example"}):
            assert (await http.post("/form", data={"a": "1"}, auth=("ann", "tok-1"), headers=said)).status_code == 403
        assert (await http.post("/form", data={"a": "1"}, headers={"authorization": "Bearer no"})).status_code == 401
    assert deeds == ["a=1"]


async def test_too_much_is_refused(http, deeds):
    right = await token(http)
    assert (await http.post("/form", content=b"x" * (forgery.MOST_BYTES + 1))).status_code == 413
    many = "&".join(["a=1"] * (forms.MOST_FIELDS + 1))
    form = {"content-type": forms.FORM}
    assert (await http.post("/form", content=f"csrf={right}&{many}", headers=form)).status_code == 413
    assert deeds == []


async def test_the_cookie_is_for_this_host_and_no_script(http):
    cookie = (await http.get("/form")).headers["set-cookie"]
    assert re.fullmatch(r"mombus=[A-Za-z0-9_-]{43}; Path=/; HttpOnly; SameSite=Lax", cookie)
    assert "set-cookie" not in (await http.get("/form")).headers
    secure = (await http.get("https://localhost/form")).headers["set-cookie"]
    assert re.fullmatch(r"__Host-mombus=[A-Za-z0-9_-]{43}; Path=/; HttpOnly; SameSite=Lax; Secure", secure)


async def test_a_browser_is_told_on_a_page(http):
    answer = await http.post("/form", headers={"accept": "text/html", "origin": "http://evil.example"})
    assert (answer.status_code, "text/html" in answer.headers["content-type"]) == (403, True)
    assert forgery.ELSEWHERE in answer.text.replace("&#39;", "'")
