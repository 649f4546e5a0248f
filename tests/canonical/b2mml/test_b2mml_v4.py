"""V4.01 documents of a real MES become the same canonical objects."""

from __future__ import annotations

from pathlib import Path

import pytest
from b2mml_documents import SPACE_V4, document, taken
from b2mml_objects import NOW
from lxml import etree

from canonical.b2mml import WriteError, acknowledge, read, write, write_document
from canonical.isa95.operations import MaterialConsumption, OperationsRequest, SegmentResponse
from canonical.isa95.resources import MaterialDefinition, MaterialLot


def test_a_schedule_is_production_orders(examples: Path) -> None:
    (message,) = taken((examples / "PRO-20121210181416-27942.xml").read_bytes()).messages
    body = message.body
    assert isinstance(body, OperationsRequest)
    inner = body.segment_requirement[0].segment_requirement_child[0]
    third = inner.material_requirement[2]
    assert (message.object, message.key, inner.process_segment_id) == ("production_order", "258456", "Weighing")
    assert inner.segment_parameter[0].value is not None
    assert inner.segment_parameter[0].value.value == "3"
    assert third.quantity is not None
    assert (third.id, third.storage_location, str(third.quantity.value), third.quantity.unit_of_measure) == (
        "3", "BOX3", "811.000", "KGM",
    )  # fmt: skip


def test_a_performance_without_release_is_its_facts(examples: Path) -> None:
    (message,) = taken((examples / "PES-20121229115825-53107.xml").read_bytes()).messages
    body = message.body
    assert isinstance(body, MaterialConsumption)
    assert (message.object, body.id, body.material_actual[0].material_lot_id) == (
        "material_consumption", "53107/Weighing", "CRBN0001_LOT01",
    )  # fmt: skip
    assert message.occurred.isoformat() == "2012-11-29T11:58:25.314955+01:00"


def test_lots_of_a_material_information_are_of_that_material(examples: Path) -> None:
    (message,) = taken((examples / "INV-20121210175555-0001L0001_01.xml").read_bytes()).messages
    body = message.body
    assert isinstance(body, MaterialLot)
    assert (message.key, body.material_sub_lot[0].id) == ("CRBN0001/CRBN0001_LOT01", "CRBN0001_LOT01_01")


def test_a_material_keeps_what_is_more_than_the_model(examples: Path) -> None:
    (message,) = taken((examples / "MAT-20121210170256-CRBN0001.xml").read_bytes()).messages
    body = message.body
    assert isinstance(body, MaterialDefinition)
    assert body.description == "Product Courbon0001"
    assert any("XN" in each.xml for each in body.material_definition_property[1].foreign)


@pytest.mark.parametrize("use", ["Produced", "Consumed"])
def test_produced_and_consumed_are_elements_of_their_own(use: str) -> None:
    actual = f"""<Material{use}Actual><MaterialDefinitionID>M</MaterialDefinitionID><Quantity><QuantityString>2
</QuantityString><DataType>decimal</DataType><UnitOfMeasure>KGM</UnitOfMeasure></Quantity></Material{use}Actual>"""
    body = f"""<ProductionPerformance><ProductionResponse><ID>R</ID><ProductionRequestID>PO-1</ProductionRequestID>
<SegmentResponse><ID>S</ID>{actual}</SegmentResponse></ProductionResponse></ProductionPerformance>"""
    (message,) = taken(document("Sync", "ProductionPerformance", body, space=SPACE_V4)).messages
    told = message.body
    assert isinstance(told, SegmentResponse)
    assert (told.material_actual[0].material_use, message.lane) == (use, "order:PO-1")
    assert message.object == ("material_consumption" if use == "Consumed" else "production_response")


def test_what_v4_said_can_be_written_as_v7(examples: Path, schema: etree.XMLSchema) -> None:
    for path in sorted(examples.glob("*.xml")):
        old = taken(path.read_bytes())
        xml = write(old.messages, created=NOW, sender="MES", bod_id="B")
        assert schema.validate(etree.fromstring(xml)), f"{path.name}: {schema.error_log}"
        new = read(xml, source="erp", site="lyon", recorded=NOW)
        assert [each.key for each in new.messages] == [each.key for each in old.messages]
        reply = acknowledge(old, [], created=NOW, sender="HUB", bod_id="A")
        assert schema.validate(etree.fromstring(reply)), f"{path.name}: {schema.error_log}"


def test_a_v4_document_is_not_rewritten_as_v4(examples: Path) -> None:
    with pytest.raises(WriteError, match="only read"):
        write_document(taken((examples / "LOT-20121210170718-0001L0001.xml").read_bytes()))
