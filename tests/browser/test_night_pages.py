"""The night shift sees what is stuck, decides about it, and each decision has its effect in the target."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from patience import until
from playwright.async_api import expect
from shop_plant import SECRET, ShopPlant, shop_plant
from visiting import Size, Visitor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from playwright.async_api import Browser, Locator, Page


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def plant(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ShopPlant]:
    async with shop_plant(tmp_path_factory.mktemp("shop")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def visitor(browser: Browser, plant: ShopPlant, request: pytest.FixtureRequest) -> AsyncIterator[Visitor]:
    one = Visitor(browser, plant.url, pictures=request.config.getoption("--screenshots"))
    yield one
    await one.leave()


async def stuck(plant: ShopPlant, *ids: str) -> None:
    """The shop refuses these orders: they wait for a person."""
    await plant.say(*ids, refused=True)
    for id in ids:
        await until(partial(plant.waiting, id), good=lambda kind: kind == "parked")


async def send(page: Page, form: Locator, button: str, why: str = "seen on the line") -> None:
    """Say why and press the button."""
    await form.get_by_label("Why").fill(why)
    async with page.expect_navigation(wait_until="load"):
        await form.get_by_role("button", name=button).click()


async def decide(visitor: Visitor, id: str, choice: str, size: Size = "desktop", document: str = "") -> None:
    """Decide about one order in the waiting room."""
    page = await visitor.new_page(size)
    await page.goto(f"/waiting?target=shop&lane={id}")
    await page.get_by_label(f"Decide about production order {id} for shop").click()
    form = page.locator("details.deed[open] form")
    await form.get_by_role("radio", name=choice).check()
    if document:
        await form.get_by_label("Its document's number").fill(document)
    await send(page, form, "Do it")
    await page.context.close()


async def test_nothing_stuck_and_nothing_there(browser: Browser, tmp_path: Path) -> None:
    async with shop_plant(tmp_path) as fresh:
        visitor = Visitor(browser, fresh.url)
        page = await visitor.open("/", "phone")
        await expect(page.get_by_text("Nothing waits.")).to_be_visible()
        for path, said in {
            "/waiting": "Nothing waits.", "/waiting/kept": "Everything that came could be taken in.",
            "/waiting/actions": "Nothing yet.",
        }.items():  # fmt: skip
            await visitor.open(path, page=page)
            await expect(page.get_by_text(said)).to_be_visible()
        await visitor.leave()


async def test_what_is_stuck_is_handed_over_taken_over_and_closed(plant: ShopPlant, visitor: Visitor) -> None:
    await stuck(plant, "PO-N1")
    page = await visitor.open("/")
    await expect(page.get_by_role("link", name="PO-N1").first).to_be_visible()
    await page.get_by_label("Hand over: 1 parked for shop").click()
    form = page.locator("details.deed[open] form")
    await form.get_by_label("For").fill("the early shift")
    await form.get_by_label("What they should know").fill("the recipe comes at six")
    async with page.expect_navigation(wait_until="load"):
        await form.get_by_role("button", name="Leave the note").click()
    await visitor.look_over(page)
    await visitor.picture(page, "night-shift")
    await expect(page.get_by_text("the recipe comes at six")).to_be_visible()
    async with page.expect_navigation(wait_until="load"):
        await page.get_by_role("button", name="Take over").click()
    await expect(page.get_by_text("taken over by local")).to_be_visible()
    await page.locator("summary", has_text="Close").click()
    form = page.locator("details.deed[open] form")
    await form.get_by_label("How it was dealt with").fill("it came")
    async with page.expect_navigation(wait_until="load"):
        await form.get_by_role("button", name="Close").click()
    await expect(page.get_by_text("the recipe comes at six")).to_have_count(0)
    (note,) = await plant.get("/api/notes", closed="true")
    assert (note["to"], note["taken_by"], note["how"]) == ("the early shift", "local", "it came")
    await decide(visitor, "PO-N1", "Skip")


async def test_what_is_retried_from_the_first_page_arrives_once(plant: ShopPlant, visitor: Visitor) -> None:
    await stuck(plant, "PO-R1", "PO-R2")
    plant.shop.closed.clear()
    page = await visitor.open("/", "phone")
    await page.get_by_label("Retry: 2 parked for shop").click()
    await visitor.look_over(page)
    await send(page, page.locator("details.deed[open] form"), "Retry", "the recipe is there")
    await expect(page.get_by_text("2 changed, 0 not.")).to_be_visible()
    await visitor.look_over(page)
    await until(lambda: plant.shop.got["PO-R1"] + plant.shop.got["PO-R2"] == 2)
    for id in ("PO-R1", "PO-R2"):
        await until(partial(plant.waiting, id), good=lambda kind: kind is None)


async def test_what_is_held_waits_until_it_is_released(plant: ShopPlant, visitor: Visitor) -> None:
    await stuck(plant, "PO-H1")
    await decide(visitor, "PO-H1", "Hold")
    assert await plant.waiting("PO-H1") == "held"
    plant.shop.closed.clear()
    await decide(visitor, "PO-H1", "Release", "phone")
    await until(lambda: plant.shop.got["PO-H1"] == 1)


@pytest.mark.parametrize(("choice", "id"), [("Skip", "PO-S1"), ("It was sent", "PO-S2")])
async def test_what_is_skipped_or_was_sent_is_not_sent(
    plant: ShopPlant, visitor: Visitor, choice: str, id: str
) -> None:
    await stuck(plant, id)
    plant.shop.closed.clear()
    await decide(visitor, id, choice, document="4711" if choice == "It was sent" else "")
    assert await plant.waiting(id) is None
    await plant.say(f"{id}-next")
    await until(lambda: plant.shop.got[f"{id}-next"] == 1)
    assert plant.shop.got[id] == 0


async def test_one_message_is_sent_to_one_system_again(plant: ShopPlant, visitor: Visitor) -> None:
    await stuck(plant, "PO-O1")
    await until(lambda: plant.store.got["PO-O1"] == 1)
    page = await visitor.open("/waiting?target=shop&lane=PO-O1")
    await page.get_by_label("Send production order PO-O1 for shop to one system").click()
    form = page.locator("details.deed[open] form")
    await form.locator("[name=to]").select_option("store")
    await form.locator("[name=manner]").select_option("again")
    await send(page, form, "Send it", "the store lost it")
    await until(lambda: plant.store.got["PO-O1"] == 2)
    assert await plant.waiting("PO-O1") == "parked"
    await decide(visitor, "PO-O1", "Skip")


async def test_many_are_looked_at_before_they_are_decided_about(plant: ShopPlant, visitor: Visitor) -> None:
    await stuck(plant, "PO-M1", "PO-M2", "PO-M3")
    page = await visitor.open("/waiting?target=shop", "desktop")
    await visitor.picture(page, "waiting-room")
    await page.locator("form.many [name=command]").select_option("skip")
    async with page.expect_navigation(wait_until="load"):
        await page.get_by_role("button", name="See what that would do").click()
    await visitor.look_over(page)
    await expect(page.get_by_role("heading", name="Skip: 3 things")).to_be_visible()
    await send(page, page.locator("form", has=page.get_by_label("Why")), "Skip 3 things")
    await expect(page.get_by_text("3 changed, 0 not.")).to_be_visible()
    assert [await plant.waiting(f"PO-M{n}") for n in (1, 2, 3)] == [None] * 3
    assert sum(plant.shop.got[f"PO-M{n}"] for n in (1, 2, 3)) == 0
    await visitor.open("/waiting/actions", "phone")


async def test_a_decision_that_changes_nothing_says_why(plant: ShopPlant, visitor: Visitor) -> None:
    await stuck(plant, "PO-G1")
    page = await visitor.open("/waiting?target=shop&lane=PO-G1")
    await page.get_by_label("Decide about production order PO-G1 for shop").click()
    form = page.locator("details.deed[open] form")
    await form.get_by_role("radio", name="Hold").check()
    await visitor.look_over(page)
    (row,) = (await plant.get("/api/waiting", target="shop", lane="PO-G1"))["rows"]
    skip = f"/api/waiting/shop/{row['id']}/skip"
    assert [(await plant.http.post(skip, json={"why": "twice"})).status_code for _ in range(2)] == [200, 409]
    await send(page, form, "Do it")
    await expect(page.get_by_role("heading", name="That changed nothing")).to_be_visible()
    await expect(page.get_by_text("it doesn't wait (any more)")).to_be_visible()


async def test_what_could_not_be_taken_is_looked_at_and_dismissed(plant: ShopPlant, visitor: Visitor) -> None:
    answer = await plant.push({"docs": [{"at": "2026-03-02T06:00:00Z", "note": "no number"}]})
    assert answer.status_code == 422
    page = await visitor.open("/waiting/kept", "phone")
    async with page.expect_navigation(wait_until="load"):
        await page.get_by_role("link", name="docs[1]").click()
    await visitor.look_over(page)
    await expect(page.get_by_text("no number")).to_be_visible()
    await page.get_by_label("Decide about docs[1]").click()
    form = page.locator("details.deed[open] form")
    await form.get_by_role("radio", name="Dismiss").check()
    await send(page, form, "Do it", "the office says it again")
    await expect(page.get_by_text("Everything that came could be taken in.")).to_be_visible()
    assert (await plant.get("/api/kept"))["rows"] == []


@pytest.mark.parametrize("size", ["desktop", "phone"])
async def test_a_system_tells_its_state_and_configuration_and_is_asked(
    plant: ShopPlant, visitor: Visitor, size: Size
) -> None:
    page = await visitor.open("/systems", size)
    await visitor.picture(page, f"systems-{size}")
    async with page.expect_navigation(wait_until="load"):
        await page.get_by_role("link", name="shop", exact=True).click()
    await visitor.look_over(page)
    assert SECRET not in await page.content()
    await expect(page.get_by_role("cell", name="token", exact=True)).to_be_visible()
    async with page.expect_navigation(wait_until="load"):
        await page.get_by_role("button", name="Probe now").click()
    await expect(page.get_by_text("Asked just now:")).to_be_visible()
    await visitor.open("/systems/shup", page=page, status=404)
    await expect(page.get_by_text("did you mean 'shop'?")).to_be_visible()


async def test_the_wall_shows_what_is_stuck_and_nothing_to_press(plant: ShopPlant, visitor: Visitor) -> None:
    await stuck(plant, "PO-W1")
    page = await visitor.open("/?wall")
    await expect(page.get_by_text("HTTP 422: no recipe").first).to_be_visible()
    await expect(page.get_by_role("button")).to_have_count(0)
    await decide(visitor, "PO-W1", "Skip")
    await expect(page.get_by_text("Nothing waits.")).to_be_visible()
