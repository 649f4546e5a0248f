"""Signing in, managing people and reading the audit trail, in a real browser."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from housed import PASSWORD, housed
from identity_provider import identity_provider
from playwright.async_api import expect
from visiting import SIZES, Size, Visitor

from mombus.desk.question import Role
from mombus.hub.desk import passwords
from plant.served import Served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from housed import Housed
    from playwright.async_api import Browser, Page


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
        await expect(page.get_by_role("alert").or_(page.get_by_role("status"))).to_contain_text(told)
        await visit.look_over(page)


@pytest.mark.parametrize("size", SIZES)
async def test_an_engineer_signs_in_adds_somebody_and_finds_it_in_the_trail(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: Size
) -> None:
    monkeypatch.setattr(passwords, "LOG_N", 4)
    async with housed(tmp_path) as house, street(house) as url:
        await house.add("ann", Role.ENGINEER)
        visit = Visitor(browser, url)
        page = await visit.open("/people", size)
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


async def test_a_browser_goes_to_the_identity_provider_and_comes_back(browser: Browser, tmp_path: Path) -> None:
    """The cookie comes along though another site sent the browser here."""
    async with identity_provider() as provider, housed(tmp_path, oidc=provider.oidc()) as house, street(house) as url:
        context = await browser.new_context()
        page = await context.new_page()
        await page.goto(f"{url.replace('127.0.0.1', 'localhost')}/audit")
        await page.get_by_role("link", name="Sign in with").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Audit trail")
        await expect(page.get_by_text("ann.b engineer")).to_be_visible()
        await context.close()
