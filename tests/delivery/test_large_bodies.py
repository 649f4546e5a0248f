"""Bodies over the broker's limit, through lanes, waiting room and housekeeping, to the target."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from delivery_plant import ORDER, Sink, hub, mes, order

from canonical.claim import Claim
from connectors.connector import Accept, Effect, PermanentError
from mombus.bus import claims
from mombus.bus.streams import CLAIMS
from mombus.delivery.commands import Command
from mombus.delivery.lanes import Entry
from mombus.delivery.locks import Locks
from mombus.delivery.target import Rule, State
from mombus.journal import waiting
from mombus.journal.journal import Journal
from mombus.journal.waiting import Wait

FROM_THE_START = Rule(object="production_order", start=datetime(2020, 1, 1, tzinfo=UTC))


def large(key: str = "PO-1", revision: int = 1, **more: object):
    said = order(key, revision, **more)
    body = said.body.model_copy(update={"description": "x" * 2_000_000})
    return said.with_body(body)


async def test_the_target_gets_all_of_it_alone_in_its_write(bus, journal_path, sink: Sink):
    sink.accepts = {ORDER: Accept(Effect.FINDABLE, batch=10)}
    said = [order("PO-0"), large("PO-1"), order("PO-2"), large("PO-3"), large("PO-4")]
    for message in said:
        await bus.publish(message)
    async with hub(bus, journal_path, mes(sink, FROM_THE_START)) as running:
        for message in said:
            await running.until_state(message.key, State.DELIVERED)
    assert sorted(sink.ledger.rows("key, content")) == [(m.key, m.content) for m in said]
    assert sink.batches == [1] * 5


@pytest.mark.parametrize("damage", ["gone", "another"])
async def test_one_whose_body_is_lost_is_kept_with_the_reason_and_others_go_on(bus, journal_path, sink: Sink, damage):
    lost = large("PO-1")
    await bus.publish(lost)
    part = f"{Claim.of(lost.subject, lost.content)}.2"
    await bus.js.purge_stream(CLAIMS, subject=part)
    if damage == "another":
        await bus.js.publish(part, b"z", headers={"ce-part": "2/3"})
    await bus.publish(order("PO-2"))
    async with hub(bus, journal_path, mes(sink, FROM_THE_START)) as running:
        await running.until_state("PO-1", State.PARKED)
        await running.until_state("PO-2", State.DELIVERED)
        (row,) = await running.delivery.waiting()
        words = "part 2 is missing" if damage == "gone" else "not what was stored"
        assert (row.kind, words in row.reason) == (Wait.PARKED, True)
        await bus.js.purge_stream(CLAIMS, subject=part)
        for subject, headers, content in claims.parts(
            Claim.of(lost.subject, lost.content), lost.subject, lost.content, 1_000_000
        ):
            await bus.js.publish(subject, content, headers={**headers, "Nats-Msg-Id": f"{subject} again"})
        done = await running.delivery.do(Command.RETRY, "mes", lost.id, who="ann", why="brought back")
        assert done.ok
        await running.until_state("PO-1", State.DELIVERED)
    assert sink.ledger.got() == ["PO-2", "PO-1"]


async def test_what_waits_keeps_its_body_beyond_retention_and_a_restart(bus, journal_path, sink: Sink):
    sink.trouble = lambda message, attempt: PermanentError("not open") if attempt == 1 else None
    said = large("PO-1")
    async with hub(bus, journal_path, mes(sink, FROM_THE_START)) as running:
        await bus.publish(said)
        await bus.publish(replace(large("PO-1", revision=2), lanes=said.lanes))
        await running.until_state("PO-1", State.PARKED)
    journal = await Journal.open(f"sqlite:///{journal_path}")
    needed = await journal.read(waiting.claims)
    assert str(Claim.of(said.subject, said.content)) in needed
    await claims.sweep(bus.js, before=datetime.now(UTC) + timedelta(days=400), waiting=needed)
    await journal.close()
    async with hub(bus, journal_path, mes(sink, FROM_THE_START)) as running:
        await running.delivery.do(Command.RETRY, "mes", said.id, who="ann", why="a test")
        await running.until_state("PO-1", State.DELIVERED)
    assert sink.ledger.rows("revision, content")[0] == (1, said.content)


async def test_a_when_decides_by_the_body_wherever_it_is_kept(bus, journal_path, sink: Sink):
    def named(view) -> bool:
        return view["body"]["description"].startswith("x") and view["key"] != "PO-2"

    rule = replace(FROM_THE_START, when=named)
    sink.trouble = lambda message, attempt: PermanentError("not open") if attempt == 1 else None
    for message in (large("PO-1"), large("PO-2"), order("PO-3")):
        await bus.publish(message)
    async with hub(bus, journal_path, mes(sink, rule, replace(rule, when=lambda _view: False))) as running:
        for key in ("PO-2", "PO-3"):
            await running.until_state(key, State.FILTERED)
        await running.until_state("PO-1", State.PARKED)
        done = await running.delivery.do(Command.RETRY, "mes", large("PO-1").id, who="ann", why="a test")
        assert done.ok
        await running.until_state("PO-1", State.DELIVERED)
    assert sink.ledger.got() == ["PO-1"]


def test_one_whose_references_are_not_known_is_written_beside_nothing_that_has_lock_keys():
    locks = Locks(lambda _entry: {"material"})
    apart = replace(large("PO-1"), content=b"", _body=None, claim=Claim("0" * 16, "0" * 64, 1))
    entries = [
        Entry(id=key, seq=1, object=message.object, key=key, lanes=message.lanes, message=message, revision=1)
        for key, message in (("PO-1", apart), ("PO-2", order("PO-2")))
    ]
    for first, second in (entries, entries[::-1]):
        assert locks.take(first, set())
        claimed: set[str] = set()
        assert not locks.take(second, claimed)
        locks.release(first)
        assert not locks.take(first, claimed), "who asked first is first"
        assert locks.take(second, set())
        locks.release(second)
