"""The page shows what waits by cause, with the command to give, and nothing of it as markup."""

from __future__ import annotations

from typing import Any

import httpx

from mombus.web.app import make_app

AT = "2026-03-02T06:00:00+00:00"
HOSTILE = "<script>alert(1)</script>"


def cause(**more: Any) -> dict[str, Any]:
    row = {"object": "production_response", "key": "R-1", "reason": HOSTILE, "since": AT, "due": None, "attempts": 3,
           "id": "0123456789abcdef"}  # fmt: skip
    return {
        "target": "erp", "kind": "parked", "person": True, "reason": HOSTILE, "reasons": 2, "count": 240, "since": AT,
        "late": 7, "orders": ["PO-1", "PO-2"], "orders_total": 240, "do": "mend it, then `mombus retry --all`",
        "rows": [row],
    } | more  # fmt: skip


class Desk:
    def __init__(self, **status: Any) -> None:
        self._status = {
            "at": AT, "site": "lyon", "version": "1", "systems": [], "flows": [], "waiting": [], "causes_total": 0,
            "messages": [], "trouble": [], "hubs": [],
        } | status  # fmt: skip

    async def ask(self, _question: Any, _asked: Any) -> dict[str, Any]:
        return self._status

    async def ready(self) -> dict[str, str]:
        return {}


async def page(**status: Any) -> str:
    transport = httpx.ASGITransport(make_app(Desk(**status), {}))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
        answer = await http.get("/")
    assert answer.status_code == 200
    return " ".join(answer.text.split())


async def test_nothing_wrong_and_nothing_there() -> None:
    text = await page()
    for said in ("Everything flows", "Nothing waits.", "No routes are declared", "No message yet"):
        assert said in text


async def test_a_cause_is_one_line_that_opens() -> None:
    text = await page(waiting=[cause()], causes_total=3, trouble=["240 are parked"])
    for said in (
        "1 thing to look at", '<details class="cause bad"', "<strong>240 parked</strong>", "<strong>7 late</strong>",
        "(and 1 more like it)", "PO-1, PO-2 and 238 more", "mend it, then <code>mombus retry --all</code>",
        "<code>0123456789</code>", "and 239 more: <code>mombus waiting --each --target erp</code>",
        "and 2 more causes: <code>mombus waiting</code>",
    ):  # fmt: skip
        assert said in text, said
    assert HOSTILE not in text
