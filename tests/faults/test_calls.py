"""Calls between parts of a hub over a line that holds them back: what was given up is never done later."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Any

import nats
import pytest
from broker_process import BrokerProcess
from line import Line
from patience import until

from mombus.bus.calls import answerer, framing
from mombus.bus.calls import caller as asking
from mombus.bus.calls.answerer import Answerer
from mombus.bus.calls.caller import Caller
from mombus.bus.calls.framing import Call
from mombus.bus.errors import AnswerLost, NobodyAnswers

if TYPE_CHECKING:
    from nats.aio.msg import Msg


class HeldUp(Caller):
    """Before its last frame is sent the line falls silent."""

    line: Line
    silent = False

    async def _send_last(self, *of: Any) -> Msg:
        if self.silent:
            self.line.silence()
        return await super()._send_last(*of)


@pytest.mark.parametrize("frame", ["first", "last"])
async def test_what_was_held_up_on_its_way_until_its_caller_gave_up_is_not_done(tmp_path, monkeypatch, frame):
    monkeypatch.setattr(asking, "LOOK_S", 0.1)
    monkeypatch.setattr(asking, "LOST_S", 1.0)
    monkeypatch.setattr(answerer, "FRESH_S", 0.5)
    monkeypatch.setattr(framing, "FRAME_S", 1.0)
    done: list[bytes] = []

    async def answer(call: Call) -> bytes:
        done.append(call.content)
        return call.content

    async with AsyncExitStack() as stack:
        broker = BrokerProcess(tmp_path / "broker")
        await broker.start()
        stack.push_async_callback(broker.kill)
        line = await stack.enter_async_context(Line(int(broker.url.rpartition(":")[2])))
        here = await nats.connect(broker.url)
        stack.push_async_callback(here.close)
        there = await nats.connect(f"nats://127.0.0.1:{line.port}")
        stack.push_async_callback(there.close)
        await Answerer(there, "calls", answer).start("erp")
        caller = HeldUp(here, "calls", "nobody is there")
        caller.line = line
        await until(lambda: answered(caller, b"1"))
        if frame == "first":
            line.silence()
        caller.silent = True
        with pytest.raises(NobodyAnswers if frame == "first" else AnswerLost):
            await caller.call("erp", "write", b"2", once=True)
        caller.silent = False
        line.heal()
        await until(lambda: answered(caller, b"3"))
        assert set(done) == {b"1", b"3"}


async def answered(caller: Caller, content: bytes) -> bool:
    """Whether a call was answered; on a busy machine it may take longer than callers wait here."""
    with suppress(NobodyAnswers, AnswerLost):
        return await caller.call("erp", "write", content, once=True) == content
    return False


async def test_a_call_without_content_is_done_once_as_well(tmp_path):
    async def answer(call: Call) -> bytes:
        return call.name.encode()

    broker = BrokerProcess(tmp_path / "broker")
    await broker.start()
    client = await nats.connect(broker.url)
    try:
        await Answerer(client, "calls", answer).start("erp")
        caller = Caller(client, "calls", "nobody is there")
        many = [caller.call("erp", "write", b"x" * n, once=True) for n in range(40)]
        assert await asyncio.gather(*many) == [b"write"] * 40
    finally:
        await client.close()
        await broker.kill()
