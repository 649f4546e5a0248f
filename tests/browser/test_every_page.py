"""Every page at a desk and on a phone keeps what all pages promise, and leads nowhere in vain."""

from __future__ import annotations

import re
from html import unescape

import pytest
from demo_hub import DemoHub
from playwright.async_api import expect
from visiting import SIZES, Size, Visitor

from mombus.web.pages import ENTRIES

BELOW = (
    "/messages?order=PO-4711",
    "/journey/PO-4711",
    "/kpi/downtime",
    "/kpi/shift",
    "/ownership/late?object=production_order&system=mes",
    "/systems/line1",
    "/genealogy/PO-4711-L1",
)
"""Pages that show what the navigation's begin with."""
PAGES = (*sorted(entry.path for entry in ENTRIES), *BELOW)
NAMES = re.compile(r"[0-9a-f]{32}|(?<==)[^&]+|(?<=/journey/).+|#.*")
"""What is different in links of one kind."""


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("path", PAGES)
async def test_a_page_keeps_what_all_pages_promise(visit: Visitor, path: str, size: Size) -> None:
    page = await visit.open(path, size)
    await expect(page.get_by_role("heading", level=1)).to_be_visible()
    await expect(page.get_by_role("main")).not_to_be_empty()
    if path == "/":
        await visit.picture(page, f"night-shift-{size}")


def test_every_kind_of_link_leads_somewhere(demo: DemoHub) -> None:
    links: dict[str, tuple[str, str]] = {}
    for path in PAGES:
        for href in re.findall(r'href="(/[^"]*)"', demo.http.get(path).text):
            links.setdefault(NAMES.sub("", unescape(href)), (path, unescape(href)))
    assert {"/messages?route=", "/messages/", "/journey/"} <= links.keys()
    answers = {(path, href): demo.http.get(href).status_code for path, href in links.values()}
    assert {link: code for link, code in answers.items() if code != 200} == {}


async def test_the_skip_link_and_the_navigation_work_by_keyboard(visit: Visitor) -> None:
    page = await visit.open("/")
    await page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the page's content")
    await expect(skip).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("main")).to_be_focused()
    await page.get_by_role("navigation", name="Pages").get_by_role("link", name="Flow map").press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Flow map")


async def test_without_script_every_page_is_whole_and_says_if_it_does_not_renew_itself(visit: Visitor) -> None:
    page = await visit.new_page("phone", java_script_enabled=False)
    live = []
    for path in PAGES:
        await visit.open(path, page=page)
        await expect(page.get_by_role("heading", level=1)).to_be_visible()
        if await page.locator("[data-live]").count():
            live.append(path)
            await expect(page.locator(".still")).to_have_text(re.compile("this page doesn't renew itself: load it"))
            async with page.expect_navigation(wait_until="load"):
                await page.locator(".still a").click()
    assert set(live) == {"/", "/flows", "/systems", "/waiting"}


async def test_what_isnt_there_is_said_on_a_page(visit: Visitor) -> None:
    page = await visit.open("/nowhere", "phone", status=404)
    await expect(page.get_by_role("heading", level=1)).to_be_visible()
    await expect(page.get_by_role("main")).to_contain_text("nothing at /nowhere")
