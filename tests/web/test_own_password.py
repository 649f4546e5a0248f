"""Whoever has an account changes their own password, and so ends what others may have begun with the old one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from housed import PASSWORD, csrf, housed, sign_in

from mombus.desk.access import CHANGE, ChangePassword
from mombus.desk.question import QuestionError, Role
from mombus.hub.desk import passwords
from mombus.journal import accounts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from housed import Housed

NEW = "staple battery horse"


@pytest.fixture
async def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Housed]:
    """With ann, an engineer, and bob, who may only look."""
    monkeypatch.setattr(passwords, "LOG_N", 4)
    async with housed(tmp_path) as made:
        await made.add("ann", Role.ENGINEER)
        await made.add("bob", Role.VIEWER)
        yield made


async def test_it_is_changed_where_one_is_signed_in_and_ends_ones_other_sessions_at_once(house):
    async with house.browser() as here, house.browser() as there, house.browser() as ann:
        for browser, name in ((here, "bob"), (there, "bob"), (ann, "ann")):
            await sign_in(browser, name)
            assert (await browser.get("/api/me")).status_code == 200
        form = {"csrf": await csrf(here, "/me"), "old": PASSWORD, "new": NEW}
        answer = await here.post("/me/password", data=form)
        assert (answer.status_code, answer.headers["location"]) == (303, "/me")
        statuses = [(await browser.get("/api/me")).status_code for browser in (here, there, ann)]
        assert statuses == [200, 401, 200]
        assert [(await sign_in(there, "bob", word)).status_code for word in (PASSWORD, NEW)] == [401, 303]
    changed = next(row for row in await house.deeds() if row.action == "user_own_password")
    assert (changed.who, changed.message_id, changed.why) == ("bob", "bob", "their own")
    assert changed.result == "bob has another password; 1 other session ended"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("wrong", NEW, "that isn't the password you have now"), (PASSWORD, PASSWORD, "is the one you have now"),
        (PASSWORD, "short", "at least 12 characters"), (PASSWORD, "bobbobbobbob1", "little more than the name"),
        ("", NEW, "'old' is missing: "),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_said_and_changes_nothing(house, old, new, said):
    async with house.browser() as http, house.browser() as another:
        await sign_in(http, "bob")
        page = await http.post("/me/password", data={"csrf": await csrf(http, "/me"), "old": old, "new": new})
        assert (page.status_code, said in page.text.replace("&#39;", "'")) == (422, True), page.text
        script = {"x-csrf-token": await csrf(http, "/me")}
        assert (await http.post("/api/me/password", json={"old": old, "new": new}, headers=script)).status_code == 422
        assert (await sign_in(another, "bob")).status_code == 303


async def test_a_program_changes_it_for_whom_it_works_and_every_session_ends(house):
    async with house.browser() as http, house.browser() as program:
        await sign_in(http)
        script = {"x-csrf-token": await csrf(http, "/people")}
        given = await http.post(
            "/api/people/token", json={"name": "ann", "roles": ["viewer"], "why": "reports"}, headers=script
        )
        shown = {"authorization": f"Bearer {given.json()['token']}"}
        answer = await program.post("/api/me/password", json={"old": PASSWORD, "new": NEW}, headers=shown)
        assert answer.json() == {"ok": True, "text": "ann has another password; 1 other session ended"}
        assert (await http.get("/api/me")).status_code == 401
        assert (await program.get("/api/me", headers=shown)).status_code == 200, "a token has its own end"


async def test_who_has_no_account_here_has_no_password_here(tmp_path):
    async with housed(tmp_path, token="tok-1") as house, house.browser() as http:
        shown = {"authorization": "Bearer tok-1"}
        answer = await http.post("/api/me/password", json={"old": "a", "new": NEW}, headers=shown)
        assert (answer.status_code, answer.json()["detail"]) == (
            422, "token has no account of this hub, and so no password here",
        )  # fmt: skip
        assert "there is none to change" in (await http.get("/me", headers=shown)).text


async def test_an_account_that_is_changed_meanwhile_stays_as_others_made_it(house, monkeypatch):
    """An engineer disables it while the new password is being made."""
    really = passwords.accepted

    async def meanwhile(password: str, name: str) -> str:
        kept = await really(password, name)
        await house.desk.journal.write(lambda connection: accounts.change(connection, name, disabled=True))
        return kept

    monkeypatch.setattr(passwords, "accepted", meanwhile)
    asked = ChangePassword(who="bob", why="their own", old=PASSWORD, new=NEW, address="10.0.0.9")
    with pytest.raises(QuestionError, match="changed meanwhile"):
        await house.desk.ask(CHANGE, asked)
