from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import replace

import pytest
from freezing import frozen
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nats.errors import ConnectionClosedError
from nats_server import nats_server
from patience import PATIENCE_S, until
from proof import Part
from sayings import NOW, material, order

from canonical.isa95.signals import Count, CountReading
from canonical.message import Action, Message, Verb
from canonical.subjects import filter_subject, stored
from mombus.bus.connection import connect
from mombus.bus.embedded import EmbeddedBroker
from mombus.bus.errors import Conflict, NotPermitted, NotStored, StreamGone, TooLarge
from mombus.bus.publishing import Letter
from mombus.bus.streams import DEAD, LATEST, MOM, RAW, SIGNALS, Limits


async def latest(bus, object, key):
    """LATEST follows MOM within milliseconds."""
    found = []

    async def look():
        found[:] = [await bus.latest(object, key, site="lyon")]
        return found[0] is not None

    await until(look)
    return found[0]


async def ids(bus, subject="mom.>"):
    found = []
    total = (await bus.js.stream_info(MOM)).state.messages
    if not total:
        return found
    reader = await bus.js.pull_subscribe(subject, stream=MOM)
    while len(found) < total:
        for message in await reader.fetch(min(500, total - len(found)), timeout=PATIENCE_S):
            found.append(message.headers["ce-id"])
            await message.ack()
    return found


async def test_streams_are_made_once_and_brought_up_to_date(broker, bus):
    created = await bus.stream_created(MOM)
    async with connect(broker.url, limits=Limits(mom_age_s=3600)) as again:
        for name in (MOM, LATEST, SIGNALS, RAW, DEAD):
            assert (await again.js.stream_info(name)).config.name == name
        assert (await again.js.stream_info(MOM)).config.max_age == 3600
        assert await again.stream_created(MOM) == created


async def test_on_a_small_disk_the_streams_that_make_room_get_less(tmp_path):
    config = tmp_path / "nats.conf"
    config.write_text(f'listen: "127.0.0.1:-1"\njetstream {{ store_dir: "{tmp_path}/js", max_file_store: 10GB }}\n')
    async with nats_server(config) as url:
        for _ in range(2):
            async with connect(url, limits=Limits(), timeout_s=10) as bus:
                sizes = [(await bus.js.stream_info(name)).config.max_bytes for name in (SIGNALS, RAW, DEAD)]
                assert sizes == [4 * 1024**3, 2 * 1024**3, 1024**3]
                await bus.publish(order())


async def test_published_is_stored_once_with_its_partition(bus):
    first = await bus.publish(order())
    again = await bus.publish(order())
    assert (first.seq, first.duplicate, again.seq, again.duplicate) == (1, False, 1, True)
    raw = await bus.js.get_msg(MOM, seq=1)
    address, partition = stored(raw.subject)
    assert (address.key, address.lane, address.system) == ("PO-4711", "order:PO-4711", "erp")
    assert 0 <= partition < 16
    assert await bus.at(MOM, 1) == order()


async def test_signals_are_kept_apart(bus):
    reading = CountReading(equipment_id="FILLER1", signal="good", source_time=NOW, count=3)
    signal_ = Message.of(
        "count", Count(equipment_id="FILLER1", reading=(reading,)), source="line1", site="lyon", occurred=NOW,
        recorded=NOW,
    )  # fmt: skip
    assert (await bus.publish(signal_)).stream == SIGNALS
    assert (await bus.js.stream_info(MOM)).state.messages == 0


async def test_latest_is_the_newest_statement_whatever_its_lane(bus):
    await bus.publish(order(text="old", revision=1))
    await bus.publish(order(text="new", revision=2, lanes=("order:elsewhere",)))
    await until(lambda: latest(bus, "production_order", "PO-4711"), good=lambda found: found.revision == 2)
    found = await latest(bus, "production_order", "PO-4711")
    assert found.body.description == "new"
    assert await bus.latest("production_order", "PO-4711", site="lyon", system="mes") is None
    gone = Message.of(
        "production_order", None, source="erp", site="lyon", key="PO-9", lanes=("order:PO-9",), occurred=NOW,
        recorded=NOW, action=Action.DELETE, revision=1,
    )  # fmt: skip
    await bus.publish(gone)
    assert (await latest(bus, "production_order", "PO-9")).action is Action.DELETE


