"""How often the hub is asked for a live page that many look at, and how late the last of them hears of it.

The pages run on a real server; each viewer has signed in with a session of their own and keeps the systems' page open.
The hub behind is a counter that answers at once. Bare is each viewer asking for themselves once a second.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import httpx

from bench.figure import Aim, Figure
from bench.hub import free_port
from mombus.config.model import Http
from mombus.desk.access import WHO
from mombus.desk.question import Role
from mombus.desk.systems import SYSTEMS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mombus.desk.question import Asked, Question

VIEWERS, ADDRESSES = 200, 4


class Counting:
    """A hub that knows everybody and has no systems. `asked` counts its questions by name."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()

    async def ask(self, question: Question, _asked: Asked) -> Any:
        """As `mombus.desk.question.Desk`."""
        self.asked[question.name] += 1
        if question is WHO:
            return {"needed": True, "person": {"name": "ann", "roles": [Role.VIEWER]}, "account": True}
        return []

    async def ready(self) -> Mapping[str, str]:
        """As there."""
        return {}

    async def metrics(self) -> str:
        """As there."""
        return ""


def run(quick: bool) -> list[Figure]:
    """Questions a second, for the page and for whether the sessions still hold."""
    seconds = 6.0 if quick else 30.0
    asked, heard = asyncio.run(_looked_at(seconds))
    page, who = (asked[question.name] / seconds for question in (SYSTEMS, WHO))
    note = f"{VIEWERS} viewers, {seconds:.0f} s, {heard / seconds / VIEWERS:.2f} events a second each"
    return [
        Figure(
            name="questions for a live page", value=page, unit="/s", bare=float(VIEWERS),
            aim=Aim("value", "most", 2), note=note,
        ),
        Figure(name="questions about its sessions", value=who, unit="/s", bare=float(VIEWERS), note=note),
    ]  # fmt: skip


async def _looked_at(seconds: float) -> tuple[Counter[str], int]:
    """What the hub was asked, and how many events the viewers got, in that time, once all of them look."""
    from mombus.hub.server import Server  # noqa: PLC0415 - heavy
    from mombus.web.app import make_app  # noqa: PLC0415 - the same

    hub, heard, all_look = Counting(), Counter[int](), asyncio.Event()
    server = Server(Http(port=free_port()))
    serving = await server.start(make_app(hub, {}, accounts=True))
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(_client(server.url, f"127.0.0.{n + 2}")) for n in range(ADDRESSES)]
        looking = [
            asyncio.create_task(_look(clients[number % ADDRESSES], number, heard, all_look))
            for number in range(VIEWERS)
        ]  # fmt: skip
        async with asyncio.timeout(60):
            await all_look.wait()
        hub.asked.clear()
        before, began = heard.total(), time.perf_counter()
        await asyncio.sleep(seconds)
        asked, events = hub.asked.copy(), heard.total() - before
        assert time.perf_counter() - began < 2 * seconds, "the machine is too busy to measure that"
        for one in looking:
            one.cancel()
        await asyncio.gather(*looking, return_exceptions=True)
    await server.stop()
    await asyncio.wait([serving])
    return asked, events


def _client(url: str, address: str) -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=None)
    transport = httpx.AsyncHTTPTransport(local_address=address, limits=limits)
    return httpx.AsyncClient(base_url=url, transport=transport, timeout=30)


async def _look(http: httpx.AsyncClient, number: int, heard: Counter[int], all_look: asyncio.Event) -> None:
    async with http.stream("GET", "/live/systems", headers={"cookie": f"mombus={number:043}"}) as answer:
        async for _ in answer.aiter_text():
            heard[number] += 1
            if len(heard) == VIEWERS:
                all_look.set()
