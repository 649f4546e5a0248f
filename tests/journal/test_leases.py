"""Hubs that share a PostgreSQL journal share out the duties: each is done by one of them, and taken over in seconds."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

import psycopg
import pytest
from patience import until
from sqlalchemy import literal, text

from mombus.journal import databases, leaseholder, leases
from mombus.journal.journal import Journal
from mombus.journal.leaseholder import FencedJournal, Lease, Leaseholder
from mombus.journal.leases import LeaseLost, Presence

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from psycopg.pq.abc import PGconn
    from sqlalchemy import Connection

NAMES = ("erp", "mes", "wms", "cmms")
WITHIN_S = 40.0
"""How long anything here may take on a busy machine."""


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Renewed often; a lease that isn't renewed lasts longer than any test: what changes hands was let go."""
    monkeypatch.setattr(leaseholder, "TTL_S", 2 * WITHIN_S)
    monkeypatch.setattr(leaseholder, "MARGIN_S", 5.0)
    monkeypatch.setattr(leaseholder, "RENEW_S", 0.1)
    monkeypatch.setattr(leaseholder, "CALM_S", 0.2)


@pytest.fixture
def brief(monkeypatch, quick):
    """Leases that run out soon: for tests in which a hub dies, which hold as well when a hub that lives stalls."""
    monkeypatch.setattr(leaseholder, "TTL_S", 3.0)
    monkeypatch.setattr(leaseholder, "MARGIN_S", 1.0)


class Hub:
    """A hub whose duties do nothing but tell that they are done.

    `hold` keeps one from ending when asked to, `clearing_up` from ending when broken off.
    """

    def __init__(self, journal: Journal, plan: str = "p") -> None:
        self.journal = journal
        self.doing: dict[str, Lease] = {}
        self.most: int = 0
        self.ended: list[str] = []
        self.hold, self.clearing_up = asyncio.Event(), asyncio.Event()
        self.hold.set()
        self.clearing_up.set()
        duties = dict.fromkeys(NAMES, self._do)
        self.holder = Leaseholder(journal, duties, said=Presence(address=f"http://{id(self)}", plan=plan))
        self.running = asyncio.create_task(self.holder.run())

    async def _do(self, lease: Lease) -> None:
        self.doing[lease.name] = lease
        try:
            await lease.ending.wait()
            await self.hold.wait()
            self.ended.append(lease.name)
        finally:
            await self.clearing_up.wait()
            del self.doing[lease.name]

    async def vanish(self) -> None:
        """As a killed process does: nothing is let go."""
        self.running.cancel()
        await asyncio.gather(self.running, return_exceptions=True)


@asynccontextmanager
async def several(url: str, count: int) -> AsyncIterator[list[Hub]]:
    hubs = [Hub(await Journal.open(url)) for _ in range(count)]
    try:
        yield hubs
    finally:
        for hub in hubs:
            await hub.vanish()
            await hub.journal.close()


def expiries(connection: Connection) -> dict[str, float]:
    return dict(connection.execute(text("SELECT name, expires FROM leases")).all())


class Stopped:
    """A connection whose client has sent some statements of a pipeline, and stands still before the rest."""

    def __init__(self, wire: PGconn) -> None:
        self._wire = wire

    def was_ended(self) -> bool:
        with pytest.raises(psycopg.OperationalError):
            while True:
                self._wire.consume_input()
        return True


@contextmanager
def stopped_inside(url: str, statement: str) -> Iterator[Stopped]:
    with psycopg.connect(url, application_name=databases.APPLICATION) as connection:
        wire = connection.pgconn
        wire.enter_pipeline_mode()
        for one in ("BEGIN", statement):
            wire.send_query_params(one.encode(), None)
        wire.send_flush_request()
        wire.flush()
        yield Stopped(wire)


def done_once(hubs: list[Hub]) -> bool:
    return sorted(name for hub in hubs for name in hub.doing) == sorted(NAMES)


