"""People sign in, and what they do they do in their own name, within their roles, until they or others end it."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest
from housed import PASSWORD, csrf, housed, sign_in
from starlette.requests import Request

from mombus.desk.access import EndAll, EndPass, GiveToken, Named, SetPassword, SetRoles
from mombus.desk.question import QuestionError, Role
from mombus.desk.tap import TAP, TapAsked
from mombus.hub.desk import passwords
from mombus.journal import accounts
from mombus.web import live
from mombus.web.api import tap
from mombus.web.pages import rendering

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from housed import Housed

DEED = {"who": "ada", "why": "a test"}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords that cost less than they should."""
    monkeypatch.setattr(passwords, "LOG_N", 8)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Housed]:
    """With ann, an engineer."""
    async with housed(tmp_path) as made:
        await made.add("ann", Role.ENGINEER)
        yield made


async def test_before_the_first_account_nobody_signs_in_and_after_it_everybody_does(tmp_path):
    async with housed(tmp_path) as house, house.browser() as http:
        assert (await http.get("/api/me")).status_code == 200
        assert "doesn't answer" in (await http.get("/readyz")).text
        with pytest.raises(QuestionError, match="nobody could manage accounts"):
            await house.add("vic", Role.VIEWER)
        await house.add("ann", Role.ENGINEER)
        house.forget()
        assert (await http.get("/api/me")).status_code == 401
        assert (await http.get("/readyz")).text == "not ready\n"
        assert (await http.get("/livez")).status_code == 200


async def test_declared_accounts_let_nobody_in_before_there_is_one(tmp_path):
    async with housed(tmp_path, accounts=True) as house, house.browser() as http:
        assert (await http.get("/api/me")).status_code == 401
        assert (await http.get("/sign-in")).status_code == 200


async def test_a_page_leads_to_the_sign_in_and_back(house):
    async with house.browser() as http:
        away = await http.get("/journey?number=PO-1%2F2")
        assert (away.status_code, away.headers["location"]) == (303, "/sign-in?next=/journey%3Fnumber%3DPO-1%252F2")
        form = await http.get(away.headers["location"])
        assert 'value="/journey?number=PO-1%2F2"' in form.text
        answer = await sign_in(http, next="/journey?number=PO-1%2F2")
        assert (answer.status_code, answer.headers["location"]) == (303, "/journey?number=PO-1%2F2")
        assert (await http.get("/api/me")).status_code == 200
        assert (await http.get("/sign-in?next=/x")).headers["location"] == "/x"
    async with house.browser() as http:
        away = await http.get("/journey/L%C3%B6t%201%3F2")
        await http.get(away.headers["location"])
        answer = await sign_in(http, next=dict(away.next_request.url.params)["next"])
        assert answer.headers["location"] == "/journey/L%C3%B6t%201%3F2", "as it was asked for"
    newest = (await house.deeds())[0]
    assert (newest.who, newest.action, newest.result) == ("ann", "sign_in", "signed in from 127.0.0.1")


async def test_a_program_is_told_what_it_may_show(house):
    async with house.browser() as http:
        answer = await http.get("/api/me", headers={"accept": "application/json"})
        assert (answer.status_code, answer.headers.get_list("www-authenticate")) == (401, ['Bearer realm="mombus"'])
        assert (await http.post("/nowhere", data={"a": "1"})).status_code == 401


async def test_a_session_has_an_id_that_nobody_had_before(house):
    async with house.browser() as http:
        await http.get("/sign-in")
        before = http.cookies["mombus"]
        await sign_in(http)
        after = http.cookies["mombus"]
        assert before != after
        (kept,) = await house.desk.journal.survey(accounts.all_passes)
        assert kept.hash == sha256(after.encode()).hexdigest()
        http.cookies.set("mombus", before, domain="localhost.local")


async def test_signing_out_ends_it_at_once(house):
    async with house.browser() as http:
        await sign_in(http)
        session = http.cookies["mombus"]
        assert (await http.post("/sign-out", data={})).status_code == 403
        answer = await http.post("/sign-out", data={"csrf": await csrf(http, "/nowhere")})
        assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
        assert "Max-Age=0" in answer.headers["set-cookie"]
    async with house.browser() as http:
        assert (await http.get("/api/me", headers={"cookie": f"mombus={session}"})).status_code == 401


