"""Any object that has a noun becomes valid XML and comes back equal."""

from __future__ import annotations

import pytest
from b2mml_objects import NOW, bodies
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from lxml import etree

from canonical.b2mml import Document, read, write, write_document
from canonical.b2mml.lines import CONTEXT
from canonical.b2mml.nouns import FORMS
from canonical.element import Element
from canonical.isa95.operations import Labour, LotTransformation, MaterialConsumption, SegmentResponse
from canonical.message import Message

FEW = settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True,
    phases=(Phase.explicit, Phase.generate))  # fmt: skip
DRAWN = [name for name in FORMS if name != "lot_transformation"]


def message(object_: str, body: Element | None, **given: object) -> Message:
    return Message.of(object_, body, source="mes", site="lyon", occurred=NOW, recorded=NOW, **given)  # type: ignore[arg-type]


def trip(messages: list[Message], schema: etree.XMLSchema) -> Document:
    xml = write(messages, created=NOW, sender="MES", bod_id="B-1")
    root = etree.fromstring(xml)
    assert schema.validate(root), f"{schema.error_log}\n{xml.decode()}"
    document = read(xml, source="mes", site="lyon", recorded=NOW)
    assert document.faults == ()
    again = write_document(Document.from_json(document.to_json()))
    assert etree.tostring(etree.fromstring(again), method="c14n") == etree.tostring(root, method="c14n")
    return document


@pytest.mark.parametrize("object_", DRAWN)
def test_an_object_comes_back_equal(object_: str, schema: etree.XMLSchema) -> None:
    @FEW
    @given(bodies(object_))
    def holds(body: Element) -> None:
        said = message(object_, body)
        document = trip([said], schema)
        assert [(each.object, each.key, each.body) for each in document.messages] == [(object_, said.key, body)]

    holds()


def test_one_response_of_several_facts_comes_back_as_those_facts(schema: etree.XMLSchema) -> None:
    @FEW
    @given(bodies("production_response"), st.lists(bodies("material_consumption"), max_size=3), bodies("labour"))
    def holds(main: SegmentResponse, consumed: list[MaterialConsumption], labour: Labour) -> None:
        main = main.model_copy(update={"segment_state": "Completed"})
        context = {name: getattr(main, name) for name in CONTEXT}
        lines = [
            each.model_copy(update={**context, "material_actual": (each.material_actual[0].model_copy(
                update={"id": f"c{at}"}),)}) for at, each in enumerate(consumed)
        ]  # fmt: skip
        person = labour.model_copy(update=context)
        said = [message("production_response", main), *(message("material_consumption", each) for each in lines)]
        said.append(message("labour", person))
        document = trip(said, schema)
        assert [(each.object, each.body) for each in document.messages] == [(m.object, m.body) for m in said]

    holds()


def test_several_orders_travel_in_one_document(schema: etree.XMLSchema) -> None:
    materials = 0

    @FEW
    @given(st.lists(bodies("production_order"), min_size=2, max_size=3, unique_by=lambda body: body.id))  # type: ignore[attr-defined]
    def holds(orders: list[Element]) -> None:
        nonlocal materials
        document = trip([message("production_order", body) for body in orders], schema)
        assert [each.body for each in document.messages] == orders
        materials += sum(len(s.material_requirement) for body in orders for s in body.segment_requirement)  # type: ignore[attr-defined]

    holds()
    assert materials > 3, "the orders drawn are too poor to prove anything"


def test_a_lot_transformation_comes_back_as_one_fact(schema: etree.XMLSchema) -> None:
    made = LotTransformation.model_validate({
        "id": "T-1",
        "material_actual": (
            {"id": "1", "material_lot_id": "A", "material_use": "Consumed", "quantity": _kilos("10")},
            {"id": "2", "material_lot_id": "B", "material_use": "Produced", "quantity": _kilos("4")},
            {"id": "3", "material_lot_id": "C", "material_use": "Produced", "quantity": _kilos("6")},
        ),
    })  # fmt: skip
    document = trip([message("lot_transformation", made)], schema)
    assert [(each.object, each.body) for each in document.messages] == [("lot_transformation", made)]


def _kilos(value: str) -> dict[str, str]:
    return {"value": value, "unit_of_measure": "KGM"}