async def test_a_hub_alone_does_everything_and_a_second_gets_its_share(postgresql):
    async with several(postgresql, 1) as hubs:
        await until(lambda: len(hubs[0].doing) == len(NAMES))
        hubs.append(Hub(await Journal.open(postgresql)))
        await until(lambda: [len(hub.doing) for hub in hubs] == [2, 2])
        assert len(hubs[0].ended) == 2
        assert sorted(hubs[0].ended) == sorted(hubs[1].doing)
        assert len(hubs[1].holder.peers) == 2
        name = next(iter(hubs[1].doing))
        assert [peer.hub for peer in await hubs[0].holder.holders([name])] == [hubs[1].holder.hub]
        assert hubs[1].doing[name].calm_until == 0, "it was handed over, nothing is open"


async def test_what_is_in_hand_is_finished_before_it_is_handed_over(postgresql):
    async with several(postgresql, 1) as hubs:
        await until(lambda: done_once(hubs))
        hubs[0].hold.clear()
        hubs.append(Hub(await Journal.open(postgresql)))
        await until(lambda: sum(lease.ending.is_set() for lease in hubs[0].doing.values()) == 2)
        before = await hubs[0].journal.read(expiries)
        for _ in range(10):
            await hubs[0].holder._tick()
            await hubs[1].holder._tick()
        after = await hubs[0].journal.read(expiries)
        assert all(after[name] > before[name] for name in NAMES), "what is in hand keeps its lease"
        assert (len(hubs[0].doing), len(hubs[1].doing)) == (4, 0)
        hubs[0].hold.set()
        await until(lambda: done_once(hubs) and len(hubs[1].doing) == 2)


async def test_a_killed_hubs_duties_are_taken_over_with_a_new_epoch(postgresql, brief):
    async with several(postgresql, 2) as hubs:
        await until(lambda: done_once(hubs) and len(hubs[1].doing) == 2)
        lost = dict(hubs[0].doing)
        await hubs[0].vanish()
        await until(lambda: len(hubs[1].doing) == len(NAMES))
        for name, lease in lost.items():
            assert hubs[1].doing[name].epoch > lease.epoch
            assert hubs[1].doing[name].calm_until > 0, "it may have been writing"
        with pytest.raises(LeaseLost):
            await hubs[0].journal.write(next(iter(lost.values())).check)


async def test_a_stopping_hub_hands_over_at_once(postgresql):
    async with several(postgresql, 2) as hubs:
        await until(lambda: done_once(hubs) and len(hubs[1].doing) == 2)
        theirs = sorted(hubs[0].doing)
        await hubs[0].holder.end()
        assert (hubs[0].doing, sorted(hubs[0].ended[-2:])) == ({}, theirs)
        await until(lambda: len(hubs[1].doing) == len(NAMES) and len(hubs[1].holder.peers) == 1)


async def test_a_hub_cut_off_from_the_journal_gives_up_before_another_takes_over(postgresql, brief, monkeypatch):
    async with several(postgresql, 2) as hubs:
        await until(lambda: done_once(hubs) and len(hubs[1].doing) == 2)
        cut: asyncio.Future = asyncio.get_running_loop().create_future()
        monkeypatch.setattr(hubs[0].journal, "write", lambda _work: cut)
        taken = list(hubs[0].doing.values())
        async with asyncio.timeout(WITHIN_S):
            while len(hubs[1].doing) < len(NAMES):
                both = [lease for lease in taken if lease.name in hubs[1].doing and lease.holds]
                assert not both
                await asyncio.sleep(0.01)
        await until(lambda: not hubs[0].doing)


async def test_a_write_under_a_lost_lease_is_not_done_and_who_only_asked_is_told(postgresql):
    async with several(postgresql, 1) as hubs:
        await until(lambda: done_once(hubs))
        journal, lease = hubs[0].journal, hubs[0].doing["erp"]
        fenced = FencedJournal(journal, lease)
        await fenced.write(lambda c: c.execute(text("CREATE TABLE jottings(name TEXT)")) and None)
        await journal.write(
            lambda c: c.execute(text("UPDATE leases SET epoch = epoch + 1 WHERE name = 'erp'")) and None
        )
        hubs[0].clearing_up.clear()
        writing = asyncio.create_task(
            fenced.write(lambda c: c.execute(text("INSERT INTO jottings VALUES ('x')")) and None)
        )
        await until(lambda: lease.lost)
        await journal.write(lambda _connection: None)
        assert not writing.done(), "what is done under it is broken off first"
        hubs[0].clearing_up.set()
        with pytest.raises(LeaseLost):
            await writing
        assert "erp" not in hubs[0].doing
        assert await fenced.read(lambda c: c.execute(text("SELECT * FROM jottings")).all()) == []


