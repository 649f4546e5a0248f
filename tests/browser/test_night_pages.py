"""The night shift sees what is stuck, decides about it, and each decision has its effect in the target."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from patience import until
from playwright.async_api import expect
from shop_plant import ORDERS, SECRET, Shop, ShopPlant, shop_plant
from visiting import Size, Visitor

from mombus.hub.desk import bulk

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


async def decide(page: Page, id: str, choice: str, told: str, document: str = "", target: str = "shop") -> None:
    """Decide about one order in the waiting room, which says what came of it."""
    await page.goto(f"/waiting?target={target}&lane={id}")
    await page.get_by_label(f"Decide about production order {id} for {target}").click()
    form = page.locator("details.deed[open] form")
    await form.get_by_role("radio", name=choice).check()
    if document:
        await form.get_by_label("Its document's number").fill(document)
    await send(page, form, "Do it")
    await expect(page.locator("#told")).to_have_text(f"production order {id} for {target}: {told}.")


async def choose_all(page: Page, path: str, command: str) -> None:
    """Decide about all that is shown there."""
    await page.goto(path)
    await page.locator("form.many [name=command]").select_option(command)
    async with page.expect_navigation(wait_until="load"):
        await page.get_by_role("button", name="See what that would do").click()
    await page.get_by_label("Why").fill("seen on the line")
    async with page.expect_navigation(wait_until="load"):
        await page.locator("form button.main").click()


async def decide_all(page: Page, path: str, command: str) -> None:
    """The same, until it is done."""
    await choose_all(page, path, command)
    await expect(page.get_by_text("1 changed, 0 not.")).to_be_visible()


async def in_doubt(plant: ShopPlant, id: str) -> None:
    """The till doesn't say whether it has this order; it doesn't, and would take it now."""
    plant.till.unsure.add(id)
    await plant.say(id)
    await until(partial(plant.waiting, id, "till"), good=lambda kind: kind == "in doubt")
    plant.till.unsure.clear()


def arrived(shop: Shop, id: str) -> bool:
    return shop.got[id] == 1


OWNED = {"owner": "office", "process_owner": "planning@acme.example"}


@pytest.mark.proves("/waiting/kept/do take", "/waiting/bulk take", "/waiting/bulk dismiss")
async def test_nothing_stuck_and_what_could_not_be_taken_is_taken_once_its_cause_is_gone(
    browser: Browser, tmp_path: Path
) -> None:
    """Nobody owned materials; then the office does."""
    async with shop_plant(tmp_path) as fresh:
        visitor = Visitor(browser, fresh.url)
        page = await visitor.open("/", "phone")
        await expect(page.get_by_text("Nothing waits.")).to_be_visible()
        for path, said in {
            "/waiting": "Nothing waits.", "/waiting/kept": "Everything that came could be taken in.",
            "/waiting/actions": "Nothing yet.", "/flows": "nothing yet", "/disagreements": "is open",
            "/messages?order=PO-1": "No message fits all of that",
        }.items():  # fmt: skip
            await visitor.open(path, page=page)
            await expect(page.get_by_role("main").get_by_text(said).locator("visible=true").first).to_be_visible()
        await expect((await visitor.wall("/?wall")).get_by_text("3 nothing yet")).to_be_visible()
        await expect((await visitor.wall("/flows?wall")).locator(".port")).to_have_count(3)
        docs = [{"ref": id, "name": id.lower(), "at": "2026-03-02T06:00:00Z"} for id in ("M-1", "M-2")]
        await fresh.push({"docs": [*docs, {"at": "2026-03-02T06:00:00Z"}]})
        await until(partial(fresh.get, "/api/kept"), good=lambda kept: len(kept["rows"]) == 3)
        await page.goto("/waiting/kept")
        await decide_kept(page, "sync material M-1", "Take in")
        await expect(page.get_by_role("heading", name="That changed nothing")).to_be_visible()
        await visitor.leave()
    objects, route = {"production_order": OWNED, "material": OWNED}, {"object": "material", "to": ["shop"]}
    async with shop_plant(tmp_path, objects=objects, routes=[ORDERS, route]) as mended:
        visitor = Visitor(browser, mended.url)
        page = await visitor.new_page("phone")
        await page.goto("/waiting/kept?system=office&kind=refused")
        await decide_kept(page, "sync material M-1", "Take in")
        await expect(page.locator("#told")).to_have_text("sync material M-1: taken in.")
        assert page.url.endswith("/waiting/kept?system=office&kind=refused")
        await until(partial(arrived, mended.shop, "M-1"))
        await decide_all(page, page.url, "take")
        await until(partial(arrived, mended.shop, "M-2"))
        await decide_all(page, "/waiting/kept?system=office", "dismiss")
        assert (await mended.get("/api/kept"))["rows"] == []
        await visitor.leave()


async def decide_kept(page: Page, name: str, choice: str) -> None:
    """Decide about something that couldn't be taken in."""
    await page.get_by_label(f"Decide about {name}").click()
    form = page.locator("details.deed[open] form")
    await form.get_by_role("radio", name=choice).check()
    await send(page, form, "Do it", "materials have an owner now")


