"""Requests find their answers, whatever the broker or the journal goes through meanwhile."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from freezing import frozen
from patience import until
from sayings import order
from sqlalchemy.exc import OperationalError

from canonical.message import Action, Verb
from mombus.bus.requests import Requests
from mombus.bus.streams import MOM
from mombus.delivery.breaking import break_off
from mombus.journal.journal import Journal
from mombus.journal.requests import Asked
from mombus.ownership.decision import Request


@pytest.fixture
async def journal(tmp_path):
    opened = await Journal.open(f"sqlite:///{tmp_path / 'journal.db'}")
    yield opened
    await opened.close()


async def ask(service: Requests, key: str = "PO-1") -> str:
    request = order(key, source="mes", verb=Verb.PROCESS, revision=0)
    await service.record(Request(request, "erp", timedelta(hours=1)), datetime.now(UTC))
    return request.id


async def answered(service: Requests, id: str) -> bool:
    found = await service.find(id)
    return found is not None and found.state is Asked.ANSWERED


def answer(id: str, key: str = "PO-1"):
    return order(key, verb=Verb.ACKNOWLEDGE, action=Action.ACCEPTED, correlation=id, to="mes", revision=0)


async def test_an_answer_is_heard_though_the_broker_forgot_the_reader_when_it_was_killed(
    broker, bus, journal, tmp_path
):
    service = Requests(bus, journal)
    running = asyncio.gather(*service.running())
    try:
        await until(lambda: _reader(bus))
        with suppress(ProcessLookupError), frozen(broker.pid):
            (remembered,) = (tmp_path / "broker" / "jetstream").rglob("obs/requests")
            shutil.rmtree(remembered)
            os.kill(broker.pid, signal.SIGKILL)
        await until(lambda: bus.link.reconnects)
        id = await ask(service)
        await bus.publish(answer(id))
        await until(lambda: answered(service, id))
    finally:
        running.cancel()


async def _reader(bus) -> bool:
    return bool(await bus.js.consumers_info(MOM))


async def test_a_journal_that_is_busy_ends_neither_hearing_nor_expiring(bus, journal, monkeypatch):
    monkeypatch.setattr("mombus.bus.requests._LOOK_S", 0.05)
    told = []
    service = Requests(bus, journal, observe=told.append)
    really, refused = {"write": journal.write, "read": journal.read}, {"write": 0, "read": 0}

    async def busy(how, work):
        if refused[how] < 3:
            refused[how] += 1
            raise OperationalError("UPDATE", {}, Exception("database is locked"))
        return await really[how](work)

    id = await ask(service)
    late = await ask(service, "PO-2")
    await bus.publish(answer(id))
    for how in really:
        monkeypatch.setattr(journal, how, partial(busy, how))
    running = asyncio.gather(*service.running())
    try:
        await until(lambda: refused == {"write": 3, "read": 3})
        await until(lambda: answered(service, id))
        assert not running.done()
        assert not await answered(service, late)
    finally:
        running.cancel()


async def test_what_the_brokers_client_swallows_is_told_again_to_who_reads_answers(bus, journal, monkeypatch):
    waiting, swallowed = asyncio.Event(), asyncio.Event()

    class Client:
        """As nats-py's on Python 3.11, when a message comes just as it is cancelled."""

        async def fetch(self, *_: Any, **__: Any) -> list[Any]:
            waiting.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if swallowed.is_set():
                    raise
            swallowed.set()
            return []

    async def subscribe(_js: Any) -> Client:
        return Client()

    monkeypatch.setattr("mombus.bus.requests._subscribe", subscribe)
    tasks = [asyncio.create_task(running) for running in Requests(bus, journal).running()]
    await waiting.wait()
    await break_off(*tasks, again_s=0.01)
    assert swallowed.is_set()
    assert all(task.cancelled() for task in tasks)


async def test_everybody_is_told_when_many_requests_expire_at_once(bus, journal):
    service = Requests(bus, journal)
    for number in range(120):
        await ask(service, f"PO-{number}")
    assert await service.expire(datetime.now(UTC) + timedelta(hours=2)) == 120
