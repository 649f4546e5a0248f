"""Guessing passwords leads nowhere, keeps nobody else out, and doesn't flood the audit trail."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest
from housed import PASSWORD, csrf, housed, sign_in
from patience import PATIENCE_S

from mombus.desk.access import SignIn
from mombus.desk.question import Role
from mombus.hub.desk import guesses, passwords, trying
from mombus.hub.desk.guesses import Guesses, Notes
from mombus.web.access import guard
from mombus.web.limits import ASKED_AT_ONCE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from housed import Housed


@pytest.fixture
async def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Housed]:
    """With ann, an engineer, and a clock of guesses that stands still."""
    monkeypatch.setattr(passwords, "LOG_N", 4)
    async with housed(tmp_path) as made:
        made.desk.trying._guesses, made.desk.signing_in._failures = Guesses(lambda: 0.0), Notes(lambda: 0.0)
        await made.add("ann", Role.ENGINEER)
        yield made


async def test_after_ten_tries_nothing_is_looked_at_any_more_though_the_password_is_right(house):
    async with house.browser() as signed_in, house.browser() as http, house.browser(address="10.0.0.9") as elsewhere:
        assert (await sign_in(signed_in)).status_code == 303
        form = {"csrf": await csrf(http), "name": "Ann ", "password": "wrong"}
        statuses = [(await http.post("/sign-in", data=form)).status_code for _ in range(12)]
        assert statuses == [401] * 9 + [429] * 3
        answer = await http.post("/sign-in", data=form | {"password": PASSWORD})
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "12")
        house.forget()
        assert (await signed_in.get("/api/me")).status_code == 200, "who is signed in at the same address"
        assert (await sign_in(elsewhere)).status_code == 303, "the same person at another address"


async def test_made_up_sessions_and_tokens_cost_little_and_keep_nobody_out(house, monkeypatch):
    """However long the flood takes here: none more is looked at within an hour."""
    monkeypatch.setattr(guard, "UNKNOWN_EVERY_S", 3600.0)

    def shown(n: int) -> dict[str, str]:
        return {"authorization": f"Bearer mombus_{n}"} if n % 2 else {"cookie": f"mombus={n:043}"}

    async with house.browser() as signed_in, house.browser() as later, house.browser(address="10.0.0.9") as elsewhere:
        assert (await sign_in(signed_in)).status_code == 303
        house.app.state.sessions._known.clear()
        house.desk.asked.clear()
        flood = await asyncio.gather(*(later.get("/api/me", headers=shown(n)) for n in range(120)))
        statuses = [answer.status_code for answer in flood]
        assert set(statuses) == {401, 429}
        assert 50 <= statuses.count(401) < 50 + ASKED_AT_ONCE, "those that are looked at are counted once they are"
        assert len(house.desk.asked) == statuses.count(401) + 1, "and once whether anybody has to sign in"
        refused = next(answer for answer in flood if answer.status_code == 429)
        assert (int(refused.headers["retry-after"]) > 0, "or sign in" in refused.text) == (True, True)
        house.forget()
        assert (await signed_in.get("/api/me")).status_code == 200, "who is signed in at the same address"
        assert (await sign_in(later)).status_code == 303, "anybody there can sign in"
        assert (await later.get("/api/me")).status_code == 200
        assert (await elsewhere.get("/api/me", headers=shown(1))).status_code == 401


async def test_many_who_were_signed_in_before_the_hub_started_come_in_at_once(house):
    sessions = house.app.state.sessions
    shown = [await sessions.sign_in("ann", PASSWORD, f"10.1.0.{n}") for n in range(60)]
    sessions._met.clear()
    async with house.browser() as http:
        come = (http.get("/api/me", headers={"cookie": f"mombus={one}"}) for one in shown)
        assert {answer.status_code for answer in await asyncio.gather(*come)} == {200}


async def test_whoever_found_a_browser_open_guesses_no_more_often_than_at_the_sign_in(house):
    async with house.browser() as http:
        await sign_in(http)
        form = {"csrf": await csrf(http, "/me"), "old": "wrong", "new": f"{PASSWORD} staple"}
        statuses = [(await http.post("/me/password", data=form)).status_code for _ in range(11)]
        assert statuses == [422] * 9 + [429] * 2
        right = await http.post("/me/password", data=form | {"old": PASSWORD})
        assert (right.status_code, right.headers["retry-after"]) == (429, "12")
        assert "too many tries: wait 12 s" in right.text
        script = {"x-csrf-token": form["csrf"]}
        answer = await http.post("/api/me/password", json={"old": PASSWORD, "new": "another one!"}, headers=script)
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "12")
    async with house.browser() as another:
        assert (await sign_in(another)).status_code == 429, "counted together"


async def test_one_address_tries_few_names(house):
    async with house.browser() as http:
        token = await csrf(http)
        form = [{"csrf": token, "name": f"n{number}", "password": "wrong"} for number in range(guesses.OF_ADDRESS + 2)]
        statuses = [(await http.post("/sign-in", data=one)).status_code for one in form]
    assert statuses == [401] * guesses.OF_ADDRESS + [429] * 2


async def test_a_name_is_guessed_at_from_many_addresses_in_vain():
    at = 0.0
    counted = Guesses(lambda: at)
    looked = 0
    for number in range(200):
        address = f"10.0.{number}.1"
        if not counted.wait_s("ann", address):
            counted.add("ann", address)
            looked += 1
    assert looked == guesses.OF_NAME
    at = guesses.OF_NAME_EVERY_S
    assert not counted.wait_s("ann", "10.1.0.1")


async def test_the_trail_isnt_flooded(house):
    before = len(await house.deeds())
    for number in range(guesses.NOTED + 5):
        async with house.browser(address=f"10.0.{number}.1") as http:
            assert (await sign_in(http, "ann", "wrong")).status_code == 401
    assert len(await house.deeds()) - before == guesses.NOTED


async def test_the_others_are_counted():
    at = 0.0
    counted = Notes(lambda: at)
    assert [counted.another() for _ in range(guesses.NOTED + 3)] == [0] * guesses.NOTED + [None] * 3
    at = guesses.NOTED_EVERY_S
    assert counted.another() == 3


async def test_names_that_exist_cost_no_more_than_others(house, monkeypatch):
    made: list[int] = []
    real = passwords._made

    def counting(*asked: object) -> bytes:
        made.append(1)
        return real(*asked)

    monkeypatch.setattr(passwords, "_made", counting)
    async with house.browser() as http:
        token = await csrf(http)
        passwords._nobodys()
        for name in ("ann", "nobody-here"):
            made.clear()
            await http.post("/sign-in", data={"csrf": token, "name": name, "password": "wrong"})
            assert len(made) == 1


async def test_a_cookie_that_was_made_up_or_put_there_is_nobody(house):
    async with house.browser() as http:
        for cookie in (
            "mombus=",
            "mombus=" + "a" * 43,
            "mombus=ann",
            "mombus=%00",
            "__Host-mombus=" + "a" * 43,
            "mombus=é",
        ):
            answer = await http.get("/api/me", headers={b"cookie": cookie.encode()})
            assert answer.status_code == 401, cookie
        planted = "b" * 43
        http.cookies.set("mombus", planted)
        await sign_in(http)
        assert (await http.get("/api/me", headers={"cookie": f"mombus={planted}"})).status_code == 401


ELSEWHERE = (
    "//evil.example", "https://evil.example", "/\\evil.example", "\\\\evil.example", "/\t/evil.example", "/sign-out",
    "javascript:alert(1)", "/%0d%0aset-cookie:a=b\r\n", "evil.example", "", "/ü", "///evil.example", "/" + "a" * 2001,
)  # fmt: skip


async def test_a_sign_in_leads_nowhere_else(house):
    for next in ELSEWHERE:
        async with house.browser(address=f"10.0.0.{ELSEWHERE.index(next)}") as http:
            answer = await sign_in(http, next=next)
            assert (answer.status_code, answer.headers["location"]) == (303, "/"), next
            shown = await http.get("/sign-in", params={"next": next})
            assert shown.headers["location"] == "/", next


async def test_many_at_once_wait_outside_of_the_hub(house, monkeypatch):
    go_on = threading.Event()

    def slow(*_asked: object) -> bool:
        return not go_on.wait(PATIENCE_S)

    monkeypatch.setattr(passwords, "fits", slow)
    places = trying.AT_ONCE + trying.QUEUED
    asked = [
        SignIn(name="ann", password="wrong", session="0" * 64, address=f"10.0.0.{number}")
        for number in range(places + 2)
    ]
    answering = [asyncio.create_task(house.desk.signing_in.sign_in(one)) for one in asked]
    first = await asyncio.gather(*answering[places:])
    assert first == [{"refused": "throttled", "again_s": 1}] * 2
    go_on.set()
    assert await asyncio.gather(*answering[:places]) == [{"refused": "wrong"}] * places
    assert (await house.desk.signing_in.sign_in(asked[-1])) == {"refused": "wrong"}