@pytest.mark.proves("/notes", "/notes/take", "/notes/close")
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
    await visitor.picture(page, "night-shift-stuck")
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
    await decide(page, "PO-N1", "Skip", "skipped")


@pytest.mark.proves("/waiting/bulk retry")
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
    async with page.expect_navigation(wait_until="load"):
        await page.get_by_role("link", name="Back").click()
    assert page.url == f"{plant.url}/", "one is led back to where one was"
    for id in ("PO-R1", "PO-R2"):
        await until(partial(plant.waiting, id), good=lambda kind: kind is None)


@pytest.mark.proves(
    "/waiting/do hold", "/waiting/do release", "/waiting/do skip", "/waiting/do sent", "/waiting/do retry",
    "/waiting/do not_sent",
)  # fmt: skip
async def test_each_decision_about_one_has_its_effect(plant: ShopPlant, visitor: Visitor) -> None:
    await stuck(plant, "PO-H1", "PO-S1", "PO-S2", "PO-T1")
    page = await visitor.new_page()
    await decide(page, "PO-H1", "Hold", "held")
    assert await plant.waiting("PO-H1") == "held"
    plant.shop.closed.clear()
    await decide(page, "PO-H1", "Release", "tried now")
    await decide(page, "PO-T1", "Retry", "tried now")
    await until(lambda: plant.shop.got["PO-H1"] == plant.shop.got["PO-T1"] == 1)
    await decide(page, "PO-S1", "Skip", "skipped")
    await decide(page, "PO-S2", "It was sent", "taken as sent", document="4711")
    for id in ("PO-S1", "PO-S2"):
        assert await plant.waiting(id) is None
        await plant.say(f"{id}-next")
        await until(partial(arrived, plant.shop, f"{id}-next"))
        assert plant.shop.got[id] == 0
    await in_doubt(plant, "PO-D1")
    await decide(page, "PO-D1", "It wasn't sent", "tried now", target="till")
    await until(lambda: plant.till.got["PO-D1"] == 1)
    await visitor.look_over(page)


@pytest.mark.proves("/waiting/bulk hold", "/waiting/bulk release", "/waiting/bulk sent", "/waiting/bulk not_sent")
async def test_each_decision_about_many_has_its_effect(plant: ShopPlant, visitor: Visitor) -> None:
    await stuck(plant, "PO-B1", "PO-B2")
    page = await visitor.new_page()
    await decide_all(page, "/waiting?target=shop&lane=PO-B1", "hold")
    assert await plant.waiting("PO-B1") == "held"
    plant.shop.closed.clear()
    await decide_all(page, "/waiting?target=shop&lane=PO-B1", "release")
    await until(lambda: plant.shop.got["PO-B1"] == 1)
    await decide_all(page, "/waiting?target=shop&lane=PO-B2&kind=parked", "sent")
    assert (await plant.waiting("PO-B2"), plant.shop.got["PO-B2"]) == (None, 0)
    await in_doubt(plant, "PO-B3")
    await decide_all(page, "/waiting?target=till", "not_sent")
    await until(lambda: plant.till.got["PO-B3"] == 1)


