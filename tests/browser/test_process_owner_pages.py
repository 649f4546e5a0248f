"""A process owner decides disagreements on the pages, to the effect in the systems."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from patience import until
from playwright.async_api import expect
from talking_plant import Plant, talking_plant
from visiting import SIZES, Visitor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser, Page


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def talking(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Plant]:
    async with talking_plant(tmp_path_factory.mktemp("talking")) as plant:
        yield plant


@pytest_asyncio.fixture(loop_scope="session")
async def visitor(browser: Browser, talking: Plant, request: pytest.FixtureRequest) -> AsyncIterator[Visitor]:
    one = Visitor(browser, talking.hub.url, pictures=request.config.getoption("--screenshots"))
    yield one
    await one.leave()


async def decide(page: Page, title: str, button: str, **fields: str) -> None:
    await page.get_by_text(title, exact=True).click()
    for label, value in {**fields, "Why": "seen on the line"}.items():
        await page.get_by_label(label).locator("visible=true").fill(value)
    async with page.expect_navigation(wait_until="load"):
        await page.get_by_role("button", name=button).click()


async def test_nothing_is_open_and_then_something_is(talking: Plant, visitor: Visitor) -> None:
    page = await visitor.open("/disagreements?key=SEEN")
    await expect(page.get_by_text("No such disagreement is open.")).to_be_visible()
    await talking.disagree("PO-SEEN")
    for size in SIZES:
        page = await visitor.open("/disagreements?key=SEEN", size)
        await page.get_by_role("link", name="production order PO-SEEN").click()
        await visitor.look_over(page)
        await expect(page.get_by_role("cell", name="juice")).to_be_visible()
        if size == "desktop":
            await visitor.picture(page, "disagreement")


@pytest.mark.proves(
    "/disagreements/{number} adopt", "/disagreements/{number} overrule", "/disagreements/{number} tolerate"
)
async def test_each_decision_takes_effect(talking: Plant, visitor: Visitor) -> None:
    adopted, ruled, left = [(await talking.disagree(f"PO-{n}"))["number"] for n in range(3)]
    page = await visitor.new_page()
    await page.goto(f"/disagreements/{adopted}")
    await decide(page, "mes is right", "Adopt")
    await until(lambda: talking.erp.heard("PO-0", "juice"))
    await expect(page.get_by_text("adopt by local")).to_be_visible()

    await page.goto(f"/disagreements/{ruled}")
    await decide(page, "erp is right", "Overrule")
    await until(lambda: talking.mes.heard("PO-1", "water"), good=lambda found: len(found) == 2)
    await expect(page.get_by_text("overruled by local: seen on the line")).to_be_visible()

    await page.goto(f"/disagreements/{left}")
    await decide(page, "Both stand for now", "Tolerate", Until="whenever")
    await expect(page.get_by_text("'whenever' is no time")).to_be_visible()
    await page.goto(f"/disagreements/{left}")
    await decide(page, "Both stand for now", "Tolerate", Until="7d")
    await expect(page.get_by_text("tolerated").first).to_be_visible()
    assert [row["number"] for row in await talking.rows(standing="tolerated")] == [left]
    await visitor.look_over(page)


async def test_the_ownership_matrix_leads_to_what_is_broken(talking: Plant, visitor: Visitor) -> None:
    await talking.disagree("PO-OWNED")
    page = await visitor.new_page()
    await page.goto("/ownership")
    await page.get_by_role("link", name="says otherwise").click()
    await expect(page.get_by_role("link", name="production order PO-OWNED")).to_be_visible()
