"""Three hubs that read one polled source: the one that reads is frozen, then all are restarted one after the other."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx
import psycopg
from books import Books
from counting_target import CountingTarget
from load import SAYS
from patience import PATIENCE_S, until
from proof import Part, Proof
from several_hubs import Plant, broker
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route as Path_

from plant.served import Served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from starlette.requests import Request

LANES, AT_ONCE, EVERY_S = 8, 40, 0.05
TARGETS = ("erp", "wms")


class Polled:
    """An MES that is asked for what is new since a number, and says it as often as it is asked."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.server = Served(Starlette(routes=[Path_("/items", self._since)]))

    async def speak(self) -> None:
        """Say something new in every lane, for ever."""
        while True:
            for lane in range(LANES):
                seq = len(self.rows) + 1
                row = {
                    "id": f"PO-{lane}-{seq:06}",
                    "lane": f"PO-{lane}",
                    "at": datetime.now(UTC).isoformat(),
                    "seq": seq,
                }
                self.rows.append(row)
            await asyncio.sleep(EVERY_S * LANES)

    async def _since(self, request: Request) -> JSONResponse:
        since = int(request.query_params.get("since") or 0)
        return JSONResponse({"items": self.rows[since : since + AT_ONCE]})

    def declared(self) -> dict[str, Any]:
        read = {
            "name": "items", "url": "/items", "items": "items", "bookmark": {"field": "seq", "query": "since"},
            "says": [SAYS],
        }  # fmt: skip
        return {"connector": "rest", "url": self.server.url, "poll_s": 0.05, "reads": [read]}


class Watch:
    """Looks all the time: the bookmark's course, and the longest time in which no target got anything."""

    def __init__(self, store: str, targets: dict[str, CountingTarget]) -> None:
        self._store = store
        self._targets = targets
        self.marks: list[int] = []
        self.gap_s = 0.0

    async def look(self) -> None:
        sizes, since = dict.fromkeys(self._targets, 0), dict.fromkeys(self._targets, time.monotonic())
        async with await psycopg.AsyncConnection.connect(self._store, autocommit=True) as journal:
            while True:
                found = await (await journal.execute("SELECT bookmark FROM bookmarks WHERE system = 'mes'")).fetchone()
                if found is not None and found[0] is not None:
                    self.marks.append(_number(json.loads(found[0])))
                for name, target in self._targets.items():
                    size = target.books.size()
                    if size > sizes[name]:
                        sizes[name], since[name] = size, time.monotonic()
                    self.gap_s = max(self.gap_s, time.monotonic() - since[name])
                await asyncio.sleep(0.02)


def _number(mark: Any) -> int:
    """The number in a stored mark, however deep."""
    if isinstance(mark, dict):
        return max((_number(value) for value in mark.values()), default=0)
    return int(mark) if str(mark).isdigit() else 0


@asynccontextmanager
async def opened(folder: Path, store: str) -> AsyncIterator[tuple[Plant, Polled]]:
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(broker(folder / "nats"))
        source, targets = Polled(), {}
        await source.server.start()
        stack.push_async_callback(source.server.stop)
        for name in TARGETS:
            targets[name] = CountingTarget(Books(folder / f"{name}.db"))
            await targets[name].start()
            stack.push_async_callback(targets[name].stop)
        bus = {"broker": url, "store_user": "postgres", "store": store.replace("postgres:@", "")}
        plant = Plant(folder, bus, targets, source=source.declared())
        yield plant, source
        for hub in plant.hubs:
            hub.signal(signal.SIGKILL)
            await hub.ended()


async def reader(plant: Plant) -> str:
    """Where the hub is that reads, as any that answers says; empty while none does."""
    async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S) as http:
        hubs = (await http.get(f"{plant.alive[0].url}/api/status")).json()["hubs"]
    return next((hub["address"] for hub in hubs if hub["answers"] and "mes" in hub["leases"]), "")


async def test_a_frozen_reader_changes_nothing_back_and_a_rolling_restart_is_hardly_seen(
    tmp_path: Path, postgresql: str, proof: Proof
) -> None:
    async with opened(tmp_path, postgresql) as (plant, source):
        for _ in range(3):
            await plant.add()
        speaking = asyncio.create_task(source.speak())
        await until(lambda: min(target.books.size() for target in plant.targets.values()) > LANES)
        watch = Watch(postgresql, plant.targets)
        looking = asyncio.create_task(watch.look())

        first = await until(lambda: reader(plant))
        (frozen,) = [hub for hub in plant.hubs if hub.url == first]
        plant.remove(frozen)
        frozen.signal(signal.SIGSTOP)

        async def taken_over() -> bool:
            return await reader(plant) not in {"", first}

        await until(taken_over)
        before = len(watch.marks)
        await until(lambda: len(set(watch.marks[before:])) > 3)
        frozen.signal(signal.SIGCONT)
        await frozen.ready()
        plant.alive.append(frozen)
        taken_s, watch.gap_s = watch.gap_s, 0.0

        for hub in plant.hubs:
            assert await hub.stop() == 0
            await hub.start()
            await hub.ready()
        restart_s = watch.gap_s
        print(f"frozen: nothing for {taken_s:.1f} s, restarting: {restart_s:.1f} s")  # noqa: T201 - a measured figure
        speaking.cancel()
        seen = await plant.all_right([row["id"] for row in source.rows])
        assert not looking.done()
        looking.cancel()
        assert watch.marks == sorted(watch.marks), "the bookmark never goes back"
        proof(
            Part.HUB,
            fault="of three hubs with a polled source the one that reads it is frozen, then all are restarted in turn",
            load=f"{len(source.rows)} facts in {LANES} lanes, polled, to each of {len(TARGETS)} targets",
            expected="one document each, in order, and the bookmark never goes back",
            seen=f"nothing for {taken_s:.1f} s while frozen, for {restart_s:.1f} s at most while restarting; {seen}",
        )
