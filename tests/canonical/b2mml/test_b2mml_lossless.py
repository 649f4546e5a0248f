"""What a document says besides the model stays with it; what changed is written as it is now."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal

import pytest
from b2mml_documents import document, material, order, performance, quantity, schedule, segment, taken
from lxml import etree

from canonical.b2mml import Document, WriteError, write_document
from canonical.isa95.operations import OperationsRequest

EXTRA = "urn:plant:extra"


def infoset(xml: str | bytes) -> bytes:
    """Canonical XML without blanks between elements and without comments."""
    root = etree.fromstring(xml if isinstance(xml, bytes) else xml.encode(), etree.XMLParser(remove_comments=True))
    for element in root.iter():
        if len(element) and not (element.text or "").strip():
            element.text = None
        if not (element.tail or "").strip():
            element.tail = None
    return _names(root)


def _names(root: etree._Element) -> bytes:
    """Qualified names instead of prefixes: which prefix a namespace has doesn't matter."""
    lines = []
    for element in root.iter():
        depth = sum(1 for _ in element.iterancestors())
        lines.append(f"{depth} {element.tag} {sorted(element.items())} {element.text!r} {element.tail!r}")
    return "\n".join(lines).encode()


RICH = f"""<OperationsRequest plant="7" xmlns:x="{EXTRA}" x:mark="a b"><ID schemeID="SAP">PO-1</ID>
<Description languageID="en">Water</Description><Description languageID="fr">Eau</Description>
<Version></Version><StartTime>2026-03-02T06:00:00.500+00:00</StartTime>
<HierarchyScope><EquipmentID>LYON</EquipmentID><EquipmentElementLevel>Site</EquipmentElementLevel>
<HierarchyScopeChild><EquipmentID>P</EquipmentID><EquipmentLevel>Area</EquipmentLevel></HierarchyScopeChild>
</HierarchyScope><OperationsType OtherValue="x">Production</OperationsType><Priority>+07</Priority>
{
    segment(f'''<SegmentParameter><ID>speed</ID><Value><ValueString>5</ValueString></Value><Value>
<ValueString>6</ValueString></Value></SegmentParameter>
<SegmentParameter><ID>ProductionOrder</ID><Value><ValueString>PO-9</ValueString><DataType>Text</DataType></Value>
</SegmentParameter>{
        material(
            "1",
            "<StorageLocation><Location>WH1</Location><LocationType>Equipment</LocationType>"
            "</StorageLocation>"
            + quantity("1.50", "KG")
            + quantity("3.31", "LBR")
            + "<HierarchyScope><EquipmentID>A</EquipmentID>"
            "<EquipmentLevel>Area</EquipmentLevel></HierarchyScope>",
        )
    }''')
}
<x:Note level="1"><x:Text>keep &amp; me</x:Text></x:Note><x:Second/></OperationsRequest>"""


def test_everything_unmodelled_comes_back_in_its_place() -> None:
    xml = schedule(RICH, head="<Version>3</Version><PublishedDate>2026-03-02T05:00:00Z</PublishedDate>")
    read = taken(xml)
    assert read.faults == ()
    assert infoset(write_document(read)) == infoset(xml)
    assert infoset(write_document(Document.from_json(read.to_json()))) == infoset(xml)
    body = read.messages[0].body
    assert isinstance(body, OperationsRequest)
    assert (body.priority, body.production_order_id, body.version) == (Decimal(7), "PO-9", None)
    requirement = body.segment_requirement[0].material_requirement[0]
    assert requirement.quantity is not None
    assert (requirement.quantity.unit_of_measure, requirement.storage_location) == ("KGM", "WH1")


def test_a_kept_spelling_gives_way_to_a_changed_value() -> None:
    read = taken(schedule(RICH))
    body = read.messages[0].body
    changed = body.model_copy(update={"description": "Still water", "version": "2", "priority": Decimal(8)})
    xml = write_document(read.with_messages((read.messages[0].with_body(changed),))).decode()
    assert "<Description>Still water</Description><Description" in xml
    assert "Eau" in xml
    assert xml.count("<Version>") == 1
    assert "<Priority>8</Priority>" in xml
    assert '<ID schemeID="SAP">PO-1</ID>' in xml


def test_the_envelope_is_kept_with_its_user_area_and_signature() -> None:
    area = f"""<ApplicationArea><Sender><LogicalID>ERP</LogicalID><TaskID>T</TaskID></Sender>
<Receiver><LogicalID>MES</LogicalID><ID>1</ID></Receiver><CreationDateTime>2026-03-02T05:00:00Z</CreationDateTime>
<Signature qualifyingAgencyID="q"/><BODID schemeID="x">B</BODID><UserArea><k xmlns="{EXTRA}">v</k></UserArea>
</ApplicationArea>"""
    body = f"<OperationsSchedule><ID>S</ID>{order('PO-1')}</OperationsSchedule>"
    xml = document("Sync", "OperationsSchedule", body, area=area)
    assert infoset(write_document(taken(xml))) == infoset(xml)


def test_a_bad_item_is_written_back_as_it_came() -> None:
    xml = schedule(order("PO-1"), order("PO-2", material("1", quantity("1", "furlong"))), order("PO-3"))
    read = taken(xml)
    assert len(read.faults) == 1
    assert infoset(write_document(Document.from_json(read.to_json()))) == infoset(xml)


