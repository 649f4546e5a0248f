"""Signing in, managing people and reading the audit trail, in a real browser."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from housed import PASSWORD, housed
from housed import sign_in as signs_in
from identity_provider import identity_provider
from playwright.async_api import expect
from visiting import Visitor

from mombus.desk.question import Role
from mombus.hub.desk import passwords
from mombus.web.pages.people import DEEDS
from plant.served import Served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from housed import Housed
    from playwright.async_api import Browser, Locator, Page


NEW = "staple battery horse"


@asynccontextmanager
async def street(house: Housed) -> AsyncIterator[str]:
    """The address at which a browser finds it."""
    served = Served(house.app)
    await served.start()
    try:
        yield f"http://127.0.0.1:{served.port}"
    finally:
        await served.stop()


async def sign_in(page: Page, password: str = PASSWORD) -> None:
    await page.get_by_label("Name").fill("ann")
    await page.get_by_label("Password").fill(password)
    await page.get_by_role("button", name="Sign in").click()


async def change_own_password(visit: Visitor, page: Page) -> None:
    """First with a wrong one."""
    await page.get_by_role("link", name="ann").click()
    for old, told in (("wrong", "that isn't the password you have now"), (PASSWORD, "You have another password")):
        await page.get_by_label("The one you have now").fill(old)
        await page.get_by_label("The new one").fill(NEW)
        async with page.expect_navigation(wait_until="load"):
            await page.get_by_role("button", name="Change it").click()
        await expect(page.locator("main [role=alert], #told")).to_contain_text(told)
    await visit.look_over(page)


@pytest.mark.proves("/sign-in", "/people/{what} add", "/people/token", "/me/password", "/sign-out")
async def test_an_engineer_signs_in_adds_somebody_and_finds_it_in_the_trail(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a phone; the pages at a desk are looked over by the next test."""
    monkeypatch.setattr(passwords, "LOG_N", 4)
    async with housed(tmp_path) as house, street(house) as url:
        await house.add("ann", Role.ENGINEER)
        visit = Visitor(browser, url)
        page = await visit.open("/people", "phone")
        await sign_in(page, "wrong")
        await expect(page.get_by_role("alert")).to_contain_text("No account here has this name")
        await visit.look_over(page)
        await sign_in(page)
        await expect(page.get_by_role("heading", level=1)).to_have_text("People")
        add = page.locator("form[action='/people/add']")
        await add.get_by_label("Name").fill("bob")
        await add.get_by_label("Password").fill(PASSWORD)
        await add.get_by_label("operator").check()
        await add.get_by_label("Why").fill("the night shift")
        await add.get_by_role("button").click()
        await page.get_by_label("Token of bob").click()
        token = page.get_by_role("form", name="A token for a program of bob")
        await token.get_by_label("viewer").check()
        await visit.look_over(page)
        await token.get_by_label("Why").fill("reports")
        await token.get_by_role("button", name="Make the token").click()
        await expect(page.get_by_text("mombus_")).to_be_visible()
        await visit.look_over(page)
        await visit.open("/audit?verify=1", page=page)
        await expect(page.get_by_text("The trail is as it was written")).to_be_visible()
        await expect(page.get_by_role("cell", name="the night shift")).to_be_visible()
        await change_own_password(visit, page)
        await page.get_by_role("button", name="Sign out").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
        await page.goto("/audit")
        await sign_in(page)
        await expect(page.get_by_role("alert")).to_contain_text("No account here has this name")
        await sign_in(page, NEW)
        await expect(page.get_by_role("button", name="Sign out")).to_be_visible()
        await visit.leave()


async def change(page: Page, opens: Locator, go: str, told: str) -> None:
    """One of the deeds about an account; what is asked for besides why is filled in already, or a password."""
    await opens.click()
    form = page.locator("details.deed[open] form")
    for field in await form.locator("[type=password]").all():
        await field.fill(NEW)
    await form.get_by_label("Why").fill("the shifts change")
    async with page.expect_navigation(wait_until="load"):
        await form.get_by_role("button", name=go, exact=True).click()
    await expect(page.locator("#told, main .notice")).to_contain_text(told)


