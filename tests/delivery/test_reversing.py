"""A reversal undoes at each target what is posted there, by its number, and waits or ends where nothing is."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import httpx
from delivery_plant import NOW, QUICK, fact, hub, mes, target

from canonical.message import Message
from connectors.connector import Level, MappingError, OutcomeUnknown, Surroundings
from connectors.erp.connector import ErpB2mml, ErpB2mmlConfig
from connectors.mes.native import Confirmation, Usage
from connectors.mes.reports import confirmation, usage
from connectors.wms.rest import WmsRest, WmsRestConfig
from mombus.delivery.commands import Command
from mombus.delivery.target import Rule, State
from mombus.journal.waiting import Wait
from plant.erp import Erp
from plant.wms import Wms

POSTED = Rule(object="production_response", effect=Level.POSTED)
RULES = (POSTED, Rule(object="material_consumption", effect=Level.POSTED))
PARIS = ZoneInfo("Europe/Paris")


def stated(object: str, body) -> Message:
    return Message.of(object, body, source="line", site="lyon", occurred=NOW, recorded=datetime.now(UTC))


def confirmed(number: str, good: int, reverses: str | None = None, article: str = "FG-1000") -> Message:
    """What the MES confirms, in its own words first."""
    said = Confirmation(**{
        "msgId": number, "ts": NOW, "confirmationNo": number, "orderNo": "PO-1", "final": False, "good": good,
        "workCenter": "LINE1", "article": article, "lot": "PO-1-L1", "uom": "PC", "startAt": NOW, "endAt": NOW,
        "reverses": reverses,
    })  # fmt: skip
    return stated("production_response", confirmation(said)[0].body)


def used(number: str, quantity: int, reverses: str | None = None) -> Message:
    said = Usage(**{
        "msgId": number, "ts": NOW, "confirmationNo": number, "line": 1, "orderNo": "PO-1", "article": "CAP-28",
        "qty": quantity, "uom": "PC", "at": NOW, "reverses": reverses,
    })  # fmt: skip
    return stated("material_consumption", usage(said)[0].body)


def undo(id: str, original: Message, **more) -> Message:
    return fact(id, reverses=original.id, **more)


@asynccontextmanager
async def at_the_erp():
    erp = Erp()
    await erp.start()
    erp.books.release("PO-1", Decimal(240))
    config = ErpB2mmlConfig(connector="erp.b2mml", url=erp.url)
    connector = ErpB2mml(config, Surroundings("erp", "lyon", PARIS))
    await connector.connect()
    try:
        yield erp, target("erp", connector, rules=RULES)
    finally:
        await connector.close()
        await erp.stop()


async def test_it_is_sent_with_the_number_of_what_it_undoes_also_after_a_restart(bus, journal_path, sink):
    told: list[str | None] = []
    sink.trouble = lambda message, _attempt: told.append(message.document)
    original = fact("R-1")
    async with hub(bus, journal_path, mes(sink, POSTED)) as running:
        await bus.publish(original)
        await running.until_state("R-1", State.DELIVERED)
    async with hub(bus, journal_path, mes(sink, POSTED)) as running:
        await bus.publish(undo("R-2", original))
        await running.until_state("R-2", State.DELIVERED)
    assert told == [None, "DOC-R-1"]


async def test_it_waits_for_the_number_of_what_it_undoes(bus, journal_path, sink):
    sink.level = Level.ACCEPTED
    original = fact("R-1")
    async with hub(bus, journal_path, mes(sink, POSTED)) as running:
        await bus.publish(original)
        await bus.publish(undo("R-2", original, lanes=("another:lane",)))
        await running.until_state("R-2", State.WAITING)
        row = next(row for row in await running.delivery.waiting() if row.key == "R-2")
        assert (row.kind, row.reason) == (Wait.AFTER, "it reverses production_response R-1, which isn't posted yet")
    async with hub(bus, journal_path, mes(sink, POSTED)) as running:
        sink.level = Level.POSTED
        await running.until_state("R-2", State.DELIVERED)
        assert sink.ledger.got() == ["R-1", "R-2"]


async def test_what_waits_and_is_reversed_is_never_sent_and_neither_is_its_reversal(bus, journal_path, sink):
    sink.trouble = lambda message, _attempt: MappingError("bad") if message.key == "R-1" else None
    original = fact("R-1")
    async with hub(bus, journal_path, mes(sink, POSTED)) as running:
        await bus.publish(original)
        await running.until_state("R-1", State.PARKED)
        await bus.publish(fact("R-2"))
        await bus.publish(undo("R-3", original))
        await running.until_state("R-2", State.DELIVERED)
        reasons = {hop.key: hop.reason for hop in running.hops if hop.state is State.SKIPPED}
        assert reasons == {
            "R-1": "reversed by R-3 while it waited",
            "R-3": "what it reverses, production_response R-1, hadn't reached mes",
        }
        assert sink.ledger.got() == ["R-2"]
        assert await running.delivery.waiting() == []


async def test_what_a_person_skipped_needs_no_reversal(bus, journal_path, sink):
    sink.trouble = lambda message, _attempt: MappingError("bad") if message.key == "R-1" else None
    original = fact("R-1")
    async with hub(bus, journal_path, mes(sink, POSTED)) as running:
        await bus.publish(original)
        await running.until_state("R-1", State.PARKED)
        await running.delivery.do(Command.SKIP, "mes", original.id, who="ada", why="made up")
        await bus.publish(undo("R-2", original))
        await running.until_state("R-2", State.SKIPPED)
        assert sink.ledger.got() == []


async def test_a_reversal_of_something_unknown_goes_to_a_person(bus, journal_path, sink):
    async with hub(bus, journal_path, mes(sink, POSTED)) as running:
        await bus.publish(undo("R-2", fact("R-1")))
        await running.until_state("R-2", State.PARKED)
        (row,) = await running.delivery.waiting()
        assert "of which nothing is known at mes" in row.reason
        await running.delivery.do(Command.RELEASE, "mes", row.message_id, who="ada", why="it is there")
        await running.until_state("R-2", State.DELIVERED)


async def test_the_erp_posts_counter_documents_and_its_totals_are_right(bus, journal_path):
    """The MES reports too much, reverses it, reports anew: output and consumption alike."""
    async with at_the_erp() as (erp, at_erp):
        stock = erp.books.stock["CAP-28"]
        async with hub(bus, journal_path, at_erp) as running:
            for message in (
                confirmed("C-1", 120), used("C-1", 120), confirmed("C-1R", 120, "C-1"), used("C-1R", 120, "C-1"),
                confirmed("C-1B", 110), used("C-1B", 110),
            ):  # fmt: skip
                await bus.publish(message)
            await running.until_state("C-1B/1", State.DELIVERED, "erp")
        numbers = erp.numbers("PO-1")
        assert (numbers["good"], numbers["consumption"]) == ("110", {"CAP-28": "110"})
        assert (numbers["documents"], numbers["duplicates"]) == (6, 0)
        assert erp.books.stock["CAP-28"] == stock - 110
        first, counter = (p for p in erp.books.postings if p.kind == "confirmation" and p.reference in {"C-1", "C-1R"})
        assert counter.reverses == first.number


async def test_a_reversal_whose_answer_is_lost_is_posted_once(bus, journal_path):
    async with at_the_erp() as (erp, at_erp):
        really = at_erp.sink.write
        posted = 0

        async def lost(messages):
            nonlocal posted
            answers = await really(messages)
            posted += messages[0].reverses is not None
            return [OutcomeUnknown("the answer was lost")] if messages[0].reverses else answers

        at_erp.sink.write = lost
        async with hub(bus, journal_path, at_erp, patience=replace(QUICK, first_s=60, most_s=60)) as running:
            await bus.publish(confirmed("C-1", 120))
            await bus.publish(confirmed("C-1R", 120, "C-1"))
            await running.until_state("C-1R", State.RETRYING, "erp")
        async with hub(bus, journal_path, at_erp) as running:
            (row,) = await running.delivery.waiting()
            await running.delivery.do(Command.RETRY, "erp", row.message_id, who="ada", why="look now")
            await running.until_state("C-1R", State.DELIVERED, "erp")
        assert posted == 1
        assert erp.numbers("PO-1")["good"] == "0"
        assert erp.numbers("PO-1")["duplicates"] == 0


async def test_the_erp_reverses_a_document_once(bus, journal_path):
    async with at_the_erp() as (erp, at_erp), hub(bus, journal_path, at_erp) as running:
        for message in (confirmed("C-1", 120), confirmed("C-2", 120, "C-1"), confirmed("C-3", 120, "C-1")):
            await bus.publish(message)
        await running.until_state("C-3", State.PARKED, "erp")
        (row,) = await running.delivery.waiting()
        assert "NOT_REVERSIBLE" in row.reason
        assert erp.numbers("PO-1")["good"] == "0"


async def test_the_warehouse_expects_nothing_of_what_was_reversed():
    wms = Wms(pace=0.01)
    await wms.start()
    connector = WmsRest(WmsRestConfig(connector="wms.rest", url=wms.url), Surroundings("wms", "lyon", PARIS))
    await connector.connect()
    try:
        (receipt,) = await connector.write([confirmed("C-1", 120, article="30005")])
        undone = replace(confirmed("C-1R", 120, "C-1", article="30005"), document=receipt.document)
        for _ in ("the first time", "again"):
            (answer,) = await connector.write([undone])
            assert answer.document == receipt.document
        async with httpx.AsyncClient(trust_env=False) as http:
            (row,) = (await http.get(f"{wms.url}/asn/list/")).json()["results"]
        assert (row["goods_qty"], row["cancel_code"]) == (0, "C-1R")
    finally:
        await connector.close()
        await wms.stop()
