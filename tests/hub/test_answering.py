"""A get reaches its owner and its answer the asker; an expired request is refused, not done."""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar

import pytest
from hub_plant import Asker, Owner, Quiet, config, get, order, wire
from patience import until

from canonical.message import Action, Verb
from connectors.connector import Accept, Effect, MappingError, NotConnected, Offer, RetryableError
from connectors.erp.connector import ErpB2mmlConfig
from mombus.bus.connection import connect
from mombus.bus.embedded import EmbeddedBroker
from mombus.bus.intake import Intake
from mombus.bus.requests import Requests
from mombus.bus.streams import Limits
from mombus.hub.answering import Answering
from mombus.hub.hub import open_hub
from mombus.journal.journal import Journal
from mombus.journal.requests import Asked, rows
from mombus.ownership import decision
from mombus.ownership.aliases import Aliases
from mombus.ownership.owners import Owners
from plant.erp import Erp

if TYPE_CHECKING:
    from pathlib import Path

ORDERS = {"production_order": "erp"}


@pytest.fixture
def asker() -> Asker:
    return Asker()


@pytest.fixture
def owner() -> Owner:
    return Owner()


@asynccontextmanager
async def plant(tmp_path: Path, monkeypatch, asker: Asker, owner: object, **more):
    wire(monkeypatch, {"mes": asker, "erp": owner})
    async with open_hub(config(tmp_path, "mes", "erp", owns=ORDERS, **more)) as hub:
        yield hub


async def requests_in(tmp_path: Path):
    journal = await Journal.open(f"sqlite:///{tmp_path / '.mombus' / 'journal.sqlite'}")
    try:
        return await journal.read(rows)
    finally:
        await journal.close()


async def test_what_the_owner_shows_reaches_the_asker_and_closes_the_request(tmp_path, monkeypatch, asker, owner):
    async with plant(tmp_path, monkeypatch, asker, owner):
        question = get("PO-1")
        assert (await asker.say(question)).accepted
        show, end = await asker.answers(2)
        assert (show.verb, show.source, show.to, show.key) == (Verb.SHOW, "erp", "mes", "PO-1")
        assert show.body == order("PO-1").body
        assert (end.verb, end.action, end.reason) == (Verb.ACKNOWLEDGE, Action.ACCEPTED, None)
        assert show.correlation == end.correlation
        await until(lambda: _closed(tmp_path))
        (row,) = await requests_in(tmp_path)
        assert (row.id, row.state, row.owner) == (show.correlation, Asked.ANSWERED, "erp")


async def _closed(tmp_path: Path) -> bool:
    return all(row.state is Asked.ANSWERED for row in await requests_in(tmp_path))


async def test_a_get_of_everything_is_answered_with_everything(tmp_path, monkeypatch, asker, owner):
    async with plant(tmp_path, monkeypatch, asker, owner):
        await asker.say(get(""))
        got = await asker.answers(3)
        assert {message.key for message in got if message.verb is Verb.SHOW} == {"PO-1", "PO-2"}
        assert sum(message.verb is Verb.ACKNOWLEDGE for message in got) == 1


async def test_nothing_matches_is_an_answer(tmp_path, monkeypatch, asker, owner):
    async with plant(tmp_path, monkeypatch, asker, owner):
        await asker.say(get("PO-404"))
        (end,) = await asker.answers(1)
        assert (end.verb, end.action, end.reason) == (Verb.ACKNOWLEDGE, Action.ACCEPTED, "nothing matches")


async def test_an_owner_that_is_away_is_asked_again(tmp_path, monkeypatch, asker, owner):
    owner.trouble = [RetryableError("busy", retry_after_s=0.05), NotConnected("nobody answers")]
    async with plant(tmp_path, monkeypatch, asker, owner):
        await asker.say(get())
        show, end = await asker.answers(2)
        assert (show.verb, end.action, owner.asked) == (Verb.SHOW, Action.ACCEPTED, 3)


async def test_what_can_not_be_shown_is_refused_with_the_reason(tmp_path, monkeypatch, asker, owner):
    owner.trouble = [MappingError("the order has no quantity")]
    async with plant(tmp_path, monkeypatch, asker, owner):
        await asker.say(get())
        (no,) = await asker.answers(1)
        assert (no.action, no.reason) == (Action.REJECTED, "the order has no quantity")


async def test_an_owner_that_answers_no_gets_refuses_them_at_once(tmp_path, monkeypatch, asker):
    async with plant(tmp_path, monkeypatch, asker, Quiet()):
        await asker.say(get())
        (no,) = await asker.answers(1)
        assert (no.action, no.reason) == (Action.REJECTED, "erp's connector takes no get of production_order")


