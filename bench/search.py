"""A million messages: how soon the first page of a search is there, a journey, and the status.

The history is in an index and a journal as a hub has them. Each question is answered by the hub's own answers, as
pages, API and commands ask them, without HTTP and the bus; each is asked with other values every time.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from bench.figure import Aim, Figure
from bench.history import END, EVERY, IN_ORDER, MATERIALS, TARGETS, fill
from mombus.desk.messages import MessagesSearch
from mombus.hub.desk.messages import MessagesTopic
from mombus.index.journey import journey
from mombus.index.tables import index_metadata
from mombus.journal import causes, selection
from mombus.journal.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

COUNT = 1_000_000
AIM = Aim("value", "most", 200.0)

Filters = dict[str, Any]


def run(quick: bool) -> list[Figure]:
    """Milliseconds of the first answers."""
    count, rounds = (20_000, 5) if quick else (COUNT, 30)
    return asyncio.run(_measured(count, rounds))


async def _measured(count: int, rounds: int) -> list[Figure]:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        index = await Journal.open(f"sqlite:///{folder / 'index.sqlite'}", schema=index_metadata)
        stack.push_async_callback(index.close)
        journal = await Journal.open(f"sqlite:///{folder / 'journal.sqlite'}")
        stack.push_async_callback(journal.close)
        begin = time.perf_counter()
        await fill(index, journal, count)
        filled_s = time.perf_counter() - begin
        size_mb = await asyncio.to_thread(_size_mb, folder)
        topic = MessagesTopic(config=_config(), bus=_quiet_bus(count), journal=journal, index=index)
        figures = [
            await _figure(name, count, rounds, partial(_search, topic, make), f"{make(random.Random(1))}")  # noqa: S311
            for name, make in SEARCHES(count).items()
        ]
        now = END
        look = partial(causes.causes, now=now, shown=3, each=3)
        groups = partial(selection.groups, selection=selection.Selection(), now=now)
        figures += [
            await _figure("journey of an order", count, rounds, lambda chance: journey(
                index, journal, f"PO-{chance.randrange(count // IN_ORDER):06}"), ""),
            await _figure("what waits, by cause", count, rounds, lambda _: journal.survey(look), ""),
            await _figure("flows and what waits, for status", count, rounds, lambda _: journal.survey(groups), ""),
        ]  # fmt: skip
    note = f"made in {filled_s:.0f} s"
    return [*figures, Figure(name=f"index of {count:,} messages", value=size_mb, unit="MiB", note=note)]


def SEARCHES(count: int) -> dict[str, Callable[[random.Random], Filters]]:  # noqa: N802 - a table
    """What is asked, made anew each time."""

    def hour(chance: random.Random) -> Filters:
        since = END - EVERY * chance.randrange(count // 2, count)
        return {"since": since.isoformat(), "until": (since + timedelta(hours=1)).isoformat()}

    def order(chance: random.Random) -> str:
        return f"PO-{chance.randrange(count // IN_ORDER):06}"

    return {
        "no filter": lambda _: {},
        "the last page": lambda chance: {"before": chance.randrange(2, count)},
        "an order": lambda chance: {"order": [order(chance)]},
        "a document": lambda chance: {"document": [f"49{chance.randrange(count) // 25 * 25 + 2:08}"]},
        "a material, delivered": lambda c: {"material": [f"FG-{c.randrange(MATERIALS)}"], "state": ["delivered"]},
        "a system in an hour": lambda chance: {"system": [chance.choice(TARGETS)], **hour(chance)},
        "rejected": lambda _: {"state": ["rejected"]},
        "rejected at a target": lambda chance: {"state": ["rejected"], "target": [chance.choice(TARGETS)]},
        "waiting": lambda _: {"state": ["waiting"]},
        "tried four times": lambda _: {"attempts": 4},
        "a route": lambda _: {"route": "production_response>erp"},
        "common words": lambda _: {"text": "spring water"},
        "a rare word": lambda chance: {"text": f"n{chance.randrange(4999)}"},
        "the beginning of a word": lambda chance: {"text": f"{order(chance)[:7]}*"},
        "a common word in an order": lambda chance: {"text": "water", "order": [order(chance)]},
        "a common word, rejected": lambda _: {"text": "water", "state": ["rejected"]},
        "a common word in an hour": lambda chance: {"text": "water", **hour(chance)},
        "common ones that fit together": lambda _: {
            "object": ["production_response"], "equipment": ["LINE3"], "target": ["erp"], "state": ["delivered"],
        },
        "common ones that exclude each other": lambda _: {"source": ["erp"], "target": ["wms"], "text": "water"},
    }  # fmt: skip


async def _search(topic: MessagesTopic, make: Callable[[random.Random], Filters], chance: random.Random) -> None:
    await topic.search(MessagesSearch.model_validate(make(chance)))


async def _figure(
    name: str, count: int, rounds: int, ask: Callable[[random.Random], Awaitable[Any]], note: str
) -> Figure:
    """The 99th percentile, which is the slowest of so few, with the median in its note."""
    chance = random.Random(name)  # noqa: S311 - the same questions every time
    taken = []
    for _ in range(rounds):
        begin = time.perf_counter()
        await ask(chance)
        taken.append((time.perf_counter() - begin) * 1000)
    taken.sort()
    said = f"p50 {taken[len(taken) // 2]:.0f} ms{f', such as {note}' if note else ''}"
    return Figure(name=f"{name}, {count:,} messages, p99", value=taken[-1], unit="ms", aim=AIM, note=said)


def _size_mb(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.glob("index.sqlite*")) / 2**20


def _config() -> Any:
    return SimpleNamespace(
        systems=dict.fromkeys(TARGETS), plant=SimpleNamespace(timezone=ZoneInfo("Europe/Paris"))
    )  # fmt: skip


def _quiet_bus(count: int) -> Any:
    """A broker that has stored nothing more than is indexed: how long it takes to say so isn't measured here."""

    async def stream_info(_name: str) -> Any:
        return SimpleNamespace(state=SimpleNamespace(last_seq=count))

    return SimpleNamespace(js=SimpleNamespace(stream_info=stream_info))
