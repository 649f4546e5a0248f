"""What is exchanged with the targets is kept within its limits, by a task of its own, and nothing waits for it."""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from patience import PATIENCE_S, until

from connectors.connector import Receipt
from connectors.exchange import Exchange, Noted, hidden
from mombus.delivery.target import Heard
from mombus.hub import overhearing
from mombus.hub.apart.carrying import ONE_MESSAGE, failure, pack_answers, raised, unpack_answers, unpack_noted
from mombus.hub.apart.overheard import heard, told
from mombus.hub.overhearing import Overhearing
from mombus.journal import exchanges
from mombus.journal.exchanges import exchanges_metadata, kept
from mombus.journal.journal import Journal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

NOW = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine takes longer to keep what was just exchanged."""
    monkeypatch.setattr(overhearing, "JUST_S", PATIENCE_S)


def noted(*messages: str, request: bytes = b"{}", **more: Any) -> Noted:
    exchange = Exchange(how="POST http://mes/orders", request=request, request_size=len(request), at=NOW, took_s=0.1)
    return Noted(messages, Exchange(**{name: getattr(exchange, name) for name in Exchange.__slots__} | more), _hide)


def _hide(exchange: Exchange) -> Exchange:
    return hidden(exchange, lambda text: text.replace("s3cret", "***"))


def exchanged(*messages: str, asked: bool = False, attempt: int = 1, **more: Any) -> Heard:
    return Heard(target="mes", asked=asked, attempts=dict.fromkeys(messages, attempt), noted=noted(*messages, **more))


@asynccontextmanager
async def keeping(folder: Path, **limits: Any) -> AsyncIterator[tuple[Overhearing, Journal]]:
    store = await Journal.open(f"sqlite:///{folder / 'exchanges.sqlite'}", schema=exchanges_metadata)
    limits = {"age": timedelta(days=7), "most_bytes": 10_000_000, "clock": lambda: NOW} | limits
    one = Overhearing(store, **limits)
    task = asyncio.create_task(one.run())
    try:
        yield one, store
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await one.close()
        await store.close()


async def test_what_was_exchanged_is_found_by_its_message_in_order_and_after_a_restart(tmp_path: Path) -> None:
    async with keeping(tmp_path) as (one, _):
        one.hear(exchanged("m1", attempt=1, response=b"no", status="422"))
        one.hear(exchanged("m1", "m2", attempt=2, response=b"yes s3cret", status="201"))
        first, second = await one.of("m1", ["mes", "erp"], 10)
        assert [(row.attempt, row.status) for row in (first, second)] == [(1, "422"), (2, "201")]
        one.hear(exchanged("m3"))
    async with keeping(tmp_path) as (one, _):
        assert [row.number for row in await one.of("m1", ["mes"], 10)] == [1, 2]
        assert [row.number for row in await one.of("m1", ["mes"], 1)] == [2]
        assert [row.number for row in await one.of("m3", ["mes"], 1)] == [3], "queued at the stop"
        one.hear(exchanged("m3"))
        assert [row.number for row in await one.of("m3", ["mes"], 9)] == [3, 4]
        assert await one.of("m1", ["erp"], 10) == []


async def test_the_oldest_make_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overhearing, "PAUSE_S", 0)
    async with keeping(tmp_path, most_bytes=200_000) as (one, store):
        for number in range(60):
            one.hear(exchanged(f"m{number}", request=os.urandom(10_000)))

        async def room() -> bool:
            there = await store.read(kept)
            return there.last == 60 and there.bytes <= 200_000

        await until(room)
        assert await one.of("m0", ["mes"], 1) == []
        assert len(await one.of("m59", ["mes"], 1)) == 1


async def test_what_is_too_old_is_forgotten(tmp_path: Path) -> None:
    async with keeping(tmp_path) as (one, _):
        one.hear(exchanged("old", at=NOW - timedelta(days=8)))
        one.hear(exchanged("new"))
        assert len(await one.of("old", ["mes"], 1)) == 1
    async with keeping(tmp_path) as (one, store):

        async def forgotten() -> bool:
            return await one.of("old", ["mes"], 1) == []

        await until(forgotten)
        assert len(await one.of("new", ["mes"], 1)) == 1
        assert 0 < (await store.read(kept)).bytes < 1000


async def test_what_comes_too_fast_is_counted_and_not_kept(tmp_path: Path) -> None:
    counted: Counter[tuple[str, str]] = Counter()
    async with keeping(tmp_path) as (one, _):
        one.count = lambda target, why: counted.update([(target, why)])
        for number in range(overhearing.QUEUED + 5):
            one.hear(exchanged(f"m{number}"))
        assert counted == {("mes", "too much at once"): 5}
        assert one.not_kept(f"m{overhearing.QUEUED}", ["mes", "erp"]) == {"mes": (1, "too much at once")}
        assert one.not_kept("m0", ["mes"]) == {}
        assert len(await one.of("m0", ["mes"], 1)) == 1


async def test_what_the_disk_does_not_take_is_counted_and_what_follows_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_what: Any, **_more: Any) -> None:
        raise OSError("no space left on device")

    async with keeping(tmp_path) as (one, _):
        with monkeypatch.context() as patch:
            patch.setattr(exchanges, "keep", full)
            one.hear(exchanged("m1", "m2"))
            assert await one.of("m1", ["mes"], 1) == []
        assert one.not_kept("m1", ["mes"]) == one.not_kept("m2", ["mes"]) == {"mes": (1, "not written")}
        one.hear(exchanged("m3"))
        assert len(await one.of("m3", ["mes"], 1)) == 1


async def test_what_gets_too_old_is_forgotten_though_nothing_more_is_exchanged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overhearing, "TIDY_S", 0.05)
    now = [NOW]
    async with keeping(tmp_path, clock=lambda: now[0]) as (one, _):
        one.hear(exchanged("m1"))
        assert len(await one.of("m1", ["mes"], 1)) == 1
        now[0] += timedelta(days=8)

        async def forgotten() -> bool:
            return await one.of("m1", ["mes"], 1) == []

        await until(forgotten)


def test_an_exchange_travels_between_processes_without_its_secrets() -> None:
    one = noted("m1", request=b"\x00\xff s3cret", response=b"s3cret", response_size=6, status="200", trouble="s3cret")
    packed = pack_answers([], [one])
    assert b"s3cret" not in packed
    assert unpack_answers(packed) == []
    (back,) = unpack_noted(packed, ["m1", "m2"])
    assert back.hide(back.exchange) == _hide(one.exchange)
    assert unpack_noted(packed, ["m2"]) == [], "about another message than was written"
    failed = failure(ConnectionError("gone"), [one])
    assert len(heard(failed.more["exchanges"], ["m1"])) == 1
    assert str(raised(failed)) == "ConnectionError: gone"


def test_what_was_exchanged_never_makes_an_answer_longer_than_one_message() -> None:
    """An answer in pieces may be lost between them: of what took effect nobody would know then."""
    many = [noted(f"m{at}", request=b"r" * 60_000, response=b"\xff" * 60_000) for at in range(150)]
    ids = [f"m{at}" for at in range(150)]
    packed = pack_answers([Receipt()] * 150, many)
    assert 0.8 * ONE_MESSAGE < len(packed) <= ONE_MESSAGE
    assert [one.messages for one in unpack_noted(packed, ids)] == [(id,) for id in ids], "each is cut, none left out"
    assert unpack_answers(packed) == [Receipt()] * 150
    small = pack_answers([Receipt()], many[:1], 3000)
    assert (len(small) <= 3000, unpack_answers(small)) == (True, [Receipt()])
    (whole,) = unpack_noted(pack_answers([], many[:1]), ids)
    assert whole.exchange.request == b"r" * 60_000
    failed = failure(ConnectionError("gone"), many, 64_000)
    assert len(json.dumps(failed.more)) < 32_000


def test_what_makes_no_sense_is_left_out() -> None:
    good = told(noted("m1"))
    for wrong in (
        {"took_s": float("inf")}, {"request": "*" * 8}, {"request": "a" * 10_000_000}, {"at": "2026-03-02T06:00:00"},
        {"messages": []}, {"request_size": -1}, {"more": 1}, {"how": None},
    ):  # fmt: skip
        assert heard([good | wrong], ["m1"]) == [], wrong
    (once,) = heard([good | {"messages": ["m1", "m1"]}], ["m1"])
    assert once.messages == ("m1",)
    for nonsense in (None, "x", 7, {}, [None], [[]]):
        assert heard(nonsense, ["m1"]) == []
    for data in (b"", b"[]", b"[]\n", b"[]\nnull\n", b"[]\n" + b"[" * 100_000 + b"\n"):
        assert unpack_noted(data, ["m1"]) == []
