"""What is of no use any more is forgotten; what is open, unanswered or still in the stream stays."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from hub_plant import Owner, Quiet, config, order, wire
from patience import until
from sqlalchemy import func, select

from canonical.message import Verb
from mombus.bus.connection import connect
from mombus.bus.embedded import EmbeddedBroker
from mombus.bus.intake import Intake
from mombus.bus.requests import Requests
from mombus.bus.streams import CLAIMS, MOM, Limits
from mombus.hub import housekeeping as module
from mombus.hub.housekeeping import Housekeeping
from mombus.hub.hub import open_hub
from mombus.index.feeder import Feeder
from mombus.index.tables import index_metadata, messages, refs
from mombus.journal import bulk, deliveries, disagreements, parked, replays, requests
from mombus.journal.journal import Journal
from mombus.journal.parked import Parked, ParkedItem
from mombus.journal.requests import OpenRequest
from mombus.ownership.aliases import Aliases
from mombus.ownership.owners import Owners

NOW = datetime(2026, 6, 1, tzinfo=UTC)
YEAR = timedelta(days=365)
MOM_DAYS = 90


class House:
    """A journal and an index with a broker, and the one who keeps them."""

    def __init__(self, bus, journal: Journal, index: Journal, folder) -> None:
        self.bus, self.journal, self.index = bus, journal, index
        self.now = NOW
        plant = config(folder, "erp", owns={"production_order": "erp"})
        aliases = Aliases({}, journal)
        intake = Intake(
            bus=bus, journal=journal, owners=Owners(plant.objects, ()), aliases=aliases,
            requests=Requests(bus, journal), site="lyon",
        )  # fmt: skip
        self.keeper = Housekeeping(
            bus=bus, journal=journal, index=index, aliases=aliases, intake=intake, clock=lambda: self.now
        )

    async def ids(self, table, column: str = "id") -> set:
        return set(await self.journal.read(lambda c: c.execute(select(table.c[column])).scalars().all()))

    async def indexed(self) -> tuple[set[int], set[int]]:
        rows = [
            await self.index.read(lambda c, table=table: c.execute(select(table.c.seq)).scalars().all())
            for table in (messages, refs)
        ]
        return set(rows[0]), set(rows[1])


@pytest.fixture
async def house(tmp_path):
    limits = Limits(mom_age_s=MOM_DAYS * 86_400.0)
    async with EmbeddedBroker(tmp_path / "broker") as broker, connect(broker.url, limits=limits) as bus:
        journal = await Journal.open(f"sqlite:///{tmp_path / 'journal.db'}")
        index = await Journal.open(f"sqlite:///{tmp_path / 'index.db'}", schema=index_metadata)
        yield House(bus, journal, index, tmp_path)
        await journal.close()
        await index.close()


def outcome(id: str, *, days: float, **more: object) -> dict[str, object]:
    return {
        "target": "mes", "message_id": id, "seq": 1, "object": "production_order", "key": "PO-1",
        "outcome": "delivered", "at": NOW - timedelta(days=days), "document": None, "replied": True,
    } | more  # fmt: skip


async def test_outcomes_are_kept_as_long_as_their_messages_can_come_again(house, monkeypatch):
    monkeypatch.setattr(module, "AT_ONCE", 2)
    rows = [
        outcome("young", days=1), outcome("in the stream", days=MOM_DAYS), outcome("in the margin", days=MOM_DAYS + 6),
        outcome("old", days=MOM_DAYS + 8), outcome("older", days=500, outcome="superseded"),
        outcome("oldest", days=600, outcome="rejected"), outcome("elsewhere", days=600, target="erp"),
        outcome("in flight", days=500, outcome="intent"), outcome("not told", days=500, replied=False),
    ]  # fmt: skip
    await house.journal.write(lambda c: [deliveries.settle(c, target, 1) for target in ("mes", "erp")])
    await house.journal.write(lambda c: deliveries.record(c, rows))
    await house.keeper.tidy()
    kept = {"young", "in the stream", "in the margin", "in flight", "not told"}
    assert await house.ids(deliveries.deliveries, "message_id") == kept
    house.now += timedelta(days=10)
    await house.keeper.tidy()
    assert await house.ids(deliveries.deliveries, "message_id") == {"young", "in flight", "not told"}


async def test_without_an_age_limit_the_first_message_says_what_is_gone(house):
    """Somebody else's broker may have a MOM without one, that makes room by its size."""
    stream = await house.bus.js.stream_info(MOM)
    await house.bus.js.update_stream(stream.config.evolve(max_age=0))
    await house.bus.publish(order("PO-1", "x" * 1_500_000, revision=1))
    await house.bus.publish(order("PO-1", "y" * 1_500_000, revision=2))

    async def said() -> bool:
        found = await house.bus.latest("production_order", "PO-1", site="lyon")
        return found is not None and found.revision == 2

    await until(said)
    now = datetime.now(UTC)
    rows = [outcome("gone", days=0, at=now - timedelta(days=8)), outcome("near", days=0, at=now - timedelta(days=6))]
    await house.journal.write(lambda c: deliveries.settle(c, "mes", 1))
    await house.journal.write(lambda c: deliveries.record(c, rows))
    house.now = now + timedelta(days=900)
    await house.keeper.tidy()
    assert await house.ids(deliveries.deliveries, "message_id") == {"near"}
    assert (await house.bus.js.stream_info(CLAIMS)).state.messages == 4, "the stream has both messages"