ACTUALS = "".join(
    f"<MaterialActual><ID>{n}</ID><MaterialUse>{use}</MaterialUse>{quantity(str(n), 'KG')}</MaterialActual>"
    for n, use in ((1, "Consumed"), (2, "Produced"), (3, "Consumed"), (4, "Produced"))
)
PERSON = "<PersonnelActual><ID>p</ID><PersonID>ann</PersonID></PersonnelActual>"
CHILD = (
    f"<SegmentResponseChild><ID>R-1.1</ID><SegmentState>Running</SegmentState>{PERSON}{ACTUALS}</SegmentResponseChild>"
)


def test_facts_of_a_response_go_back_into_it_in_their_order() -> None:
    state = "<SegmentState>Completed</SegmentState>"
    xml = performance(
        f"<SegmentResponse a='b'><ID>R-1</ID>{state}{PERSON}{ACTUALS}{CHILD}</SegmentResponse>",
        "<SegmentResponse a='b'><ID>R-2</ID>"
        f"<MaterialActual><ID>1</ID><MaterialUse>Consumed</MaterialUse>{quantity()}</MaterialActual></SegmentResponse>",
        response="<ID>R</ID><OperationsRequestID>PO-1</OperationsRequestID>",
    )
    read = taken(xml)
    assert [(each.object, each.key, each.lane) for each in read.messages] == [
        ("production_response", "R-1", "order:PO-1"),
        ("material_consumption", "R-1/1", "order:PO-1"),
        ("material_consumption", "R-1/3", "order:PO-1"),
        ("labour", "R-1/p", "order:PO-1"),
        ("material_consumption", "R-1.1/1", "order:PO-1"),
        ("material_consumption", "R-1.1/3", "order:PO-1"),
        ("labour", "R-1.1/p", "order:PO-1"),
        ("material_consumption", "R-2/1", "order:PO-1"),
    ]
    assert infoset(write_document(Document.from_json(read.to_json()))) == infoset(xml)


EVENT = """<OperationsEvent><ID>D-1</ID>{scope}<EffectiveTimeStamp>2026-03-02T06:00:00Z</EffectiveTimeStamp>
<Category>Downtime</Category><Category>Line 1</Category>{record}</OperationsEvent>"""
SCOPE = "<HierarchyScope><EquipmentID>CAPPER1</EquipmentID><EquipmentLevel>WorkUnit</EquipmentLevel></HierarchyScope>"
RECORD = """<OperationsEventRecord><ID>rec-7</ID><EffectiveEndDate>2026-03-02T06:05:00+00:00</EffectiveEndDate>
<Action>Observed</Action><OperationsRecordEntry><ID>e</ID><InformationObject><JobResponse xmlns=""><b:ID
xmlns:b="http://www.mesa.org/xml/B2MML">j</b:ID><b:JobResponseData xmlns:b="http://www.mesa.org/xml/B2MML"><b:ID>Reason
</b:ID><b:Value><b:ValueString>R7</b:ValueString></b:Value></b:JobResponseData></JobResponse></InformationObject>
</OperationsRecordEntry><OperationsRecordSpecificationID>other</OperationsRecordSpecificationID></OperationsEventRecord>"""


@pytest.mark.parametrize("record", ["", RECORD, RECORD + RECORD], ids=["none", "one", "two"])
def test_a_downtime_of_another_hand_is_read_and_written_as_it_was(record: str) -> None:
    xml = document("Notify", "OperationsEvent", EVENT.format(scope=SCOPE, record=record))
    read = taken(xml)
    assert read.faults == ()
    body = read.messages[0].body
    assert (body.equipment_id, body.state) == ("CAPPER1", "reasoned" if record else "open")  # type: ignore[attr-defined]
    assert infoset(write_document(Document.from_json(read.to_json()))) == infoset(xml)


def test_a_closed_downtime_loses_its_old_record_only_where_it_changed() -> None:
    read = taken(document("Notify", "OperationsEvent", EVENT.format(scope=SCOPE, record="")))
    body = read.messages[0].body
    closed = body.model_copy(update={"end_time": body.start_time, "state": "closed"})  # type: ignore[attr-defined]
    xml = write_document(read.with_messages((read.messages[0].with_body(closed),))).decode()
    assert re.search("EffectiveEndDate>2026-03-02T06:00:00Z<", xml)
    assert "<Category>Line 1</Category>" in xml


def test_messages_that_are_not_the_document_s_are_refused() -> None:
    with pytest.raises(ValueError, match="2 messages for a document of 1"):
        read = taken(schedule(order("PO-1")))
        read.with_messages(read.messages * 2)


def test_a_damaged_skeleton_says_so() -> None:
    with pytest.raises(WriteError, match="skeleton or a raw item is damaged"):
        write_document(replace(taken(schedule(order("PO-1"))), skeleton="<a>"))


@pytest.mark.parametrize("text", ["{}", "[]", "1", '{"messages": [1]}', "no json"])
def test_json_that_is_no_document_says_so(text: str) -> None:
    with pytest.raises(ValueError, match=r"no document|Expecting"):
        Document.from_json(text)
