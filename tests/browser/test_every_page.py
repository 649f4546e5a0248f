"""Every page at a desk and on a phone keeps what all pages promise."""

from __future__ import annotations

import pytest
from playwright.async_api import expect
from visiting import SIZES, Size, Visitor

from mombus.web.pages import ENTRIES

BELOW = (
    "/messages?order=PO-4711",
    "/journey/PO-4711",
    "/kpi/downtime",
    "/kpi/shift",
    "/genealogy/PO-4711-L1",
)
"""Pages that show what the navigation's begin with."""
PAGES = (*sorted(entry.path for entry in ENTRIES), *BELOW)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("path", PAGES)
async def test_a_page_keeps_what_all_pages_promise(visit: Visitor, path: str, size: Size) -> None:
    page = await visit.open(path, size)
    await expect(page.get_by_role("heading", level=1)).to_be_visible()
    await expect(page.get_by_role("main")).not_to_be_empty()
    if path == "/":
        await visit.picture(page, f"night-shift-{size}")


async def test_the_skip_link_and_the_navigation_work_by_keyboard(visit: Visitor) -> None:
    page = await visit.open("/")
    await page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the page's content")
    await expect(skip).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("main")).to_be_focused()
    await page.get_by_role("navigation", name="Pages").get_by_role("link", name="Flow map").press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Flow map")


async def test_what_isnt_there_is_said_on_a_page(visit: Visitor) -> None:
    page = await visit.open("/nowhere", "phone", status=404)
    await expect(page.get_by_role("heading", level=1)).to_be_visible()
    await expect(page.get_by_role("main")).to_contain_text("nothing at /nowhere")
