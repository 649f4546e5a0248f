"""Engineers manage accounts on a page and over the API; what everybody did is in the audit trail, to be looked at."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

import pytest
from housed import PASSWORD, csrf, housed, sign_in

from mombus.desk.question import Role
from mombus.hub.desk import passwords

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from housed import Housed

ORIGIN = {"origin": "http://localhost"}


@pytest.fixture
async def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Housed]:
    """With ann, an engineer, and bob, an operator."""
    monkeypatch.setattr(passwords, "LOG_N", 4)
    async with housed(tmp_path) as made:
        await made.add("ann", Role.ENGINEER)
        await made.add("bob", Role.OPERATOR)
        yield made


def read(text: str) -> str:
    """What a page says, without its marks."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", text)).split())


async def test_an_engineer_adds_somebody_who_signs_in(house):
    async with house.browser() as ann, house.browser() as cid:
        await sign_in(ann)
        form = {"csrf": await csrf(ann, "/people"), "name": "cid", "password": PASSWORD, "why": "new here"}
        answer = await ann.post("/people/add", data=form | {"roles": ["viewer", "process_owner"]}, headers=ORIGIN)
        assert (answer.status_code, answer.headers["location"]) == (303, "/people")
        assert "process owner, viewer" in read((await ann.get("/people")).text)
        await sign_in(cid, "cid")
        assert (await cid.get("/api/me")).json() == {"name": "cid", "roles": ["process_owner", "viewer"]}
        assert "cid process owner, viewer" in read((await cid.get("/audit")).text)
    added = next(row for row in await house.deeds() if row.action == "user_add" and row.message_id == "cid")
    assert (added.who, added.why) == ("ann", "new here")


async def test_what_is_wrong_is_said_on_the_page(house):
    async with house.browser() as http:
        await sign_in(http)
        form = {"csrf": await csrf(http, "/people"), "name": "ann", "why": "I leave"}
        answer = await http.post("/people/remove", data=form, headers=ORIGIN)
        assert (answer.status_code, "nobody could manage accounts any more" in read(answer.text)) == (422, True)
        answer = await http.post("/people/add", data=form | {"name": "No Name"}, headers=ORIGIN)
        assert (answer.status_code, "That wasn't done" in read(answer.text)) == (422, True)
        answer = await http.post("/people/remove", data=form | {"name": "bbo"}, headers=ORIGIN)
        assert "there is no account 'bbo'; did you mean 'bob'?" in read(answer.text)


async def test_an_operator_may_not(house):
    async with house.browser() as http:
        await sign_in(http, "bob")
        page = await http.get("/people")
        assert (page.status_code, "bob may not do that: it is for engineer" in read(page.text)) == (403, True)
        token = await csrf(http, "/audit")
        added = await http.post("/people/add", data={"csrf": token, "why": "x", "name": "eve", "roles": "engineer",
                                                     "password": PASSWORD}, headers=ORIGIN)  # fmt: skip
        assert added.status_code == 403
        newest = (await house.deeds())[0]
        assert (newest.who, newest.action, newest.message_id, newest.why) == ("bob", "user_add", "eve", "x")
        assert newest.result == "not done: it is for engineer"
        assert (await http.get("/api/people", headers={"accept": "*/*"})).status_code == 403
        assert (await http.get("/api/audit/verify")).status_code == 403
        assert 'href="/people"' not in (await http.get("/audit")).text


async def test_a_token_is_shown_once_and_lets_in(house):
    async with house.browser() as http:
        await sign_in(http)
        form = {"csrf": await csrf(http, "/people"), "name": "bob", "roles": "operator", "days": "7", "why": "reports"}
        answer = await http.post("/people/token", data=form, headers=ORIGIN)
        token = re.search(r"mombus_[\w-]{43}", answer.text).group()
        page = await http.get("/people")
        assert token not in page.text
        assert "bob token operator" in read(page.text)
    async with house.browser() as program:
        me = await program.get("/api/me", headers={"authorization": f"Bearer {token}"})
        assert me.json() == {"name": "bob", "roles": ["operator"]}


async def test_a_session_is_ended_by_its_id(house):
    async with house.browser() as ann, house.browser() as bob:
        await sign_in(ann)
        await sign_in(bob, "bob")
        found = (await ann.get("/api/people")).json()
        (id,) = [one["id"] for one in found["passes"] if one["name"] == "bob"]
        form = {"csrf": await csrf(ann, "/people"), "id": id, "why": "left it open"}
        assert (await ann.post("/people/end", data=form, headers=ORIGIN)).status_code == 303
        house.forget()
        assert (await bob.get("/api/me")).status_code == 401