async def test_requests_and_replies_are_no_statements(bus):
    await bus.publish(order(source="mes", verb=Verb.CHANGE))
    await bus.publish(order(verb=Verb.ACKNOWLEDGE, action=Action.ACCEPTED, correlation="x", to="mes"))
    await bus.publish(order("PO-2"))
    await latest(bus, "production_order", "PO-2")
    assert await bus.latest("production_order", "PO-4711", site="lyon") is None


async def test_compare_and_set(bus):
    first = await bus.publish(order(text="1", revision=1), expect=0)
    second = await bus.publish(order(text="2", revision=2), expect=first.seq)
    with pytest.raises(Conflict, match="PO-4711"):
        await bus.publish(order(text="other", revision=3), expect=first.seq)
    again = await bus.publish(order(text="2", revision=2), expect=first.seq)
    assert (again.seq, again.duplicate) == (second.seq, True)


async def test_batch_is_stored_whole(bus):
    messages = [order(f"PO-{n}") for n in range(500)]
    done = await bus.publish_batch(messages)
    assert [s.seq for s in done] == list(range(1, 501))
    assert await ids(bus) == [m.id for m in messages]


async def test_batch_with_known_ids_adds_only_the_rest(bus):
    known = await bus.publish(order("PO-1"))
    done = await bus.publish_batch([order("PO-0"), order("PO-1"), order("PO-2")])
    assert [s.duplicate for s in done] == [False, True, False]
    assert done[1].seq == known.seq
    assert len(await ids(bus)) == 3


async def test_batch_over_the_brokers_limit_is_split(bus):
    done = await bus.publish_batch([order(f"PO-{n}") for n in range(1003)])
    assert [s.seq for s in done] == list(range(1, 1004))


async def test_conflict_in_a_batch_stores_nothing_of_it(bus):
    await bus.publish(order("PO-1"))
    letters = [Letter.of(order("PO-0"), expect=0), Letter.of(order("PO-1", text="mine", revision=7), expect=0)]
    with pytest.raises(Conflict):
        await bus.publish_letters(letters)
    assert (await bus.js.stream_info(MOM)).state.messages == 1


async def test_batch_said_again_after_its_answer_was_lost(bus):
    letters = [Letter.of(order(f"PO-{n}", revision=1), expect=0) for n in range(3)]
    await bus.publish_letters(letters)
    assert [s.duplicate for s in await bus.publish_letters(letters)] == [True] * 3


async def test_too_large_names_the_size(broker, bus):
    async with connect(broker.url, limits=Limits(), largest_body_bytes=1_000_000) as strict:
        with pytest.raises(TooLarge, match=r"\d+ bytes, at most 1000000 are taken") as refused:
            await strict.publish(order(text="x" * 1_100_000))
    assert refused.value.size > refused.value.limit == 1_000_000
    with pytest.raises(TooLarge, match="its headers alone, is"):
        await bus.publish(replace(order(revision=1), reason="x" * 1_100_000))


async def test_deleted_stream_is_told(bus):
    await bus.js.delete_stream(MOM)
    with pytest.raises(StreamGone, match="wiped"):
        await bus.publish(order())
    with pytest.raises(StreamGone):
        await bus.stream_created(MOM)


async def test_full_stream_makes_publishers_wait_until_there_is_room(broker, proof):
    async with connect(broker.url, limits=Limits(mom_bytes=2000)) as bus:
        await bus.publish(order("PO-1", text="x" * 1000))
        waiting = asyncio.create_task(bus.publish(order("PO-2", text="x" * 1000)))
        await until(lambda: "refuses to store" in bus.link.reason)
        assert not waiting.done()
        await bus.js.purge_stream(MOM)
        assert (await waiting).seq == 2
    proof(
        Part.BROKER,
        fault="the stream is full",
        load="2 orders, the second doesn't fit",
        expected="back-pressure: the publisher waits until there is room",
        seen="1 stored, 1 waited; 2 stored at last",
    )


async def test_denied_publish_says_so_at_once(tmp_path):
    config = tmp_path / "nats.conf"
    config.write_text(
        f'listen: "127.0.0.1:-1"\njetstream {{ store_dir: "{tmp_path}/js" }}\n'
        "authorization { users: [ { user: a, password: b, permissions: "
        '{ publish: { deny: ["mom.lyon.material.>"] } } } ] }\n'
    )
    async with (
        nats_server(config) as url,
        connect(url.replace("//", "//a:b@"), limits=Limits(), timeout_s=10) as bus,
    ):
        with pytest.raises(NotPermitted, match=r"mom\.lyon\.material"):
            await bus.publish(material(), deadline_s=PATIENCE_S)
        assert (await bus.publish(order())).seq == 1


