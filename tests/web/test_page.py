"""The first page shows what is stuck, with what may be done, and nothing of it as markup."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import httpx

from mombus.desk.question import NoAnswerError
from mombus.web.app import make_app

AT = "2026-03-02T06:00:00+00:00"
HOSTILE = "<script>alert(1)</script>"


def cause(**more: Any) -> dict[str, Any]:
    return {
        "id": "abc", "target": "erp", "kind": "parked", "person": True, "reason": HOSTILE, "reasons": 2, "count": 240,
        "since": AT, "late": 7, "objects": {"downtime": 200, "material": 40}, "orders": ["PO-1", "PO-2"],
        "orders_total": 240, "do": "mend it, then `mombus retry`",
        "may": ["retry", "sent", "hold", "skip"], "choice": {"target": "erp", "kind": "parked", "reason": None},
        "rows": [],
    } | more  # fmt: skip


class Desk:
    def __init__(self, **night: Any) -> None:
        self._night = {
            "at": AT, "site": "lyon", "how": "good", "trouble": [], "lines": [], "causes": [], "causes_total": 0,
            "besides": [], "undelivered": [], "systems": [], "notes": [],
        } | night  # fmt: skip

    async def ask(self, _question: Any, _asked: Any) -> dict[str, Any]:
        return self._night

    async def ready(self) -> dict[str, str]:
        return {}


class Audited(Desk):
    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self._rows = rows

    async def ask(self, _question: Any, _asked: Any) -> list[dict[str, Any]]:  # type: ignore[override]
        return self._rows


class Away(Desk):
    async def ask(self, _question: Any, _asked: Any) -> dict[str, Any]:
        raise NoAnswerError("the hub's part `delivery` doesn't run")


async def get(desk: Desk, path: str = "/") -> httpx.Response:
    transport = httpx.ASGITransport(make_app(desk, {}, site="lyon", zone=ZoneInfo("Europe/Paris")))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
        return await http.get(path, headers={"accept": "text/html"})


async def page(path: str = "/", **night: Any) -> str:
    answer = await get(Desk(**night), path)
    assert answer.status_code == 200
    return " ".join(answer.text.split())


async def test_nothing_wrong_and_nothing_there() -> None:
    text = await page()
    for said in ("Everything flows", "Nothing waits.", "No routes are declared", "lyon"):
        assert said in text


async def test_a_cause_says_what_to_do_and_offers_it() -> None:
    text = await page(causes=[cause()], causes_total=3, trouble=["240 are parked"], how="bad")
    for said in (
        "1 thing to look at", "240 messages for", '<strong class="late">7 late</strong>', "(and 1 more like it)",
        ">PO-1</a>", "and 238 more", "mend it, then <strong>Retry</strong>", "and 2 more causes",
        'aria-label="Retry: 240 parked for erp"', 'aria-label="Hold: 240 parked for erp"',
        'aria-label="Hand over: 240 parked for erp"',
    ):  # fmt: skip
        assert said in text, said
    assert "Skip:" not in text, "what loses something isn't one of the three safe actions"
    assert HOSTILE not in text


async def test_a_system_that_lacks_something_is_told_of_once_with_who_looks_after_it() -> None:
    away = {
        "target": "mes", "health": "down", "reason": "no answer", "count": 2, "late": 0, "since": AT, "orders": [],
        "orders_total": 0, "objects": {"production_order": 2}, "do": "get mes to answer, or call mes@acme.example",
    }  # fmt: skip
    vault = {"name": "vault", "health": "down", "since": AT, "reason": "gone", "do": "get vault to answer"}
    for path in ("/", "/?wall"):
        text = await page(path, undelivered=[away], systems=[vault], trouble=["mes is down", "vault is down"])
        assert "2 things to look at" in text
        assert "mes is down" not in text, "it is told below, with what to do"
        assert (text.count("no answer"), text.count("get vault to answer")) == (1, 1)
        assert "2 production orders for" in text
        assert "get mes to answer, or call mes@acme.example" in text


async def test_times_are_the_plants() -> None:
    rows = [{"number": 1, "at": AT, "who": "ann", "action": "retry", "target": None, "message_id": None, "why": "-",
             "result": "-"}]  # fmt: skip
    answer = await get(Audited(rows), "/audit")
    assert ">2026-03-02 07:00:00</time>" in answer.text
    assert "Europe/Paris" in answer.text


async def test_a_display_on_the_wall_has_nothing_to_press_that_is_shown() -> None:
    assert '<body class="wall">' in await page("/?wall", causes=[cause()])


async def test_a_hub_that_does_not_answer_is_said_in_words() -> None:
    answer = await get(Away())
    assert answer.status_code == 503
    for said in ("The hub doesn&#39;t answer", "doesn&#39;t run", "Try again"):
        assert said in answer.text
