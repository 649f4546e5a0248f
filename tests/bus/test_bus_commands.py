from __future__ import annotations

import asyncio
import json
from decimal import Decimal

import pytest
from patience import PATIENCE_S, until

from connectors.protocols.nats.arrival import arrived
from mombus.bus.advisories import watch_advisories
from mombus.bus.commands import command_subject, listen, pass_on
from mombus.bus.streams import MOM


async def ask(bus, name, body: bytes):
    reply = await bus.client.request(command_subject("lyon", name), body, timeout=PATIENCE_S)
    return json.loads(reply.data)


TOGETHER = 6
"""How many slow commands are asked at once: none is answered before all have come."""


@pytest.fixture
async def asked(bus):
    """The commands that were asked; `told` in it is what was observed."""
    questions = []

    async def answer(name, question):
        questions.append((name, dict(question)))
        match name:
            case "bad":
                raise ValueError("say why")
            case "broken":
                raise RuntimeError("bug")
            case "talkative":
                return "x" * 2_000_000
            case "slow":
                await until(lambda: questions.count(("slow", {})) == TOGETHER)
        return {"name": name}

    await listen(bus, site="lyon", answer=answer, observe=lambda text: questions.append(("told", text)))
    return questions


async def test_a_command_is_answered_with_its_result(bus, asked):
    assert await ask(bus, "status", b'{"who": "ann"}') == {"result": {"name": "status"}}
    assert await ask(bus, "status", b"") == {"result": {"name": "status"}}
    assert asked == [("status", {"who": "ann"}), ("status", {})]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"12", "JSON object"),
        (b"[", "Expecting"),
        (b"[" * 60_000, "deep"),
        (b'{"x": "' + b"x" * 70_000, "at most"),
        (b'{"x": NaN}', "NaN"),
        (b'{"x": 1, "x": 2}', "twice"),
        (b'{"x": ' + b"9" * 4000 + b"}", "4000 digits"),
    ],
    ids=["digits", "broken", "deep", "large", "NaN", "twice", "long integer"],
)
async def test_hostile_questions_get_a_clear_error(bus, asked, body, why):
    assert why in (await ask(bus, "status", body))["error"]
    assert asked == []


async def test_errors_are_told_and_the_listening_goes_on(bus, asked):
    assert await ask(bus, "bad", b"{}") == {"error": "say why"}
    assert await ask(bus, "broken", b"{}") == {"error": "RuntimeError: bug"}
    assert ("told", "command broken failed: RuntimeError: bug") in asked
    assert "result" in await ask(bus, "status", b"{}")


async def test_an_answer_too_large_for_the_broker_says_so(bus, asked):
    assert await ask(bus, "talkative", b"{}") == {"error": "the answer has 2000014 bytes, the broker carries 1048576"}


async def test_what_is_passed_on_to_another_hub_and_what_it_answers_are_as_they_were_said(bus):
    async def answer(_name, question):
        return {"calm_s": 0.25, "within": 1 < question["within_s"] < 2}

    await listen(bus, site="lyon", answer=answer, hub="b")
    told = await pass_on(bus, site="lyon", name="share", question={"within_s": Decimal("1.5")}, hub="b")
    assert json.dumps(told) == '{"calm_s": 0.25, "within": true}'


async def test_commands_do_not_wait_for_each_other(bus, asked):
    await asyncio.gather(*(ask(bus, "slow", b"{}") for _ in range(TOGETHER)))


async def test_nobody_makes_the_hub_publish_on_the_bus(bus, asked):
    owners = "mom.lyon.material.sync.erp.material:X.X"
    await bus.client.publish(command_subject("lyon", "status"), b"{}", reply=owners)
    await bus.client.publish(command_subject("lyon", "status"), b"{}")
    await until(lambda: len(asked) == 2)
    await arrived(bus.client)
    assert (await bus.js.stream_info(MOM)).state.messages == 0


async def test_the_broker_tells_of_a_deleted_consumer_and_stream(bus):
    told = []
    await watch_advisories(bus, told.append, grace_s=0.1)
    await bus.js.add_consumer(MOM, durable_name="to-mes", ack_policy="explicit")
    await bus.js.delete_consumer(MOM, "to-mes")
    await until(lambda: told)
    await bus.js.delete_stream(MOM)
    await until(lambda: len(told) >= 2)
    assert told[0] == "the consumer to-mes of MOM was deleted, and isn't made again"
    assert "the stream MOM was deleted" in told


async def test_readers_that_come_and_go_are_nobodys_alarm(bus):
    """A target's consumer that is made again was deleted to be read from another place; others aren't the hub's."""
    told = []
    await watch_advisories(bus, told.append, grace_s=2.0)
    for name in ("x8QzR2", "to-erp"):
        await bus.js.add_consumer(MOM, durable_name=name, ack_policy="explicit")
        await bus.js.delete_consumer(MOM, name)
    await bus.js.add_consumer(MOM, durable_name="to-erp", ack_policy="explicit")
    await bus.js.add_consumer(MOM, durable_name="to-last", ack_policy="explicit")
    await bus.js.delete_consumer(MOM, "to-last")
    await until(lambda: told)
    assert told == ["the consumer to-last of MOM was deleted, and isn't made again"]
