"""A target gets another number of shards: its new inboxes go on where the old ones were."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from canonical.subjects import PARTITIONS, Address, partition, stored, subject
from mombus.bus.connection import connect
from mombus.bus.embedded import EmbeddedBroker
from mombus.bus.streams import Limits
from mombus.journal import deliveries, leases, replays, sharding
from mombus.journal.deliveries import starts
from mombus.journal.inboxes import inboxes_of
from mombus.journal.journal import Journal
from mombus.journal.leases import Presence
from mombus.journal.replays import Manner, Progress, Replay
from mombus.journal.upsert import upsert

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

WHOLE, SHARDS = inboxes_of("erp", 1), inboxes_of("erp", PARTITIONS)


def begun(inbox: str, from_seq: int, *, fresh: bool) -> dict[str, object]:
    return {"inbox": inbox, "what": "route:lot", "from_seq": from_seq, "from_time": None, "fresh": fresh}


def replay(inbox: str, position: int, progress: Progress) -> Replay:
    return Replay(
        id="replay-1", inbox=inbox, selection="{}", manner=Manner.MISSING, who="ada", why="test",
        begun=datetime.now(UTC), total=9, upto=90, position=position, fates={"sent": position}, progress=progress,
        ended=None if progress is Progress.RUNNING else datetime.now(UTC),
    )  # fmt: skip


async def test_the_partition_of_a_lane_is_the_brokers(tmp_path: Path) -> None:
    lanes = [f"order:PO-{number}" for number in range(40)] + ["lot:é/1", "x" * 300]
    async with EmbeddedBroker(tmp_path / "broker") as broker, connect(broker.url, limits=Limits()) as bus:
        for lane in lanes:
            ack = await bus.js.publish(subject(Address("lyon", "lot", "sync", "mes", lane, "k")), b"{}")
            message = await bus.js.get_msg("MOM", ack.seq)
            assert int(message.subject.split(".")[5]) == partition(lane), lane
    assert len({partition(lane) for lane in lanes}) == PARTITIONS
    assert stored(message.subject.replace(message.subject.split(".")[6], "a"))[1] == partition("x" * 300)


async def test_every_shard_goes_on_where_the_whole_was_and_back_where_the_last_shard_was(store: str) -> None:
    journal = await Journal.open(store)

    def give(connection: Connection) -> None:
        deliveries.settle(connection, "erp", 70)
        deliveries.settle(connection, "erp-2", 5)
        upsert(connection, starts, [begun("erp", 31, fresh=True)])
        replays.begin(connection, replay("erp", 8, Progress.RUNNING))
        sharding.arrange(connection, "erp", SHARDS)

    await journal.write(give)
    assert await journal.read(lambda c: sharding.noted(c, "erp")) == set(SHARDS)
    assert {await journal.read(lambda c, one=one: deliveries.position(c, one)) for one in SHARDS} == {70}
    rows = await journal.read(replays.rows)
    assert [(row.target, row.position) for row in rows] == [("erp", 8)] * PARTITIONS
    assert sum(row.fates.get("sent", 0) for row in rows) == 8

    def back(connection: Connection) -> list[dict[str, object]]:
        deliveries.settle(connection, "erp:3", 50)
        deliveries.settle(connection, "erp:4", 90)
        upsert(connection, starts, [begun("erp:3", 40, fresh=False), begun("erp:4", 35, fresh=True)])
        for number, inbox in enumerate(SHARDS):
            replays.begin(connection, replay(inbox, 9 + number, Progress.DONE if number else Progress.RUNNING))
        sharding.arrange(connection, "erp", WHOLE)
        return [dict(row) for row in connection.execute(starts.select()).mappings()]

    assert await journal.write(back) == [begun("erp", 31, fresh=True)]
    assert await journal.read(lambda c: deliveries.position(c, "erp")) == 50
    assert await journal.read(lambda c: deliveries.position(c, "erp-2")) == 5, "another target, in spite of its name"
    (row,) = await journal.read(replays.rows)
    assert (row.inbox, row.position, row.progress) == ("erp", 9, Progress.RUNNING)
    await journal.close()


async def test_nobody_has_the_whole_and_a_shard_at_the_same_time(postgresql: str) -> None:
    journal = await Journal.open(postgresql)

    async def take(hub: str, name: str, ttl_s: float = 60.0) -> int | None:
        return await journal.write(lambda c: leases.take(c, hub, name, ttl_s))

    assert await take("a", "erp") == 1
    assert (await take("b", "erp:3"), await take("b", "erp:source")) == (None, None)
    assert await take("b", "erp-2:3") == 1
    await journal.write(lambda c: leases.let_go(c, "a", "erp", 1))
    assert await take("b", "erp:3", ttl_s=0.0) == 1
    assert await take("a", "erp") == 2, "the shard's lease ran out"
    await journal.write(lambda c: leases.renew(c, "b", Presence(address="http://b", plan="p"), 0, ["erp:3"], 60.0))
    held = {one.name: one.live for one in await journal.read(leases.standing)}
    assert held == {"erp": True, "erp-2:3": True, "erp:3": False}, "it is over for good"
    await journal.close()
