"""The flow map tells of every flow, and of what is stuck while one looks at it."""

from __future__ import annotations

from demo_hub import DemoHub
from playwright.async_api import expect
from strange_order import strange_order
from visiting import Visitor


async def test_every_flow_is_drawn_and_what_waits_shows_up_by_itself(visit: Visitor, demo: DemoHub) -> None:
    page = await visit.open("/flows")
    drawing = page.get_by_role("group", name="Systems, what they say")
    rows = demo.get("/api/status")["flows"]
    await expect(drawing.locator(".port")).to_have_count(sum(row["target"] is not None for row in rows))
    order = drawing.locator(".port", has=page.locator("title", has_text="production order from erp to wms"))
    (before,) = [row["waiting"] for row in rows if (row["object"], row["target"]) == ("production_order", "wms")]
    await visit.picture(page, "flow-map")
    await expect((await visit.wall("/flows?wall")).locator(".port").first).to_be_visible()

    demo.say(strange_order("PO-9001"))
    await expect(order).to_contain_text(f"{before + 1} waiting")
    row = page.get_by_role("row").filter(has_text="production order").filter(has_text="wms")
    await expect(row).to_contain_text("FG-9999")
    await visit.look_over(page)
    await drawing.get_by_role("link", name=f"production order to wms, {before + 1} waiting").click()
    await expect(page.locator("tbody tr", has_text="PO-9001")).to_contain_text("wms awaiting alias")


async def test_on_a_phone_the_flows_are_a_list(visit: Visitor) -> None:
    page = await visit.open("/flows", "phone")
    await expect(page.locator("svg.map")).to_be_hidden()
    await expect(page.get_by_role("row").filter(has_text="job order")).to_contain_text("line1")
