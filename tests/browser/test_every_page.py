"""Every page at a desk and on a phone keeps what all pages promise."""

from __future__ import annotations

import pytest
from playwright.async_api import expect
from visiting import SIZES, Size, Visitor

PAGES = (
    "/",
    "/flows",
    "/messages",
    "/messages?order=PO-4711",
    "/journey",
    "/journey/PO-4711",
    "/ownership",
    "/kpi",
    "/kpi/downtime",
    "/kpi/shift",
    "/genealogy/PO-4711-L1",
)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("path", PAGES)
async def test_a_page_keeps_what_all_pages_promise(visit: Visitor, path: str, size: Size) -> None:
    page = await visit.open(path, size)
    await expect(page.get_by_role("heading", level=1)).to_be_visible()
    await expect(page.get_by_role("main")).not_to_be_empty()
