"""MOM near its size limit: history that everybody has makes room; what somebody has still to get never does."""

from __future__ import annotations

import pytest
from nats.js.api import AckPolicy, ConsumerConfig
from patience import PATIENCE_S, until
from sayings import material

from mombus.bus.connection import connect
from mombus.bus.errors import StreamFull
from mombus.bus.room import Room, make_room
from mombus.bus.streams import Limits

LIMIT = 100_000


@pytest.fixture
async def small(broker):
    async with connect(broker.url, limits=Limits(mom_bytes=LIMIT)) as bus:
        yield bus


async def fill(bus) -> int:
    number = 0
    while (await bus.js.stream_info("MOM")).state.bytes < 0.92 * LIMIT:
        number += 10
        await bus.publish_batch([material(f"M-{number + n}", "x" * 500) for n in range(10)], deadline_s=PATIENCE_S)
    return (await bus.js.stream_info("MOM")).state.messages


async def made(bus) -> Room:
    """The room that is made once LATEST has what MOM has."""
    found: list[Room] = []

    async def dropped() -> int:
        found.append(await make_room(bus.js))
        return found[-1].dropped

    await until(dropped)
    return found[-1]


async def durable(bus, name: str):
    config = ConsumerConfig(durable_name=name, filter_subject="mom.lyon.material.>", ack_policy=AckPolicy.EXPLICIT)
    await bus.js.add_consumer("MOM", config)
    return await bus.js.pull_subscribe_bind(name, "MOM")


async def test_with_room_nothing_is_dropped(small):
    await small.publish(material("M-1"))
    room = await make_room(small.js)
    assert (room.dropped, room.full) == (0, False)


async def test_the_oldest_that_everybody_has_make_room(small):
    reader = await durable(small, "to-mes")
    count = await fill(small)
    for message in await reader.fetch(count, timeout=PATIENCE_S):
        await message.ack_sync()
    room = await made(small)
    assert 0 < room.dropped < count // 4
    state = (await small.js.stream_info("MOM")).state
    assert (state.first_seq, state.last_seq) == (room.dropped + 1, count)
    assert (await small.latest("material", "M-10", site="lyon")).key == "M-10"
    await small.publish(material("M-9999", "x" * 500), deadline_s=PATIENCE_S)


async def test_what_a_target_has_still_to_get_stays_and_the_stream_says_whose_it_is(small):
    reader = await durable(small, "to-mes")
    count = await fill(small)
    for message in await reader.fetch(3, timeout=PATIENCE_S):
        await message.ack_sync()
    assert (await made(small)).dropped == 3
    room = await make_room(small.js)
    assert (room.full, room.kept_for) == (True, "to-mes")
    assert (await small.js.stream_info("MOM")).state.messages == count - 3
    with pytest.raises(StreamFull):
        for number in range(100):
            await small.publish(material(f"N-{number}", "x" * 500), deadline_s=5)
    assert (await small.js.stream_info("MOM")).state.first_seq == 4