async def test_ended_replays_and_bulk_actions_are_kept_for_a_year(house):
    old, young = NOW - YEAR - timedelta(days=1), NOW - timedelta(days=364)

    def work(connection) -> None:
        for name, ended in (("old", old), ("young", young), ("running", None)):
            action = bulk.Action(
                id=name, command="skip", who="ann", why="a test", selection="all", state=bulk.Bulk.RUNNING, begun=old
            )
            bulk.begin(connection, action, [("mes", f"of {name}")])
            replays.begin(connection, replays.Replay(
                id=name, inbox="mes", selection="{}", manner=replays.Manner.MISSING, who="ann", why="a test",
                begun=old, total=1, upto=1, position=0, fates={}, progress=replays.Progress.RUNNING,
            ))  # fmt: skip
            if ended is not None:
                bulk.end(connection, name, bulk.Bulk.DONE, ended)
                connection.execute(replays.replays.update().where(replays.replays.c.id == name).values(ended=ended))

    await house.journal.write(work)
    await house.keeper.tidy()
    assert await house.ids(bulk.actions) == {"young", "running"}
    assert await house.ids(bulk.chosen, "subject") == {"of young", "of running"}
    assert await house.ids(replays.replays) == {"young", "running"}


async def test_a_stream_without_an_age_limit_keeps_all_outcomes(house):
    stream = await house.bus.js.stream_info(MOM)
    await house.bus.js.update_stream(stream.config.evolve(max_age=0))
    await house.journal.write(lambda c: deliveries.settle(c, "mes", 1))
    await house.journal.write(lambda c: deliveries.record(c, [outcome("old", days=900)]))
    await house.keeper.tidy()
    assert await house.ids(deliveries.deliveries, "message_id") == {"old"}


def asked(id: str, age: timedelta) -> OpenRequest:
    return OpenRequest(
        id=id, asker="mes", owner="erp", object="production_order", verb=Verb.PROCESS, key="PO-1", site="lyon",
        lanes="PO-1", asked=NOW - age, expires=NOW - age,
    )  # fmt: skip


async def test_requests_are_kept_for_a_year_after_their_end_and_open_ones_for_ever(house):
    old = YEAR + timedelta(days=2)

    def work(connection) -> None:
        for name in ("answered", "told", "not told", "open"):
            requests.record(connection, asked(name, old))
        requests.record(connection, asked("lately", timedelta(days=300)))
        for name in ("answered", "lately"):
            requests.answer(connection, name, owner="erp", action="Accepted", reason=None, document=None, now=NOW - old)
        for name in ("told", "not told"):
            connection.execute(
                requests.requests.update()
                .where(requests.requests.c.id == name)
                .values(state="expired", ended=NOW - old)
            )
        requests.told(connection, "told", NOW - old)

    await house.journal.write(work)
    await house.keeper.tidy()
    assert await house.ids(requests.requests) == {"lately", "not told", "open"}


