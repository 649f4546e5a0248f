"""A journey is looked for by a number, and shown over time and hop by hop."""

from __future__ import annotations

from demo_hub import DemoHub
from patience import until
from playwright.async_api import expect
from strange_order import strange_order
from visiting import Visitor


async def test_an_order_is_followed_through_every_system(visit: Visitor, demo: DemoHub) -> None:
    page = await visit.open("/journey")
    await page.get_by_label("Number").fill("PO-4711")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Journey of PO-4711")
    await visit.look_over(page)
    hops = demo.get("/api/journey/PO-4711")["hops"]
    assert {hop["target"] for hop in hops} >= {"mes", "wms", "qms", "erp", "line1"}
    await expect(page.locator("tbody tr")).to_have_count(len(hops))
    drawing = page.get_by_role("img", name="A lane for each system")
    await expect(drawing.locator(".mark")).to_have_count(len(hops))
    await expect(drawing.locator(".name")).to_have_count(
        len({name for hop in hops for name in (hop["source"], hop["target"]) if name})
    )
    await visit.picture(page, "journey")


async def test_what_waits_is_told_first(visit: Visitor, demo: DemoHub) -> None:
    demo.say(strange_order("PO-9101"))
    await until(lambda: [one for one in demo.get("/api/journey/PO-9101")["hops"] if one["waits"]])
    page = await visit.open("/journey/PO-9101", "phone")
    facts = page.locator(".facts")
    await expect(facts).to_contain_text("awaiting alias")
    await expect(facts).to_contain_text("FG-9999")


async def test_for_an_unknown_number_those_like_it_are_offered(visit: Visitor) -> None:
    page = await visit.open("/journey/PO-47", status=404)
    await page.get_by_role("link", name="PO-4711", exact=True).click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Journey of PO-4711")
    nothing = await visit.open("/journey/%3Cscript%3E", "phone", status=404)
    await expect(nothing.get_by_role("heading", level=1)).to_have_text("Journey of <script>")