@pytest.mark.proves(
    "/people/{what} roles", "/people/{what} password", "/people/{what} disable", "/people/{what} enable",
    "/people/{what} remove", "/people/{what} end", "/people/{what} end-all",
)  # fmt: skip
async def test_each_change_of_an_account_has_its_effect(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "LOG_N", 4)
    async with housed(tmp_path) as house, street(house) as url, house.browser() as bob, house.browser() as again:
        await house.add("ann", Role.ENGINEER)
        await house.add("bob", Role.OPERATOR)
        visit = Visitor(browser, url)
        page = await visit.open("/people")
        await sign_in(page)
        assert [(await signs_in(one, "bob")).status_code for one in (bob, again)] == [303, 303]
        await page.reload()
        await page.get_by_label("Roles of bob", exact=True).click()
        await page.locator("details.deed[open]").get_by_label("process owner").check()
        await page.get_by_role("button", name="Not now").click()
        await change(
            page,
            page.get_by_label("Roles of bob", exact=True),
            "Set these roles",
            "bob is operator, process_owner from now on",
        )
        house.forget()
        assert (await bob.get("/api/me")).status_code == 401
        await change(page, page.get_by_label("Disable of bob", exact=True), "Disable", "bob may not come in any more")
        assert (await signs_in(bob, "bob")).status_code == 401
        await change(page, page.get_by_label("Enable of bob", exact=True), "Enable", "bob may come in again")
        await change(page, page.get_by_label("Password of bob", exact=True), "Set password", "bob has another password")
        assert [(await signs_in(bob, "bob", word)).status_code for word in (PASSWORD, NEW)] == [401, 303]
        assert (await bob.get("/api/me")).json() == {"name": "bob", "roles": ["operator", "process_owner"]}
        await page.reload()
        await change(
            page,
            page.locator("tr", has_text="127.0.0.1").filter(has_text="bob").locator("summary"),
            "End it",
            "a session of bob ended",
        )
        house.forget()
        assert (await bob.get("/api/me")).status_code == 401
        assert [(await signs_in(one, "bob", NEW)).status_code for one in (bob, again)] == [303, 303]
        await page.reload()
        await change(page, page.get_by_text("End all of bob"), "End all", "2 sessions and tokens of bob ended")
        house.forget()
        assert [(await one.get("/api/me")).status_code for one in (bob, again)] == [401, 401]
        await visit.look_over(page)
        await change(
            page,
            page.get_by_label("Remove of ann", exact=True),
            "Remove the account",
            "nobody could manage accounts any more",
        )
        await change(
            page, page.get_by_label("Remove of bob", exact=True), "Remove the account", "bob has no account any more"
        )
        assert (await signs_in(bob, "bob", NEW)).status_code == 401
        noted = [row.action for row in await house.deeds() if (row.who, row.why) == ("ann", "the shifts change")]
        assert sorted(noted) == sorted(f"user_{what.replace('-', '_')}" for what in DEEDS if what != "add")
        await visit.leave()


async def test_a_browser_goes_to_the_identity_provider_and_comes_back(browser: Browser, tmp_path: Path) -> None:
    """The cookie comes along though another site sent the browser here."""
    async with identity_provider() as provider, housed(tmp_path, oidc=provider.oidc()) as house, street(house) as url:
        context = await browser.new_context()
        page = await context.new_page()
        here = url.replace("127.0.0.1", "localhost")
        await page.goto(f"{here}/audit")
        await page.get_by_role("link", name="Sign in with").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Audit trail")
        await expect(page.get_by_text("ann.b engineer")).to_be_visible()
        await page.get_by_role("link", name="ann.b").click()
        await expect(page.get_by_text("It is with your identity provider, not here.")).to_be_visible()
        await page.get_by_role("button", name="Sign out").click()
        for groups, told in (
            (["football"], "Nobody was signed in"),
            (["shift-leads"], "ann.b operator, process owner"),
        ):
            provider.person["groups"] = groups
            await page.goto(f"{here}/sign-in?next=/audit")
            await page.get_by_role("link", name="Sign in with").click()
            await expect(page.get_by_text(told)).to_be_visible()
        (refused,) = [row for row in await house.deeds() if row.result.startswith("not done")]
        assert (refused.action, refused.why) == ("sign_in", f"by {provider.issuer}")
        await context.close()
