"""Messages are found by business keys, looked at step by step, and compared."""

from __future__ import annotations

import pytest
from demo_hub import DemoHub
from patience import until
from playwright.async_api import expect
from strange_order import strange_order
from visiting import SIZES, Size, Visitor


async def test_nothing_is_loaded_before_it_is_asked_for(visit: Visitor) -> None:
    page = await visit.open("/messages")
    await expect(page.get_by_role("table")).to_have_count(0)
    await expect(page.get_by_role("main")).to_contain_text("Nothing is loaded before you ask")


@pytest.mark.parametrize("size", SIZES)
async def test_an_orders_messages_are_found_and_one_is_looked_at_step_by_step(visit: Visitor, size: Size) -> None:
    page = await visit.open("/messages", size)
    await page.get_by_label("Order", exact=True).fill("PO-4711")
    await page.get_by_role("button", name="Find").click()
    rows = page.locator("tbody tr")
    await expect(rows.first).to_contain_text("PO-4711")
    await visit.look_over(page)
    if size == "desktop":
        await visit.picture(page, "messages")

    async with page.expect_navigation(wait_until="load"):
        await page.get_by_label("Object", exact=True).select_option("production_order")
    await expect(rows).to_have_count(1)
    await expect(rows).to_contain_text("wms")
    await rows.get_by_role("link", name="production order PO-4711").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("production order PO-4711")
    steps = page.locator(".stages > li")
    await expect(steps).to_have_count(5)
    await expect(steps.nth(0)).to_contain_text("<ProcessOperationsSchedule")
    await expect(steps.nth(1)).to_contain_text('"id": "PO-4711"')
    await expect(steps.filter(has_text="For mes")).to_contain_text("delivered")
    await visit.look_over(page)
    if size == "desktop":
        await visit.picture(page, "message")


async def test_two_steps_are_compared(visit: Visitor, demo: DemoHub) -> None:
    (order,) = demo.get("/api/messages", order="PO-4711", object="production_order")["messages"]
    page = await visit.open(f"/messages/{order['id']}")
    async with page.expect_navigation(wait_until="load"):
        await page.get_by_label("Compare").select_option("canonical")
    await expect(page.get_by_role("heading", level=1)).to_contain_text("What differs")
    async with page.expect_navigation(wait_until="load"):
        await page.get_by_label("with", exact=True).select_option("mapped:wms")
    await expect(page.get_by_label("with", exact=True)).to_have_value("mapped:wms")
    await expect(page.get_by_role("cell", name="30005").first).to_be_visible()
    await visit.look_over(page)
    await visit.open(f"/messages/{order['id']}/diff?left=canonical&right=canonical", "phone")
    await visit.open(f"/messages/{order['id']}/diff?left=nonsense", status=422)


async def test_pages_follow_each_other_without_a_message_twice(visit: Visitor) -> None:
    page = await visit.open("/messages?limit=5")
    links = page.locator("tbody tr td:first-child a")
    await expect(links).to_have_count(5)
    first = {await link.get_attribute("href") for link in await links.all()}
    async with page.expect_navigation(url="**before=*") as older:
        await page.get_by_role("link", name="Older messages").click()
    answer = await older.value
    assert answer.status == 200, await answer.text()
    assert await links.count() == 5, await page.content()
    assert not first & {await link.get_attribute("href") for link in await links.all()}


async def test_what_waits_is_found_by_its_state(visit: Visitor, demo: DemoHub) -> None:
    demo.say(strange_order("PO-9201"))
    await until(lambda: demo.get("/api/messages", order="PO-9201", state="awaiting alias")["messages"])
    page = await visit.open("/messages?state=awaiting+alias&order=PO-9201")
    await expect(page.locator("tbody tr")).to_contain_text("wms awaiting alias")


async def test_what_cant_be_looked_for_says_why(visit: Visitor) -> None:
    page = await visit.open("/messages?since=yesterdayish", status=422)
    await expect(page.get_by_role("alert")).to_contain_text("yesterdayish")
    await expect(page.get_by_label("Since")).to_have_value("yesterdayish")
    await visit.open("/messages?attempts=many", "phone", status=422)
    nobody = await visit.open("/messages?order=PO-0000")
    await expect(nobody.get_by_role("heading", name="Nothing fits")).to_be_visible()
    await visit.open("/messages/nosuchmessage", status=404)


@pytest.mark.proves("/messages/searches", "/messages/searches/delete")
async def test_a_search_is_saved_used_and_forgotten(visit: Visitor, demo: DemoHub) -> None:
    page = await visit.open("/messages?object=production_order&text=PO-4711")
    await page.get_by_text("Save this search").click()
    await page.get_by_label("Its name").fill("the first order")
    await page.get_by_role("button", name="Save", exact=True).click()
    await page.goto("/messages")
    await page.get_by_role("link", name="the first order").click()
    await expect(page.get_by_label("Object", exact=True)).to_have_value("production_order")
    await expect(page.locator("tbody tr").first).to_contain_text("PO-4711")
    await visit.look_over(page)
    await page.get_by_role("button", name="Forget the first order").click()
    await expect(page.locator("#told")).to_have_text("the first order is forgotten.")
    await expect(page.get_by_role("link", name="the first order")).to_have_count(0)
    assert page.url.endswith("/messages?object=production_order&text=PO-4711"), "what was looked for is still shown"
    assert [one["name"] for one in demo.get("/api/searches")] == []


@pytest.mark.proves("/waiting/send")
async def test_a_message_is_sent_to_one_system_again(visit: Visitor, demo: DemoHub) -> None:
    (order,) = demo.get("/api/messages", order="PO-4711", object="production_order")["messages"]
    page = await visit.open(f"/messages/{order['id']}")
    await page.get_by_text("Send to …").click()
    await page.locator("select[name=to]").select_option("mes")
    await page.locator("select[name=manner]").select_option("again")
    await page.locator("textarea[name=why]").fill("the line was emptied")
    await visit.look_over(page)
    async with page.expect_navigation(wait_until="load"):
        await page.get_by_role("button", name="Send it").click()

    def second() -> list[str]:
        hops = demo.get(f"/api/messages/{order['id']}")["message"]["hops"]
        return [hop["target"] for hop in hops if hop["second"] and hop["state"] == "delivered"]

    assert await until(second) == ["mes"]
    await page.reload()
    await expect(page.get_by_role("heading", level=1)).to_have_text("production order PO-4711")