async def test_what_is_closed_is_kept_for_a_year_and_what_is_open_for_ever(house):
    old, young = NOW - YEAR - timedelta(days=1), NOW - timedelta(days=364)

    def work(connection) -> None:
        for name in ("old", "young", "open"):
            parked.keep(connection, ParkedItem(
                id=name, system="mes", kind=Parked.FAULT, place="1", reason="bad", message=None, content=b"x",
                missing=None, since=old,
            ))  # fmt: skip
            disagreements.note(
                connection, object="material", key=name, system="mes", owner="erp", said=b"{}", owner_says=None,
                fields=(), message_id="m", now=old,
            )  # fmt: skip
        for name, closed in (("old", old), ("young", young)):
            parked.close(connection, name, how="seen", now=closed)
            disagreements.close(connection, "material", name, how="seen", now=closed)

    await house.journal.write(work)
    await house.keeper.tidy()
    assert await house.ids(parked.parked) == {"young", "open"}
    assert await house.ids(disagreements.disagreements, "key") == {"young", "open"}


async def test_a_body_kept_apart_is_dropped_with_its_message_unless_it_is_the_latest_word(house):
    for revision, text in enumerate(("x", "y"), 1):
        await house.bus.publish(order("PO-1", text * 1_500_000, revision=revision))

    async def said() -> bool:
        found = await house.bus.latest("production_order", "PO-1", site="lyon")
        return found is not None and found.revision == 2

    await until(said)
    for days, parts in ((0, 4), (MOM_DAYS + 6, 4), (MOM_DAYS + 8, 2)):
        house.now = datetime.now(UTC) + timedelta(days=days)
        await house.keeper.tidy()
        assert (await house.bus.js.stream_info(CLAIMS)).state.messages == parts
    latest = await house.bus.latest("production_order", "PO-1", site="lyon")
    assert (await house.bus.whole(latest)).body.description == "y" * 1_500_000


async def test_the_index_forgets_what_the_stream_does_not_keep(house, monkeypatch):
    monkeypatch.setattr(module, "AT_ONCE", 2)
    for n in range(1, 9):
        await house.bus.publish(order(f"PO-{n}", revision=1))
    feeder = asyncio.create_task(Feeder(house.bus.js, house.index, lambda _m, _at: None).run())

    async def all_read() -> bool:
        return len((await house.indexed())[0]) == 8

    await until(all_read)
    feeder.cancel()
    await house.keeper.tidy()
    assert len((await house.indexed())[0]) == 8
    await house.bus.js.purge_stream(MOM, seq=6)
    await house.keeper.tidy()
    assert await house.indexed() == ({6, 7, 8}, {6, 7, 8})


async def test_numbers_that_were_passed_over_are_learned(house):
    await house.journal.write(lambda c: deliveries.settle(c, "mes", 1))
    await house.journal.write(lambda c: deliveries.record(c, [outcome("m", days=0, document="4500")]))
    await house.keeper.tidy()
    assert await Aliases({}, house.journal).documents("mes", "production_order", "PO-1") == ["4500"]


async def test_a_running_hub_tidies_by_itself(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "FIRST_S", 0.01)
    monkeypatch.setattr(module, "EVERY_S", 0.05)
    wire(monkeypatch, {"mes": Quiet(), "erp": Owner()})
    async with open_hub(config(tmp_path, "mes", "erp", owns={"production_order": "erp"})):
        journal = await Journal.open(f"sqlite:///{tmp_path / '.mombus' / 'journal.sqlite'}")
        await journal.write(lambda c: deliveries.record(c, [outcome("old", days=900, target="erp")]))

        async def gone() -> bool:
            counted = select(func.count()).select_from(deliveries.deliveries)
            return not await journal.read(lambda c: c.execute(counted).scalar())

        await until(gone)
        await journal.close()