async def test_a_lease_cannot_be_taken_while_something_is_committed_under_it(postgresql, monkeypatch):
    async with several(postgresql, 1) as hubs:
        await until(lambda: done_once(hubs))
        other = await Journal.open(postgresql)
        lease = hubs[0].doing["erp"]
        await hubs[0].vanish()
        checked = threading.Event()
        order: list[str] = []

        def slowly(connection: Connection) -> None:
            lease.check(connection)
            checked.set()
            wait_until(lambda: connection.execute(text("SELECT 1 FROM pg_locks WHERE NOT granted")).first())
            order.append("committed")

        async def take() -> None:
            await asyncio.to_thread(checked.wait, WITHIN_S)
            monkeypatch.setattr(leases, "_now", lambda: literal(time.time() + 3600))
            assert await other.write(lambda c: leases.take(c, "other", "erp", 5.0))
            order.append("taken")

        await asyncio.gather(hubs[0].journal.write(slowly), take())
        assert order == ["committed", "taken"]
        await other.close()


def wait_until(look: Callable[[], object]) -> None:
    """As `until`, in a thread of its own."""
    ends = time.monotonic() + WITHIN_S
    while not look():
        assert time.monotonic() < ends
        time.sleep(0.02)


@pytest.mark.parametrize("statement", ["SELECT pg_advisory_xact_lock(:key)", "UPDATE leases SET epoch = epoch"])
async def test_a_hub_that_stops_between_two_statements_sent_at_once_holds_up_nobody(postgresql, statement):
    async with several(postgresql, 1) as hubs:
        await until(lambda: done_once(hubs))
        epochs = {name: lease.epoch for name, lease in hubs[0].doing.items()}
        with stopped_inside(postgresql, statement.replace(":key", str(databases._ALONE_KEY))) as other:
            hubs.append(Hub(await Journal.open(postgresql)))
            await until(lambda: done_once(hubs) and len(hubs[1].doing) == 2)
            assert other.was_ended()
        assert {name: lease.epoch for name, lease in hubs[0].doing.items()}.items() <= epochs.items(), "none was lost"


async def test_hubs_with_another_configuration_are_named(postgresql):
    async with several(postgresql, 1) as hubs:
        hubs.append(Hub(await Journal.open(postgresql), plan="q"))
        await until(lambda: all({peer.said.plan for peer in hub.holder.peers} == {"p", "q"} for hub in hubs))


async def test_what_is_broken_off_to_be_handed_over_runs_out_and_is_read_back_once_it_is_calm(
    postgresql, brief, monkeypatch
):
    monkeypatch.setattr(leaseholder, "END_S", 0.2)
    async with several(postgresql, 2) as hubs:
        await until(lambda: done_once(hubs) and len(hubs[1].doing) == 2)
        theirs, ended = sorted(hubs[0].doing), list(hubs[0].ended)
        hubs[0].hold.clear()
        await hubs[0].holder.end()
        await until(lambda: len(hubs[1].doing) == len(NAMES))
        assert hubs[0].ended == ended, "nothing was finished"
        assert all(hubs[1].doing[name].calm_until > 0 for name in theirs), "it may have been writing"


async def test_what_is_broken_off_can_clear_up_however_often_it_is_found_lost():
    cleared = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.05)
            cleared.set()

    lease = Lease("erp", "a", 1, lambda: 0.0)
    lease.task = asyncio.create_task(work())
    await asyncio.sleep(0)
    lease.give_up()
    await asyncio.sleep(0)
    lease.give_up()
    await asyncio.wait({lease.task})
    assert cleared.is_set()
    assert not lease.holds