async def test_a_wrong_name_and_a_wrong_password_are_answered_alike(house):
    async with house.browser() as http:
        wrong = [await sign_in(http, "ann", "wrong"), await sign_in(http, "bob"), await sign_in(http, "\x00é", "-")]
        assert {answer.status_code for answer in wrong} == {401}
        assert all("No account here has this name and this password." in answer.text for answer in wrong)
        assert "www-authenticate" not in wrong[0].headers
    assert [(row.who, row.result) for row in await house.deeds()][1:3] == [
        ("bob", "not done: wrong name or password, from 127.0.0.1"),
        ("ann", "not done: wrong name or password, from 127.0.0.1"),
    ]
    assert PASSWORD not in str(await house.deeds())


async def test_a_hub_that_is_away_is_said_and_lets_nobody_in(house):
    async with house.browser() as http:
        form = {"csrf": await csrf(http), "name": "ann", "password": PASSWORD}
        house.forget()
        house.desk.away = "the hub's part `delivery` doesn't run"
        assert (await http.get("/api/me")).status_code == 503
        assert (await http.get("/livez")).status_code == 200
        answer = await http.post("/sign-in", data=form)
        assert (answer.status_code, "part <code>delivery</code>" in answer.text) == (503, True)


async def test_sessions_end_by_themselves(tmp_path, monkeypatch):
    async with housed(tmp_path, session_idle="30m", session_longest="2h") as house, house.browser() as http:
        await house.add("ann", Role.ENGINEER)
        await sign_in(http)
        real = house.desk.signing_in._clock
        for minutes, status in ((29, 200), (58, 200), (89, 401)):
            monkeypatch.setattr(house.desk.signing_in, "_clock", lambda at=minutes: real() + timedelta(minutes=at))
            house.forget()
            assert (await http.get("/api/me")).status_code == status, minutes
        await sign_in(http)
        for minutes in range(89 + 20, 89 + 121, 20):
            monkeypatch.setattr(house.desk.signing_in, "_clock", lambda at=minutes: real() + timedelta(minutes=at))
            house.forget()
            status = (await http.get("/api/me")).status_code
        assert status == 401, "used all the time, and yet over"


@pytest.mark.parametrize("change", ["roles", "password", "disable", "remove", "end", "end_all"])
async def test_what_changes_an_account_ends_its_sessions(house, change):
    await house.add("bob", Role.OPERATOR, Role.ENGINEER)
    people = house.desk.people
    async with house.browser() as http:
        await sign_in(http, "bob")
        assert (await http.get("/api/me")).status_code == 200
        (session,) = await house.desk.journal.survey(accounts.all_passes)
        match change:
            case "roles":
                await people.set_roles(SetRoles(**DEED, name="bob", roles=frozenset({Role.VIEWER})))
            case "password":
                await people.set_password(SetPassword(**DEED, name="bob", password=f"{PASSWORD} staple"))
            case "disable" | "remove":
                await getattr(people, change)(Named(**DEED, name="bob"))
            case "end":
                await people.end(EndPass(**DEED, id=session.id))
            case "end_all":
                await people.end_all(EndAll(**DEED, name="bob"))
        assert (await http.get("/api/me")).status_code == 200, "remembered for some seconds"
        house.forget()
        assert (await http.get("/api/me")).status_code == 401
        still = change in ("roles", "end", "end_all")
        assert (await sign_in(http, "bob")).status_code == (303 if still else 401)
    assert any(row.action == f"user_{change}" and row.who == "ada" for row in await house.deeds())


async def test_the_last_who_manages_accounts_stays(house):
    await house.add("bob", Role.OPERATOR)
    people = house.desk.people
    for deed in (
        partial(people.remove, Named(**DEED, name="ann")), partial(people.disable, Named(**DEED, name="ann")),
        partial(people.set_roles, SetRoles(**DEED, name="ann", roles=frozenset({Role.OPERATOR}))),
    ):  # fmt: skip
        with pytest.raises(QuestionError, match="nobody could manage accounts"):
            await deed()
    await people.remove(Named(**DEED, name="bob"))
    with pytest.raises(QuestionError, match="nobody could manage accounts"):
        await people.remove(Named(**DEED, name="ann"))
    async with house.browser() as http:
        assert (await sign_in(http)).status_code == 303


