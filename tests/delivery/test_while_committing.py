"""The target is written to while outcomes are on their way to the journal; nothing counts before it is there."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from delivery_plant import FACT, ORDER, fact, hub, mes, order
from patience import until

from connectors.connector import Accept, Effect
from mombus.delivery.target import State


@contextmanager
def nothing_commits(journal_path: Path) -> Iterator[None]:
    """Somebody else holds the journal's write lock."""
    other = sqlite3.connect(journal_path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


async def test_other_lanes_go_on_while_an_outcome_is_committed(bus, journal_path, sink):
    sink.accepts = {FACT: Accept(Effect.IDEMPOTENT)}
    async with hub(bus, journal_path, mes(sink)) as running:
        with nothing_commits(journal_path):
            for number in (1, 2, 3):
                await bus.publish(fact(f"R-{number}", f"PO-{number}"))
            await until(lambda: len(sink.ledger.got()) == 3)
            assert not [hop for hop in running.hops if hop.state is State.DELIVERED]
            assert (await running.status()).in_hand == 3
        await running.until(lambda: [hop.state for hop in running.hops].count(State.DELIVERED) == 3)
        assert sorted(sink.ledger.got()) == ["R-1", "R-2", "R-3"]
        assert sink.most_open == 1


async def test_an_older_revision_stays_out_while_the_newer_is_committed(bus, journal_path, sink):
    sink.accepts = {FACT: Accept(Effect.IDEMPOTENT), ORDER: Accept(Effect.IDEMPOTENT)}
    async with hub(bus, journal_path, mes(sink)) as running:
        with nothing_commits(journal_path):
            await bus.publish(fact("R-1", "A"))
            await bus.publish(order("PO-1", 1, lanes=("order:A",)))
            await until(lambda: sink.ledger.got() == ["R-1"])
            await bus.publish(order("PO-1", 2, lanes=("order:B",)))
            await until(lambda: sink.ledger.got() == ["R-1", "PO-1"])
        await running.until_state("PO-1", State.SUPERSEDED)
        await running.until_state("PO-1", State.DELIVERED)
        assert sink.ledger.rows() == [("R-1", 0), ("PO-1", 2)]