async def test_token_and_password_with_odd_characters(tmp_path):
    for number, (authorization, url, extra) in enumerate([
        ('token: "s3cr3t@:/"', "nats://", {"token": "s3cr3t@:/"}),
        ('user: "u:x", password: "p@ss/%"', "nats://u%3Ax:p%40ss%2F%25@", {}),
    ]):  # fmt: skip
        config = tmp_path / f"c{number}.conf"
        config.write_text(f'listen: "127.0.0.1:-1"\nauthorization {{ {authorization} }}\n')
        async with (
            nats_server(config) as address,
            connect(address.replace("nats://", url), timeout_s=10, **extra) as bus,
        ):
            assert bus.link.up


async def test_deadline_while_the_broker_is_frozen_then_recovery(broker, bus):
    with frozen(broker.pid):
        with pytest.raises(NotStored):
            await bus.publish(order("PO-1"), deadline_s=0.3)
        assert bus.link.stalled
        assert "confirms nothing" in bus.link.reason
    assert (await bus.publish(order("PO-1"))).seq == 1
    assert not bus.link.stalled


async def test_killed_broker_loses_nothing_that_was_confirmed(tmp_path, proof):
    async with EmbeddedBroker(tmp_path) as broker, connect(broker.url, limits=Limits()) as bus:
        messages = [order(f"PO-{n}") for n in range(1500)]
        confirmed: list[str] = []

        async def say(message: Message) -> None:
            await bus.publish(message)
            confirmed.append(message.id)

        async def kill() -> None:
            for _ in range(2):
                reached = len(confirmed) + 300
                await until(lambda reached=reached: len(confirmed) >= reached and broker.pid is not None)
                os.kill(broker.pid, signal.SIGKILL)

        await asyncio.wait_for(asyncio.gather(kill(), *(say(message) for message in messages)), PATIENCE_S)
        found = await ids(bus)
        assert sorted(confirmed) == sorted(m.id for m in messages)
        assert sorted(found) == sorted(confirmed), "each one stored, none twice"
    proof(
        Part.BROKER,
        fault="SIGKILL of the broker twice while publishing",
        load=f"{len(messages)} orders at once",
        expected="what is confirmed is stored, once",
        seen=f"{len(confirmed)} confirmed, {len(found)} stored",
    )


HOSTILE = [
    "a.b",
    "*",
    ">",
    "a b",
    "é\u2028é",
    "$JS.API",
    "_",
    "漢字" * 60,
    "a,b%2C",
    '"',
    "{}",
    "\U0001f600",
    "x" * 200,
]


@pytest.mark.parametrize("key", HOSTILE)
async def test_hostile_ids_arrive_as_they_were(bus, key):
    said = order(key)
    done = await bus.publish(said)
    assert await bus.at(MOM, done.seq) == said
    assert await latest(bus, "production_order", said.key) == said
    assert (await bus.last_statement(said))[1] == said


def test_line_breaks_in_ids_never_become_messages():
    with pytest.raises(ValueError, match="control characters"):
        order("PO\r\nNats-Msg-Id: x")


@given(st.text(min_size=1, max_size=40))
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_key_gives_a_subject_of_seven_plain_tokens(key):
    said = Message.of(
        "production_order", None, source="erp", site="lyon", key=key, lanes=(f"order:{key}",), occurred=NOW,
        recorded=NOW,
    )  # fmt: skip
    tokens = said.subject.split(".")
    assert len(tokens) == 7
    assert all(token and not set(token) & set("*> \r\n\t") for token in tokens)
    assert len(filter_subject(key=key).split(".")) == 8


async def test_a_conflict_that_cannot_be_looked_up_is_not_stored_for_now(bus, monkeypatch):
    """The caller keeps the message and says it again; a raw error of the client would have been taken for its own."""
    first = order("PO-1").with_revision(1)
    await bus.publish(first, expect=0)

    async def gone(*_args: object, **_more: object) -> None:
        raise ConnectionClosedError

    monkeypatch.setattr(bus.js, "get_msg", gone)
    with pytest.raises(NotStored, match="didn't say whether it is stored"):
        await bus.publish(order("PO-1").with_revision(2), expect=0)
