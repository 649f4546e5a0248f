"""Live parts are asked for once for all who look at the same with the same roles, and only while somebody does."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx
import pytest
from housed import csrf, housed, sign_in
from patience import until
from starlette.requests import Request

from mombus.desk.question import QuestionError, Role
from mombus.hub.desk import passwords
from mombus.web import live
from mombus.web.access.visiting import visit_of
from mombus.web.pages import rendering
from plant.served import Served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from housed import Housed


class Ticking:
    """A page whose live part shows a form and says who may see it; `asked` are the roles it was rendered for."""

    def __init__(self, house: Housed) -> None:
        self.house = house
        self.asked: list[frozenset[Role]] = []
        self.wrong = ""
        house.app.get("/ticking")(self.page)

    async def page(self, request: Request):
        async def render() -> str:
            self.asked.append(visit_of(request).person.roles)
            if self.wrong:
                raise QuestionError(self.wrong)
            return str(rendering._around(request)["csrf_field"]())

        return rendering.live(request, render)

    async def cookie(self, name: str) -> tuple[dict[str, str], str]:
        """The cookie of one who signed in, and the token of their forms."""
        async with self.house.browser() as http:
            await sign_in(http, name)
            return {"cookie": f"mombus={http.cookies['mombus']}"}, await csrf(http, "/nowhere")

    @asynccontextmanager
    async def looking(self, http: httpx.AsyncClient, cookie: dict[str, str]) -> AsyncIterator[str]:
        """What the stream says first, while somebody looks."""
        async with http.stream("GET", "/ticking", headers=cookie) as answer:
            async for text in answer.aiter_text():
                yield text
                return


@pytest.fixture
async def ticking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Ticking, httpx.AsyncClient]]:
    """Served, with two engineers and a viewer; asked again in an hour."""
    monkeypatch.setattr(passwords, "LOG_N", 4)
    monkeypatch.setattr(live, "REFRESH_S", 3600)
    async with housed(tmp_path) as house:
        page, server = Ticking(house), Served(house.app)
        for name, role in (("ann", Role.ENGINEER), ("bob", Role.ENGINEER), ("vic", Role.VIEWER)):
            await house.add(name, role)
        await server.start()
        async with httpx.AsyncClient(base_url=server.url, trust_env=False) as http:
            yield page, http
        await server.stop()


async def test_many_look_and_one_asks_and_each_has_a_form_of_their_own(ticking):
    page, http = ticking
    people = [await page.cookie(name) for name in ("ann", "bob", "vic")]
    looking = [page.looking(http, cookie) for cookie, _ in people for _ in range(5)]
    said = await asyncio.gather(*(one.__aenter__() for one in looking))
    tokens = [token for _, token in people for _ in range(5)]
    assert all(f'value="{token}"' in text for text, token in zip(said, tokens, strict=True))
    assert all(live.TOKEN not in text for text in said)
    assert sorted(map(len, page.asked)) == sorted(map(len, ({"engineer"}, {"viewer"}))), "once for each role"
    for one in looking:
        await one.__aexit__(None, None, None)
    await until(lambda: not page.house.app.state.live._parts)


async def test_there_are_so_many_places_and_who_gets_none_is_told(ticking, monkeypatch):
    page, http = ticking
    monkeypatch.setattr(live, "MOST", 3)
    monkeypatch.setattr(live, "MOST_OF_ONE", 2)
    (ann, _), (bob, _) = [await page.cookie(name) for name in ("ann", "bob")]
    async with page.looking(http, ann), page.looking(http, ann) as second:
        assert second.startswith("event: message\n")
        async with page.looking(http, ann) as third:
            assert (third.startswith("retry: 10000\nevent: away\n"), "close some" in third) == (True, True)
        async with page.looking(http, bob), page.looking(http, bob) as full:
            assert "3 live pages are open" in full
        monkeypatch.setattr(live, "MOST_FROM", 2)
        async with page.looking(http, bob) as crowded:
            assert "2 live pages are open from your address" in crowded
    await until(lambda: not page.house.app.state.live._places)
    async with page.looking(http, ann) as again:
        assert again.startswith("event: message\n")


async def test_all_who_look_are_told_what_is_wrong(ticking):
    page, http = ticking
    page.wrong = "the hub is away"
    (ann, _), (bob, _) = [await page.cookie(name) for name in ("ann", "bob")]
    async with page.looking(http, ann) as one, page.looking(http, bob) as other:
        assert one == other == "event: away\ndata: the hub is away\n\n"
    assert len(page.asked) == 1


async def test_a_browser_whose_first_forms_come_by_a_live_part_gets_the_cookie_they_need(tmp_path):
    async with housed(tmp_path) as house:
        page, server = Ticking(house), Served(house.app)
        await server.start()
        async with httpx.AsyncClient(base_url=server.url, trust_env=False) as http:
            async with page.looking(http, {}) as said:
                token = said.partition('value="')[2][:64]
            answer = await http.post("/sign-out", data={"csrf": token}, headers={"origin": server.url})
            assert (answer.status_code, answer.headers.get("location")) == (303, "/sign-in"), answer.text
        await server.stop()