async def test_an_expired_request_that_reaches_its_owner_is_refused_not_done(tmp_path, monkeypatch, asker, owner):
    monkeypatch.setitem(decision.EXPIRY, Verb.GET, timedelta(seconds=2))
    owner.trouble = [RetryableError("busy", retry_after_s=2.5)]
    async with plant(tmp_path, monkeypatch, asker, owner):
        await asker.say(get())
        first, second = await asker.answers(2)
        assert first.id == f"{first.correlation}:expired"
        assert first.action is second.action is Action.REJECTED
        assert "expired: erp did not answer" in first.reason
        assert second.reason == "the request expired and its asker was told: it is not acted on any more"
        assert owner.asked == 1, "it was asked before the expiry, and not after it"


async def test_an_expired_creation_has_no_effect(tmp_path, monkeypatch, asker):
    monkeypatch.setattr(decision, "LONG_EXPIRY", timedelta(seconds=0.3))
    owner = Away()
    async with plant(tmp_path, monkeypatch, asker, owner):
        await asker.say(order("PO-9", source="mes", verb=Verb.PROCESS))
        (told,) = await asker.answers(1)
        assert told.id.endswith(":expired")
        owner.up = True
        _, refused = await asker.answers(2)
        assert refused.action is Action.REJECTED
        assert owner.got == [], "the asker was told no, so nothing may come of it"


class Away(Asker):
    """An owner that is away at first."""

    accepts: ClassVar[dict[Offer, Accept]] = {
        **Asker.accepts, Offer("production_order", Verb.PROCESS): Accept(Effect.IDEMPOTENT)
    }  # fmt: skip
    up = False

    async def connect(self) -> None:
        if not self.up:
            raise NotConnected("nobody answers")

    async def write(self, messages):
        if not self.up:
            raise NotConnected("nobody answers")
        return await super().write(messages)


async def test_a_real_erp_is_asked_for_an_order_by_another_system(tmp_path, monkeypatch, asker):
    erp = Erp()
    await erp.start()
    try:
        await erp.release("PO-4711")
        wire(monkeypatch, {"mes": asker})
        real = ErpB2mmlConfig(connector="erp.b2mml", url=f"http://127.0.0.1:{erp.port}/erp?wsdl")
        async with open_hub(config(tmp_path, "mes", owns=ORDERS, erp=real)):
            assert (await asker.say(get("PO-4711"))).accepted
            show, end = await asker.answers(2)
            assert (show.verb, show.key, show.body.id, show.source) == (Verb.SHOW, "PO-4711", "PO-4711", "erp")
            assert end.action is Action.ACCEPTED
            await asker.say(get("PO-404"))
            assert (await asker.answers(3))[2].reason == "nothing matches"
    finally:
        await erp.stop()


@pytest.fixture
async def answering(tmp_path, owner):
    """A get that its owner is asked about, without the delivery that would note its answer."""
    async with EmbeddedBroker(tmp_path / "broker") as broker, connect(broker.url, limits=Limits()) as bus:
        journal = await Journal.open(f"sqlite:///{tmp_path / 'journal.db'}")
        plant = config(tmp_path, "mes", "erp", owns=ORDERS)
        owners, requests = Owners(plant.objects, ()), Requests(bus, journal)
        intake = Intake(
            bus=bus, journal=journal, owners=owners, aliases=Aliases({}, journal), requests=requests, site="lyon"
        )
        await intake.start()
        request = decision.decide(get(), owner="erp", said=None, asked=None)
        assert isinstance(request, decision.Request)
        await requests.record(request, request.message.recorded)
        yield (
            Answering(
                "erp", owner, frozenset({"production_order"}), take_in=intake.accept, requests=requests, bus=bus,
                aliases=Aliases({}, journal),
            ),
            request.message, bus,
        )  # fmt: skip
        await journal.close()


async def test_after_a_kill_the_first_answer_stands(answering, owner):
    asked, question, bus = answering
    await asked.write([question])
    found = await bus.last("MOM", "mom.lyon.production_order.show.erp.>")
    owner.has = []
    (again,) = await asked.write([question])
    assert again.reply is None, "it must not say that nothing matches after it has shown something"
    owner.has = ["PO-1"]
    await asked.write([question])
    assert await bus.last("MOM", "mom.lyon.production_order.show.erp.>") == found, "shown once"