async def test_the_api_does_all_of_it_with_a_script_s_token(house):
    async with house.browser() as http:
        await sign_in(http)
        script = {"x-csrf-token": await csrf(http, "/people"), **ORIGIN}
        deed = {"name": "bob", "why": "a test", "who": "somebody else"}
        viewer, engineer = {"roles": ["viewer"]}, {"roles": ["engineer"]}
        for path, more, status in (
            ("roles", viewer, 200), ("password", {"password": f"{PASSWORD}!"}, 200), ("disable", {}, 200),
            ("enable", {}, 200), ("token", viewer | {"days": 1}, 200), ("token", engineer, 422),
            ("end-all", {}, 200), ("remove", {}, 200), ("remove", {}, 404), ("roles", {"roles": []}, 422),
        ):  # fmt: skip
            answer = await http.post(f"/api/people/{path}", json=deed | more, headers=script)
            assert answer.status_code == status, (path, answer.text)
    assert {row.who for row in await house.deeds() if row.why == "a test"} == {"ann"}


async def test_the_trail_is_narrowed_down_and_read_on(house):
    async with house.browser() as http:
        await sign_in(http)
        found = (await http.get("/api/audit", params={"action": "user_add", "limit": 1})).json()
        assert [(row["message_id"], row["who"]) for row in found] == [("bob", "ada")]
        older = {"action": "user_add", "before": found[0]["number"]}
        assert [row["message_id"] for row in (await http.get("/api/audit", params=older)).json()] == ["ann"]
        assert (await http.get("/api/audit", params={"who": "\x00"})).json() == []
        assert (await http.get("/api/audit", params={"before": 2**31})).status_code == 422
        page = read((await http.get("/audit?who=ada&action=user_add")).text)
        assert "2 deeds" in page
        assert "bob may come in as operator" in page
        assert "Nothing fits." in read((await http.get("/audit?who=zoe")).text)
        assert (await http.get("/audit?before=x")).status_code == 422


async def test_the_trail_is_verified_on_the_page(house):
    async with house.browser() as http:
        await sign_in(http)
        verdict = (await http.get("/api/audit/verify")).json()
        assert (verdict["intact"], verdict["rows"]) == (True, 3)
        page = read((await http.get("/audit?verify=1")).text)
        assert "The trail is as it was written" in page
        assert verdict["head"] in page
        cut = (await http.get("/api/audit/verify", params={"head": "f" * 64})).json()
        assert (cut["intact"], len(cut["faults"])) == (False, 1)


async def test_the_first_account_is_made_on_the_page_and_ends_its_openness(tmp_path, monkeypatch):
    monkeypatch.setattr(passwords, "LOG_N", 4)
    async with housed(tmp_path) as house, house.browser() as http:
        assert "No account yet" in (await http.get("/people")).text
        form = {"csrf": await csrf(http, "/people"), "name": "ann", "password": PASSWORD, "why": "the first"}
        assert (await http.post("/people/add", data=form | {"roles": "viewer"}, headers=ORIGIN)).status_code == 422
        assert (await http.post("/people/add", data=form | {"roles": "engineer"}, headers=ORIGIN)).status_code == 303
        house.forget()
        assert (await http.get("/people")).headers["location"] == "/sign-in?next=/people"


@pytest.mark.parametrize("said", ['{"days": NaN}', '{"days": 1e999}', r'{"name": "\ud800"}', r'{"\ud800": 1}', "{"])
async def test_what_no_json_can_say_is_refused_without_being_said_again(house, said):
    async with house.browser() as http:
        await sign_in(http)
        script = {"x-csrf-token": await csrf(http, "/people"), "content-type": "application/json"}
        answer = await http.post("/api/people/token", content=said, headers=script)
        assert (answer.status_code, set(answer.json()["detail"][0])) == (422, {"loc", "msg", "type"})


async def test_an_address_that_cannot_be_read_is_told_on_a_page_and_a_false_referer_harms_nothing(house):
    async with house.browser() as http:
        await sign_in(http)
        answer = await http.get("/disagreements/first", headers={"referer": "http://["})
        assert (answer.status_code, "number: Input should be a valid integer" in read(answer.text)) == (422, True)
