"""What each role is offered on the pages, and what becomes of a form that it sends all the same, in a real browser."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from housed import PASSWORD
from patience import until
from playwright.async_api import expect
from proven import deed, deeds
from shop_plant import ShopPlant, shop_plant
from visiting import Visitor, offered

from mombus.hub.desk import guesses, passwords
from mombus.web.access import sessions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser, Page

ANYBODY = {"/sign-in", "/sign-out", "/me/password", "/messages/searches", "/messages/searches/delete"}
DECIDING = {
    "/waiting/do", "/waiting/bulk", "/waiting/bulk/{id}/cancel", "/waiting/kept/do", "/notes", "/notes/take",
    "/notes/close", "/systems/{name}/probe", "/systems/{name}/resume",
}  # fmt: skip
MAY = {
    "viewer": ANYBODY, "operator": ANYBODY | DECIDING, "process_owner": ANYBODY | {"/disagreements/{number}"},
    "engineer": ANYBODY | DECIDING | {"/waiting/send", "/people/token", "/people/{what}"},
}  # fmt: skip
"""By role the addresses of the forms that it may send (docs/access.md)."""
PAGES = ("/", "/waiting?target=shop", "/waiting/kept?system=office", "/systems/shop", "/messages?order=PO-1", "/people")
SHOWN = {
    "/sign-out", "/messages/searches", "/waiting/do", "/waiting/bulk", "/waiting/kept/do", "/notes",
    "/systems/{name}/probe", "/waiting/send", "/people/token", "/people/{what}",
}  # fmt: skip
"""The forms on these pages for who may do everything."""
SAID = {
    "why": "a test of roles", "id": "f" * 12, "target": "shop", "system": "shop", "to": "store", "about": "the order",
    "name": "viewer", "command": "skip", "decision": "overrule", "roles": "viewer",
}  # fmt: skip
FILLED_IN = {"/people/{what}": "/people/disable"}
NAMED = {"why": SAID["why"], "name": "viewer"}
OTHERWISE = {
    "/waiting/kept/do": SAID | {"command": "take"},
    "/people/{what}": NAMED,
    "/people/token": NAMED | {"roles": "viewer"},
}
NO_DEED = {"/systems/{name}/probe"}
"""What changes nothing isn't in the audit trail."""
REFUSED = "may not do that: it is for"


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def plant(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ShopPlant]:
    """With somebody of each role, called like it, an order that is stuck and an item that couldn't be taken in."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "LOG_N", 4)
        patch.setattr(guesses, "NOTED", 1000)
        patch.setattr(sessions, "REMEMBERED_S", 0.0)
        async with shop_plant(tmp_path_factory.mktemp("roles")) as running:
            await running.say("PO-1", refused=True)
            await running.push({"docs": [{"at": "2026-03-02T06:00:00Z"}]})
            await until(partial(running.waiting, "PO-1"), good=lambda kind: kind == "parked")
            await until(lambda: running.get("/api/messages", order="PO-1"), good=lambda found: found["messages"])
            asked = {"password": PASSWORD, "why": "new here"}
            engineer = await running.http.post(
                "/api/people/add", json=asked | {"name": "engineer", "roles": ["engineer"]}
            )
            assert engineer.status_code == 200, engineer.text
            yield running


async def signed_in(page: Page, name: str, path: str = "/audit") -> None:
    """There, as this person."""
    await page.goto(path)
    await page.get_by_label("Name").fill(name)
    await page.get_by_label("Password").fill(PASSWORD)
    async with page.expect_navigation(wait_until="load"):
        await page.get_by_role("button", name="Sign in").click()


async def post(page: Page, path: str, **said: Any) -> tuple[int, str]:
    """As a form of a page of ours, which there isn't for this role."""
    token = await page.locator("[name=csrf]").first.get_attribute("value")
    answer = await page.request.post(path, form={**said, "csrf": token or ""}, headers={"accept": "text/html"})
    return answer.status, await answer.text()


