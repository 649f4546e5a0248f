"""A hub that is killed between a delivery and learning its number knows the number after the next start."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hub_plant import Asker, Owner, config, get, order, wire
from patience import PATIENCE_S, until

from canonical.message import Verb
from connectors.connector import Item, Offer
from mombus.config.model import Route
from mombus.hub.hub import open_hub
from mombus.journal import aliases as table
from mombus.journal import deliveries
from mombus.journal.aliases import Learned
from mombus.journal.journal import Journal
from mombus.ownership.aliases import Aliases

KILLED = """
import asyncio, sys
sys.path[:0] = sys.argv[2:]
from pathlib import Path
from test_learned_numbers import killed_before_learning
asyncio.run(killed_before_learning(Path(sys.argv[1])))
"""


class SayingOwner(Owner):
    """Says its first order, and answers gets."""

    offers = frozenset({Offer("production_order")})

    async def read(self, bookmark: str | None):
        if bookmark is None:
            yield Item(messages=(order("PO-1"),), bookmark="1")
        await asyncio.Event().wait()


def mes() -> Asker:
    asker = Asker()
    asker.document = "M-77"
    return asker


@asynccontextmanager
async def plant(folder: Path, asker: Asker, monkeypatch: pytest.MonkeyPatch):
    wire(monkeypatch, {"mes": asker, "erp": SayingOwner()})
    routes = (Route(object="production_order", to="mes"),)
    async with open_hub(config(folder, "mes", "erp", owns={"production_order": "erp"}, routes=routes)) as hub:
        yield hub


async def killed_before_learning(folder: Path) -> None:
    """Runs in a process of its own: dies where the number would be learned."""

    async def die(_self: Aliases, *_args: object, **_more: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Aliases, "learn", die)
        async with plant(folder, mes(), patch) as hub:
            await hub.run()


async def test_a_number_that_was_delivered_is_learned_at_the_next_start(tmp_path, monkeypatch):
    here = map(str, Path(__file__).parents[:2])
    doomed = await asyncio.create_subprocess_exec(sys.executable, "-c", KILLED, str(tmp_path), *here)
    assert await asyncio.wait_for(doomed.wait(), PATIENCE_S) == -signal.SIGKILL
    asker = mes()
    async with plant(tmp_path, asker, monkeypatch):
        await asker.say(get("M-77"))
        await until(lambda: any(message.verb is Verb.SHOW for message in asker.got))
        show = next(message for message in asker.got if message.verb is Verb.SHOW)
        assert show.key == "PO-1", "mes asked for it by its own number"


@pytest.fixture
async def journal(tmp_path):
    opened = await Journal.open(f"sqlite:///{tmp_path / 'journal.db'}")
    await opened.write(lambda c: deliveries.settle(c, "erp", 60))
    yield opened
    await opened.close()


NOW = datetime(2026, 3, 2, 6, tzinfo=UTC)


def receipt(number: int, document: str, *, days: float = 0, outcome: str = "delivered") -> dict[str, object]:
    return {
        "target": "erp", "message_id": f"m-{number}", "seq": number, "object": "production_order",
        "key": f"PO-{number}", "outcome": outcome, "document": document, "at": NOW - timedelta(days=days),
    }  # fmt: skip


async def test_all_that_was_passed_over_is_learned_at_once_and_only_that(journal):
    rows = [
        receipt(1, "450001"), receipt(2, "450002"), receipt(3, "PO-3"), receipt(4, "450004", outcome="intent"),
        receipt(5, "450005", days=2), receipt(6, "450009"),
    ]  # fmt: skip
    newer = Learned("erp", "production_order", "450009", "PO-9", NOW)
    await journal.write(lambda c: deliveries.record(c, rows))
    await journal.write(lambda c: table.learn(c, [newer]))
    aliases = Aliases({}, journal)
    assert await aliases.catch_up() == 2
    assert await aliases.documents("erp", "production_order", "PO-1") == ["450001"]
    assert await aliases.documents("erp", "production_order", "PO-2") == ["450002"]
    assert await aliases.documents("erp", "production_order", "PO-9") == ["450009"], "the newer meaning stays"
    assert await aliases.catch_up() == 0


async def test_without_anything_learned_all_receipts_count(journal):
    await journal.write(lambda c: deliveries.record(c, [receipt(n, f"45{n:04}", days=n) for n in range(1, 60)]))
    assert await Aliases({}, journal).catch_up() == 59
