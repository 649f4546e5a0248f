"""Pages of a process of their own while the hub is away, and pages of several hubs when one of them is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hub_plant import Asker, Quiet, config, wire
from own_broker import broker
from patience import PATIENCE_S, until
from playwright.async_api import expect
from sqlalchemy import text
from two_hubs import held, two_hubs
from visiting import Visitor

from mombus.config.model import Bus, Route
from mombus.hub.hub import open_hub
from mombus.hub.parts import Parts
from mombus.hub.several import neighbours

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.async_api import Browser

    from mombus.hub.hub import Hub

HUB = Parts(frozenset({"erp", "mes"}), delivery=True, web=False)
WEB = Parts(frozenset(), delivery=False, web=True)
GONE = (
    "INSERT INTO hubs SELECT 'gone', 'http://gone', plan, routes, version, 'its disk', 7, since, since, since "
    "FROM hubs LIMIT 1"
)
"""A hub that ended without a word."""


async def test_pages_say_that_the_hub_is_away_and_go_on_when_it_is_back(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire(monkeypatch, {"erp": Quiet(), "mes": Asker()})
    async with broker(tmp_path / "nats") as url:
        settings = config(
            tmp_path, "erp", "mes", owns={"production_order": "erp"}, bus=Bus(broker=url),
            routes=(Route(object="production_order", to=("mes",)),),
        )  # fmt: skip
        async with open_hub(settings, parts=WEB) as web:
            visitor = Visitor(browser, web.url)
            async with open_hub(settings, parts=HUB):
                await until(lambda: answers(web))
                page = await visitor.open("/")
                told = page.get_by_role("status")
                await expect(told).to_have_text("live")
            await expect(told).to_contain_text("this is what it said at")
            await expect(page.get_by_role("heading", name="Flows", exact=True)).to_be_visible()
            await visitor.look_over(page)
            for path in ("/flows", "/messages?order=PO-1", "/waiting"):
                away = await visitor.open(path, "phone", status=503)
                await expect(away.get_by_role("heading", level=1)).to_have_text("The hub doesn't answer")
                await expect(away.get_by_text("What the systems say is kept meanwhile.")).to_be_visible()
            async with open_hub(settings, parts=HUB):
                await until(lambda: answers(web))
                await expect(told).to_have_text("live")
                async with away.expect_navigation(wait_until="load"):
                    await away.get_by_role("link", name="Try again").click()
                await expect(away.get_by_role("heading", level=1)).to_have_text("Waiting room")
                await page.route("**/live", lambda route: route.fulfill(status=503), times=1)
                async with page.expect_response(lambda answer: answer.status == 503):
                    await page.reload()
                await expect(told).to_have_text("live")
                visitor.wrong.clear()
            await visitor.leave()


async def test_any_hub_shows_where_each_system_is_and_names_a_hub_that_is_gone(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgresql: str
) -> None:
    monkeypatch.setattr(neighbours, "STATUS_S", PATIENCE_S)
    async with two_hubs(tmp_path, monkeypatch, postgresql, Asker(), Asker()) as (hubs, _, _):
        await until(lambda: sorted(len(held(hub)) for hub in hubs) == [1, 2])
        here, other = sorted(hubs, key=lambda hub: "mes" not in held(hub))
        visitors = [Visitor(browser, hub.url) for hub in (here, other)]
        page = await visitors[1].open("/systems", "phone")
        await expect(page.locator(".tiles li", has_text="mes")).to_contain_text(f"at {here.url}")
        await here.desk._journal.write(lambda c: c.execute(text(GONE)) and None)
        for visitor in visitors:
            page = await visitor.wall("/?wall")
            await expect(page.get_by_text("the hub at http://gone doesn't answer since")).to_be_visible()
            await expect(page.get_by_text("7 items are in the spools on its disk: start it again")).to_be_visible()
            await visitor.leave()


async def answers(hub: Hub) -> bool:
    """Whether its pages get answers."""
    return "hub" not in await hub.desk.ready()