@pytest.mark.parametrize("weak", ["aaaaaaaaaaaaaaa", "ann-2026-ann", "abababababab"])
async def test_a_weak_password_is_refused(house, weak):
    with pytest.raises(QuestionError, match="password"):
        await house.desk.people.set_password(SetPassword(**DEED, name="ann", password=weak))


@pytest.mark.parametrize("name", ["local", "token", "nobody"])
async def test_names_that_the_trail_has_for_others_are_refused(house, name):
    with pytest.raises(QuestionError, match="for others"):
        await house.add(name, Role.ENGINEER)


async def test_a_token_does_what_its_roles_may_and_no_more(house):
    await house.add("bob", Role.OPERATOR)
    made = "mombus_" + "t" * 43
    asked = {"name": "bob", "days": 1, "token": sha256(made.encode()).hexdigest()} | DEED
    with pytest.raises(QuestionError, match="bob isn't engineer"):
        await house.desk.people.give_token(GiveToken(**asked, roles=frozenset({Role.ENGINEER})))
    await house.desk.people.give_token(GiveToken(**asked, roles=frozenset({Role.OPERATOR})))
    bearer = {"authorization": f"Bearer {made}"}
    async with house.browser() as http:
        assert (await http.get("/api/me", headers=bearer)).status_code == 200
        assert (await http.get("/api/me", headers={"authorization": f"Bearer {made}x"})).status_code == 401
        await house.desk.people.set_roles(SetRoles(**DEED, name="bob", roles=frozenset({Role.VIEWER})))
        house.forget()
        assert (await http.get("/api/me", headers=bearer)).status_code == 401


async def test_the_hub_is_not_asked_at_each_request(house):
    async with house.browser() as http:
        await sign_in(http)
        house.desk.asked.clear()
        for _ in range(5):
            await http.get("/api/me")
        assert house.desk.asked.count("user_who") == 1


async def test_a_live_part_ends_with_its_session(house, monkeypatch):
    monkeypatch.setattr(live, "REFRESH_S", 0)
    async with house.browser() as http:
        await sign_in(http)
        cookie = f"mombus={http.cookies['mombus']}".encode()
    shown: list[int] = []

    @house.app.get("/ticking")
    async def ticking(request: Request):
        async def render() -> str:
            shown.append(1)
            if len(shown) == 2:
                await house.desk.people.end_all(EndAll(**DEED, name="ann"))
                house.forget()
            return str(len(shown))

        return rendering.live(request, render)

    async with house.browser() as http:
        answer = await http.get("/ticking", headers={"cookie": cookie})
    assert (answer.status_code, "data: 1\n" in answer.text) == (200, True)
    assert answer.text.endswith("event: away\ndata: your session has ended, load this page again\n\n")
    assert house.app.state.live._parts == {}, "nobody looks any more"


async def test_a_tap_ends_with_its_session(house, monkeypatch):
    monkeypatch.setattr(tap, "PAUSE_S", 0)
    async with house.browser() as http:
        await sign_in(http)
        cookie = f"mombus={http.cookies['mombus']}".encode()
    told: list[int] = []

    async def part(_asked: TapAsked) -> dict[str, Any]:
        told.append(1)
        if len(told) == 2:
            await house.desk.people.end_all(EndAll(**DEED, name="ann"))
            house.forget()
        return {"messages": [], "after": "1-1", "left_out": 0, "more": False}

    house.desk._answers[TAP.name] = part
    async with house.browser() as http:
        answer = await http.get("/api/tap", headers={"cookie": cookie, "accept": tap.EVENTS})
    assert (answer.status_code, answer.text, len(told)) == (200, ": still here\n\n" * 2, 2)


async def test_the_hub_s_own_token_still_opens_where_people_sign_in(tmp_path):
    async with housed(tmp_path, token="tok-1") as house, house.browser() as http:
        refused = await http.get("/api/me")
        assert refused.headers.get_list("www-authenticate")[0].startswith("Basic")
        await house.add("ann", Role.ENGINEER)
        house.forget()
        assert (await http.get("/journey")).status_code == 303
        assert (await http.get("/api/me", headers={"authorization": "Bearer tok-1"})).status_code == 200
        assert (await sign_in(http)).status_code == 303
        assert (await http.get("/api/me")).status_code == 200
