"""An issue that a target refuses for missing stock waits for what brings the material, and goes then."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from delivery_plant import FACT, NOW, QUICK, hub, mes

from canonical.isa95.operations import InventoryMovement, MaterialActual, MaterialConsumption, SegmentResponse
from canonical.message import Message
from canonical.quantity import Quantity
from connectors.connector import Accept, Effect, Lacking, Offer, Surroundings
from connectors.erp.connector import ErpB2mml, ErpB2mmlConfig
from mombus.delivery.target import Rule, State, Target
from mombus.journal.waiting import Wait
from plant.erp import Erp

USED, MOVED = Offer("material_consumption"), Offer("inventory_movement")
RULES = tuple(Rule(object=name) for name in ("material_consumption", "inventory_movement", "production_response"))
SELDOM = replace(QUICK, first_s=3600, most_s=3600)


def actual(material: str, quantity: int, use: str) -> MaterialActual:
    amount = Quantity(value=Decimal(quantity), unit_of_measure="H87")
    return MaterialActual(id="1", material_definition_id=material, material_use=use, quantity=amount)


def about(object: str, body) -> Message:
    return Message.of(object, body, source="line", site="lyon", occurred=NOW, recorded=datetime.now(UTC))


def used(id: str, material: str = "CAP-28", quantity: int = 10, order: str = "PO-1") -> Message:
    body = MaterialConsumption(
        id=id, operations_type="Production", operations_request_id=order,
        material_actual=(actual(material, quantity, "Consumed"),),
    )  # fmt: skip
    return about("material_consumption", body)


def received(id: str, material: str = "CAP-28", quantity: int = 10) -> Message:
    made = (actual(material, quantity, "Produced"),)
    segment = SegmentResponse(id="1", operations_type="Inventory", material_actual=made)
    body = InventoryMovement(id=id, operations_type="Inventory", segment_response=(segment,))
    return replace(about("inventory_movement", body), lanes=(f"material:{material}",))


@pytest.fixture
def lacking(sink):
    """A sink that has no caps until a movement brings them."""
    sink.accepts = {USED: Accept(Effect.FINDABLE), MOVED: Accept(Effect.FINDABLE), FACT: Accept(Effect.FINDABLE)}

    def refuses(message, _attempt):
        bare = message.object == "material_consumption" and "M-CAP-28" not in sink.ledger.got()
        return Lacking("0 of CAP-28 are there") if bare else None

    sink.trouble = refuses
    return sink


async def test_it_waits_for_the_material_and_no_other(bus, journal_path, lacking):
    async with hub(bus, journal_path, mes(lacking, *RULES), patience=SELDOM) as running:
        await bus.publish(used("C-1"))
        await bus.publish(used("C-2"))
        await running.until_state("C-2/1", State.WAITING)
        rows = await running.delivery.waiting()
        assert [(row.kind, row.missing) for row in rows] == [
            (Wait.STOCK, ("material", "CAP-28")), (Wait.BEHIND, None),
        ]  # fmt: skip
        await bus.publish(received("M-WATER", "WATER"))
        await running.until_state("M-WATER", State.DELIVERED)
        await bus.publish(received("M-CAP-28"))
        await running.until_state("C-2/1", State.DELIVERED)
        assert lacking.ledger.got() == ["M-WATER", "M-CAP-28", "C-1/1", "C-2/1"]


async def test_it_still_waits_for_it_after_a_restart(bus, journal_path, lacking):
    async with hub(bus, journal_path, mes(lacking, *RULES), patience=SELDOM) as running:
        await bus.publish(used("C-1"))
        await running.until_state("C-1/1", State.WAITING)
    async with hub(bus, journal_path, mes(lacking, *RULES), patience=SELDOM) as running:
        await bus.publish(received("M-CAP-28"))
        await running.until_state("C-1/1", State.DELIVERED)
        assert lacking.ledger.got() == ["M-CAP-28", "C-1/1"]


async def test_after_its_time_a_person_decides(bus, journal_path, lacking):
    async with hub(bus, journal_path, mes(lacking, *RULES, lacking_s=0.2)) as running:
        await bus.publish(used("C-1"))
        await running.until_state("C-1/1", State.PARKED)
        (row,) = await running.delivery.waiting()
        assert row.reason.startswith("still lacking after")
        assert State.WAITING in running.states("C-1/1"), "it was given time"


async def test_the_erp_that_refuses_negative_stock_issues_once_it_has_received(bus, journal_path):
    erp = Erp()
    await erp.start()
    erp.books.release("PO-1", Decimal(240))
    erp.books.stock["CAP-28"] = Decimal(4)
    connector = ErpB2mml(
        ErpB2mmlConfig(connector="erp.b2mml", url=erp.url), Surroundings("erp", "lyon", ZoneInfo("Europe/Paris"))
    )
    await connector.connect()
    target = Target(system="erp", sink=connector, rules=RULES)
    try:
        async with hub(bus, journal_path, target, patience=SELDOM) as running:
            await bus.publish(used("C-1"))
            await running.until_state("C-1/1", State.WAITING, "erp")
            (row,) = await running.delivery.waiting()
            assert row.kind is Wait.STOCK
            assert "10 of CAP-28 can't be issued, 4 are there" in row.reason
            await bus.publish(received("M-1"))
            await running.until_state("C-1/1", State.DELIVERED, "erp")
        assert erp.books.stock["CAP-28"] == 4
        assert erp.numbers("PO-1")["consumption"] == {"CAP-28": "10"}
        assert erp.numbers("PO-1")["duplicates"] == 0
    finally:
        await connector.close()
        await erp.stop()