async def test_each_role_is_offered_what_it_may_and_refused_the_rest(browser: Browser, plant: ShopPlant) -> None:
    visit = Visitor(browser, plant.url)
    pages = {name: await visit.new_page() for name in MAY}
    engineer = pages["engineer"]
    await signed_in(engineer, "engineer")
    for name in sorted(MAY.keys() - {"engineer"}):
        said = {"name": name, "roles": name, "password": PASSWORD, "why": "new here"}
        assert (await post(engineer, "/people/add", **said))[0] == 200, "led to the page People"
        await signed_in(pages[name], name)
    everything = {one.partition(" ")[0] for one in deeds()}
    assert everything == set().union(*MAY.values()), "a form that nobody may send, or that this test doesn't know"
    for name, page in pages.items():
        assert await forms(page) == SHOWN & MAY[name], name
        for address in sorted(everything - MAY[name]):
            path = FILLED_IN.get(
                address, address.replace("{id}", "f").replace("{name}", "shop").replace("{number}", "1")
            )
            code, text = await post(page, path, **OTHERWISE.get(address, SAID))
            assert (code, f"{name} {REFUSED}" in text) == (403, True), (name, address, text)
    noted = [row for row in await trail(engineer) if row["why"] in (SAID["why"], "taken over")]
    assert {row["result"].partition(" for ")[0] for row in noted} == {"not done: it is"}
    told = {name: len([row for row in noted if row["who"] == name]) for name in MAY}
    assert told == {name: len(everything - may - NO_DEED) for name, may in MAY.items()}
    await visit.leave()


async def forms(page: Page) -> set[str]:
    """The addresses of the forms that do something on all of these pages."""
    found: set[str] = set()
    for path in PAGES:
        answer = await page.request.get(path, headers={"accept": "text/html"})
        found |= {deed(*one).partition(" ")[0] for one in await offered(page, await answer.text())}
    return found


async def trail(page: Page) -> list[dict[str, Any]]:
    """The newest of the audit trail."""
    answer = await page.request.get("/api/audit?limit=200")
    rows: list[dict[str, Any]] = await answer.json()
    return rows


async def test_what_is_refused_is_told_and_what_a_session_left_open_is_done_after_signing_in_again(
    browser: Browser, plant: ShopPlant
) -> None:
    visit = Visitor(browser, plant.url)
    page, engineer = await visit.new_page("phone"), await visit.new_page()
    await signed_in(engineer, "engineer")
    said = {"name": "lee", "roles": "operator", "password": PASSWORD, "why": "new here"}
    assert (await post(engineer, "/people/add", **said))[0] == 200
    await signed_in(page, "lee", "/waiting?target=shop&lane=PO-1")
    await page.evaluate("""() => {
      const form = document.querySelector("form[action='/sign-out']");
      form.action = "/people/disable";
      form.insertAdjacentHTML("beforeend", "<input name=name value=engineer><input name=why value=mischief>");
    }""")
    async with page.expect_navigation(wait_until="load"):
        await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("That isn't for you")
    await expect(page.get_by_text(f"lee {REFUSED} engineer")).to_be_visible()
    await page.get_by_role("link", name="Back").click()
    await decide(page)
    assert (await post(engineer, "/people/end-all", name="lee", why="left it open"))[0] == 200
    async with page.expect_navigation(wait_until="load"):
        await page.get_by_role("button", name="Do it").click()
    await expect(page.get_by_text("Your session has ended, and nothing was done.")).to_be_visible()
    await visit.look_over(page)
    await page.get_by_role("link", name="Sign in").click()
    await page.get_by_label("Name").fill("lee")
    await page.get_by_label("Password").fill(PASSWORD)
    async with page.expect_navigation(wait_until="load"):
        await page.get_by_role("button", name="Sign in").click()
    assert page.url.endswith("/waiting?target=shop&lane=PO-1")
    await decide(page)
    async with page.expect_navigation(wait_until="load"):
        await page.get_by_role("button", name="Do it").click()
    await expect(page.locator("#told")).to_have_text("production order PO-1 for shop: held.")
    done = [row["result"] for row in await trail(engineer) if row["who"] == "lee" and row["action"] == "hold"]
    assert done == ["held"]
    await visit.leave()


async def decide(page: Page) -> None:
    """Fill in that the order is held."""
    await page.get_by_label("Decide about production order PO-1 for shop").click()
    form = page.locator("details.deed[open] form")
    await form.get_by_role("radio", name="Hold").check()
    await form.get_by_label("Why").fill("the shop asked for it")