@pytest.mark.proves("/waiting/bulk/{id}/cancel", "/waiting/bulk retry")
async def test_what_is_done_to_many_is_cancelled_while_it_runs(
    plant: ShopPlant, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of three the first is done, the second is under way, the third is left as it is."""
    await stuck(plant, "PO-C1", "PO-C2", "PO-C3")
    plant.shop.closed.clear()
    begun, go_on = asyncio.Event(), asyncio.Event()
    really = bulk.BulkActions._one

    async def one(self: Any, action: Any, thing: Any, put_off: set[str]) -> None:
        if plant.shop.got["PO-C1"]:
            begun.set()
            await go_on.wait()
        await really(self, action, thing, put_off)
        await until(lambda: plant.shop.got["PO-C1"] == 1)

    monkeypatch.setattr(bulk, "AT_ONCE", 1)
    monkeypatch.setattr(bulk.BulkActions, "_one", one)
    page = await visitor.new_page()
    await choose_all(page, "/waiting?target=shop&kind=parked", "retry")
    await begun.wait()
    await expect(page.get_by_text("1 changed, 0 not, 2 to do.")).to_be_visible()
    await page.locator("summary", has_text="Cancel the rest").click()
    await send(page, page.locator("details.deed[open] form"), "Cancel the rest", "the wrong ones")
    await expect(page.locator("#told")).to_have_text("Cancelled.")
    go_on.set()
    await expect(page.get_by_text("2 changed, 0 not, 1 to do.")).to_be_visible()
    await until(lambda: plant.shop.got["PO-C2"] == 1)
    assert (await plant.waiting("PO-C3"), plant.shop.got["PO-C3"]) == ("parked", 0)
    (deed,) = [row for row in await plant.get("/api/audit") if row["why"] == "the wrong ones"]
    assert deed["result"].endswith("cancelled: 1 of 3 changed, 0 not")
    await decide(page, "PO-C3", "Skip", "skipped")


@pytest.mark.proves("/waiting/send")
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
    await expect(page.locator("#told")).to_contain_text("sends it to store")
    assert await plant.waiting("PO-O1") == "parked"
    await decide(page, "PO-O1", "Skip", "skipped")


@pytest.mark.proves("/waiting/bulk skip")
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


async def test_a_decision_that_changes_nothing_says_why_and_leads_back(plant: ShopPlant, visitor: Visitor) -> None:
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
    await expect(page.get_by_text("production order PO-G1 for shop: it doesn't wait (any more).")).to_be_visible()
    async with page.expect_navigation(wait_until="load"):
        await page.get_by_role("link", name="Back").click()
    assert page.url.endswith("/waiting?target=shop&lane=PO-G1")


async def test_a_form_that_cannot_be_taken_is_told_and_leads_back(plant: ShopPlant, visitor: Visitor) -> None:
    """No reason but blanks, a message that isn't there, and a page older than the hub."""
    await stuck(plant, "PO-F1")
    page = await visitor.new_page()
    await page.goto("/waiting?target=shop&lane=PO-F1")
    for name, value, said in (
        ("why", "  ", "say why: it is kept in the audit trail with your name"),
        ("id", "f" * 64, "it doesn't wait (any more)"), ("csrf", "f" * 64, "load the page again and repeat it"),
    ):  # fmt: skip
        await page.get_by_label("Decide about production order PO-F1 for shop").click()
        form = page.locator("details.deed[open] form")
        await form.get_by_role("radio", name="Hold").check()
        await form.get_by_label("Why").fill("seen on the line")
        await form.locator(f"[name={name}]").evaluate("(field, value) => { field.value = value }", value)
        async with page.expect_navigation(wait_until="load"):
            await form.get_by_role("button", name="Do it").click()
        await expect(page.get_by_text(said)).to_be_visible()
        async with page.expect_navigation(wait_until="load"):
            await page.get_by_role("link", name="Back").click()
    assert page.url.endswith("/waiting?target=shop&lane=PO-F1")
    assert await plant.waiting("PO-F1") == "parked"
    await decide(page, "PO-F1", "Skip", "skipped")


@pytest.mark.proves("/waiting/kept/do dismiss")
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
    await expect(page.locator("#told")).to_have_text("docs[1]: dismissed.")
    await expect(page.get_by_text("Everything that came could be taken in.")).to_be_visible()
    assert (await plant.get("/api/kept"))["rows"] == []


@pytest.mark.proves("/systems/{name}/resume")
async def test_a_system_that_no_credential_opened_is_tried_again(plant: ShopPlant, visitor: Visitor) -> None:
    plant.shop.locked = True
    await plant.say("PO-L1")
    await until(partial(plant.get, "/api/systems/shop"), good=lambda system: system["health"] == "halted")
    page = await visitor.new_page("phone")
    await page.goto("/systems/shop")
    await expect(page.get_by_text("What to do: mend the cause, then Resume")).to_be_visible()
    await expect(page.locator("dt", has_text="Not sent yet")).to_have_count(1)
    await expect(page.get_by_role("link", name="Systems", exact=True)).to_be_in_viewport(ratio=1)
    await page.locator("summary", has_text="Resume").click()
    plant.shop.locked = False
    await send(page, page.locator("details.deed[open] form"), "Resume", "it has a new token")
    await expect(page.locator("#told")).to_have_text("shop is tried again.")
    await until(lambda: plant.shop.got["PO-L1"] == 1)


@pytest.mark.proves("/systems/{name}/probe")
@pytest.mark.parametrize("size", ["desktop", "phone"])
async def test_a_system_tells_its_state_and_configuration_and_is_asked(
    plant: ShopPlant, visitor: Visitor, size: Size
) -> None:
    page = await visitor.open("/systems", size)
    if size == "desktop":
        await visitor.picture(page, "systems")
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
    page = await visitor.wall("/?wall")
    await expect(page.get_by_text("HTTP 422: no recipe").first).to_be_visible()
    await expect(page.get_by_text("What to do: mend the cause, then retry; or skip")).to_be_visible()
    await visitor.picture(page, "night-shift-wall")
    await expect(page.get_by_role("button")).to_have_count(0)
    await decide(await visitor.new_page(), "PO-W1", "Skip", "skipped")
    await expect(page.get_by_text("Nothing waits.")).to_be_visible()


async def test_systems_that_are_away_are_told_of_once_and_fit_on_every_screen(
    plant: ShopPlant, visitor: Visitor
) -> None:
    for name in ("store", "till"):
        await getattr(plant, name).server.stop()
    await plant.say("PO-A1")

    async def away() -> list[str]:
        return sorted(one["target"] for one in (await plant.get("/api/night"))["undelivered"])

    await until(away, good=lambda names: names == ["store", "till"])
    page = await visitor.wall("/?wall")
    await expect(page.locator(".entry h3", has_text="1 production order for store")).to_have_count(1)
    await expect(page.get_by_text("Systems that aren't well")).to_have_count(0)
    page = await visitor.open("/", "desktop")
    await expect(page.get_by_text("get store to answer")).to_have_count(1)
    tall = await page.locator("tr.over").first.evaluate("(row) => row.getBoundingClientRect().height")
    assert tall < 100, "what may be done has a row of its own"
    for name in ("store", "till"):
        await getattr(plant, name).server.start()
        await until(partial(arrived, getattr(plant, name), "PO-A1"))
