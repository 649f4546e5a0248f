"""What looks pages over does find what is wrong with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.routing import Route
from visiting import Visitor

from mombus.web.secured import Secured
from plant.served import Served

if TYPE_CHECKING:
    from playwright.async_api import Browser

PAGE = "<!doctype html><html lang=en><title>A page</title><link rel=icon href=/icon><main><h1>A page</h1>{}</main>"
WRONG = {
    "own style": ('<p style="color: red">red</p>', "breaks its policy: .*style-src"),
    "own script": ("<script>1</script>", "breaks its policy: .*script-src"),
    "elsewhere": ('<img alt="" src="http://127.0.0.1:9/a.png">', "asks elsewhere|breaks its policy"),
    "gone": ('<img alt="" src="/gone.png">', "404 for"),
    "wide": (f"<p>{'wide' * 100}</p>", "px wide on a screen of 390 px"),
    "no name": ('<input type="text">', "label"),
}


@pytest.mark.parametrize("wrong", WRONG)
async def test_what_is_wrong_with_a_page_is_found(browser: Browser, wrong: str) -> None:
    body, found = WRONG[wrong]
    app = Starlette(
        routes=[Route("/", lambda _: HTMLResponse(PAGE.format(body))), Route("/icon", lambda _: PlainTextResponse(""))]
    )
    app.add_middleware(Secured)
    served = Served(app)
    await served.start()
    try:
        visitor = Visitor(browser, served.url)
        page = await visitor.new_page("phone")
        with pytest.raises(AssertionError, match=found):
            await visitor.open("/", page=page)
        await page.context.close()
    finally:
        await served.stop()
