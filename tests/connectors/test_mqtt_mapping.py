"""What the MES says and is told, word for word."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from canonical.isa95.events import Downtime
from canonical.isa95.operations import (
    InventoryMovement,
    MaterialActual,
    MaterialConsumption,
    MaterialRequirement,
    OperationsRequest,
    SegmentRequirement,
    SegmentResponse,
)
from canonical.isa95.quality import PropertyMeasurement, QualityResult, ReleaseDecision
from canonical.isa95.resources import Equipment
from canonical.isa95.work import JobOrder, JobResponse
from canonical.message import Action, Message, Origin, Verb
from canonical.quantity import Quantity, Value
from connectors.connector import Fault, MappingError, Offer, Surroundings
from connectors.mes.mqtt import MesMqtt, MesMqttConfig
from connectors.mes.orders import document
from connectors.mes.reports import READERS
from connectors.protocols.mqtt.link import Letter

T0, T1 = "2026-03-02T06:00:00+01:00", "2026-03-02T07:30:00+01:00"
START, END = datetime.fromisoformat(T0), datetime.fromisoformat(T1)
ENVELOPE = {"msgId": "m-1", "ts": T1}
JOB = {"orderNo": "PO-1", "jobNo": "PO-1-J1", "workCenter": "LINE1", "article": "FG-1000", "uom": "PC"}


def read(topic: str, note: dict[str, Any]) -> tuple[tuple[Message, ...], tuple[Fault, ...]]:
    mes = MesMqtt(
        MesMqttConfig(connector="mes.mqtt", url="mqtt://broker"), Surroundings("mes", "lyon", ZoneInfo("Europe/Paris"))
    )
    item = mes._item(Letter(f"mes/out/{topic}", json.dumps(ENVELOPE | note).encode(), 1, lambda: None), T1)
    return tuple(message for message in item.messages if isinstance(message, Message)), item.faults


def one(topic: str, note: dict[str, Any]) -> Message:
    messages, faults = read(topic, note)
    assert not faults
    (message,) = messages
    assert message.source == "mes"
    assert message.verb == topic.split("/")[1]
    return message


def test_a_confirmation() -> None:
    note = JOB | {
        "confirmationNo": "PO-1-C1", "step": "0010", "final": True, "lot": "PO-1-L1", "good": 120.5, "scrap": "3",
        "scrapReason": "REJECT", "startAt": T0, "endAt": T1, "postingDate": "2026-03-02", "shift": "early",
    }  # fmt: skip
    message = one("production_response/sync", note)
    assert (message.key, message.lane, message.revision) == ("PO-1-C1", "order:PO-1", 0)
    assert (message.occurred, message.posting) == (END, date(2026, 3, 2))
    body = message.body
    assert isinstance(body, SegmentResponse)
    assert (body.segment_state, body.segment_requirement_id) == ("Completed", "0010")
    good, scrap = body.material_actual
    assert (good.material_lot_id, good.quantity) == ("PO-1-L1", Quantity(value="120.5", unit_of_measure="H87"))
    assert scrap.quantity is not None
    assert scrap.quantity.value == Decimal(3)
    assert [(p.id, p.value and p.value.value) for p in scrap.material_actual_property] == [
        ("disposition", "scrap"),
        ("reason", "REJECT"),
    ]


def test_a_consumption() -> None:
    note = {
        "confirmationNo": "PO-1-C1",
        "line": 4,
        "orderNo": "PO-1",
        "article": "WATER",
        "qty": 0.1,
        "uom": "L",
        "at": T1,
    }
    message = one("material_consumption/sync", note)
    assert message.key == "PO-1-C1/4"
    body = message.body
    assert isinstance(body, MaterialConsumption)
    assert body.material_actual[0].quantity == Quantity(value="0.1", unit_of_measure="LTR")


def test_a_stop_is_one_fact_with_revisions() -> None:
    note = {"stopNo": "S1", "workCenter": "CAPPER1", "orderNo": "PO-1", "startAt": T0}
    opened = one("downtime/sync", note | {"rev": 0, "status": "OPEN"})
    closed = one("downtime/sync", note | {"rev": 1, "status": "CLOSED", "endAt": T1})
    reason = {"code": "CAP-JAM", "group": "mechanical", "text": "Cap jammed"}
    reasoned = one("downtime/sync", note | {"rev": 2, "status": "REASONED", "endAt": T1, "reason": reason})
    assert [message.revision for message in (opened, closed, reasoned)] == [0, 1, 2]
    assert len({message.key for message in (opened, closed, reasoned)}) == 1
    assert len({message.id for message in (opened, closed, reasoned)}) == 3
    assert (opened.origin, opened.occurred, closed.occurred) == (Origin.MACHINE, START, END)
    body = reasoned.body
    assert isinstance(body, Downtime)
    assert body.reason is not None
    assert (body.state, body.reason.category) == ("reasoned", "mechanical")


def test_a_job_and_its_report() -> None:
    parts = [{"article": "CAP-28", "qty": "240", "uom": "PC"}]
    ordered = one("job_order/sync", JOB | {"rev": 3, "status": "RELEASED", "qty": 240, "step": "0010", "parts": parts})
    body = ordered.body
    assert isinstance(body, JobOrder)
    assert (ordered.key, ordered.lane, ordered.revision) == ("PO-1-J1", "order:PO-1", 3)
    assert (body.command, body.dispatch_status, body.equipment_requirement[0].equipment_id) == (
        "Start",
        "Dispatched",
        "LINE1",
    )
    assert [m.material_use for m in body.material_requirement] == ["Produced", "Consumed"]
    note = JOB | {"reportNo": "R1", "status": "DONE", "good": 240, "scrap": 0, "startAt": T0, "endAt": T1}
    report = one("job_response/sync", note).body
    assert isinstance(report, JobResponse)
    assert (report.job_state, len(report.material_actual)) == ("Completed", 1)


def test_equipment_comes_as_a_list() -> None:
    units = [{"code": "LINE1", "level": "ProductionLine"}, {"code": "CAPPER1", "level": "WorkUnit", "parent": "LINE1"}]
    messages, faults = read("equipment/sync", {"units": units})
    assert not faults
    assert [message.key for message in messages] == ["LINE1", "CAPPER1"]
    body = messages[1].body
    assert isinstance(body, Equipment)
    assert body.equipment_property[0].value == Value(value="LINE1")


def test_requests_keep_the_number_of_the_mes() -> None:
    repair = one(
        "maintenance_request/process",
        {"requestNo": "MR-1", "workCenter": "CAPPER1", "text": "Cap chute", "priority": 2},
    )
    assert (repair.verb, repair.key, repair.lane) == (Verb.PROCESS, "MR-1", "equipment:CAPPER1")
    note = {"requestNo": "QI-1", "orderNo": "PO-1", "article": "FG-1000", "lot": "PO-1-L1", "qty": 240, "uom": "PC"}
    test = one("inspection_order/process", note)
    assert (test.key, test.lane) == ("QI-1", "order:PO-1")
    body = test.body
    assert isinstance(body, OperationsRequest)
    assert body.segment_requirement[0].material_requirement[0].material_lot_id == "PO-1-L1"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"endAt": "2026-03-02T05:00:00+01:00"}, "is before"),
        ({"good": "NaN"}, "good"),
        ({"good": True}, "good: .*not a decimal"),
        ({"surprise": 1}, "surprise: Extra inputs"),
        ({"orderNo": "a\nb"}, "control characters"),
        ({"startAt": 1772432400}, "startAt: .*ISO 8601"),
        ({"startAt": "1601-01-01T00:00:00Z"}, "placeholder"),
    ],
)
def test_a_note_that_is_wrong_says_where(change: dict[str, Any], words: str) -> None:
    note = JOB | {"confirmationNo": "C1", "final": True, "good": 1, "startAt": T0, "endAt": T1}
    messages, (fault,) = read("production_response/sync", note | change)
    assert not messages
    import re  # noqa: PLC0415

    assert re.search(words, fault.reason), fault.reason
    assert fault.place == "mes/out/production_response/sync"


def test_every_offer_is_read_and_hostile_ids_pass() -> None:
    assert set(READERS) == MesMqtt.offers
    hostile = "a.*>/ü 中"
    message = one("maintenance_request/process", {"requestNo": hostile, "workCenter": hostile, "text": "x"})
    assert message.key == hostile.replace("/", "%2F")
    assert message.subject.count(".") == 6


def told(object: str, body: Any, **attributes: Any) -> dict[str, Any]:
    now = datetime(2026, 3, 2, tzinfo=UTC)
    return document(Message.of(object, body, source="erp", site="lyon", occurred=now, recorded=now, **attributes))


def request(*materials: MaterialRequirement, **attributes: Any) -> OperationsRequest:
    return OperationsRequest(
        id="PO-1", segment_requirement=(SegmentRequirement(id="0010", material_requirement=materials),), **attributes
    )


MADE = MaterialRequirement(
    id="1", material_definition_id="FG-1000", material_use="Produced",
    quantity=Quantity(value="240", unit_of_measure="H87"),
)  # fmt: skip
USED = MaterialRequirement(
    id="2", material_definition_id="WATER", material_use="Consumed",
    quantity=Quantity(value="120.0", unit_of_measure="LTR"),
)  # fmt: skip


def test_an_order_is_told() -> None:
    assert told("production_order", request(MADE, USED)) == {
        "orderNo": "PO-1", "status": "RELEASED", "article": "FG-1000", "qty": "240", "uom": "PC", "step": "0010",
        "parts": [{"article": "WATER", "qty": "120.0", "uom": "L"}],
    }  # fmt: skip
    assert told("production_order", request(MADE, request_state="Cancelled"))["status"] == "CANCELLED"
    deleted = told("production_order", None, key="PO-1", lanes=("order:PO-1",), action=Action.DELETE)
    assert deleted == {"orderNo": "PO-1", "status": "CANCELLED"}
    with pytest.raises(MappingError, match="PO-1 names no produced material"):
        told("production_order", request(USED))


def test_a_movement_is_told() -> None:
    actual = MaterialActual(
        id="1", material_definition_id="CAP-28", material_use="Inventoried", storage_location="LINE1",
        quantity=Quantity(value="260", unit_of_measure="H87"),
    )  # fmt: skip
    response = SegmentResponse(id="1", operations_request_id="PO-1", material_actual=(actual,))
    assert told("inventory_movement", InventoryMovement(id="49/1", segment_response=(response,))) == {
        "movementNo": "49/1", "orderNo": "PO-1",
        "items": [{"article": "CAP-28", "qty": "260", "uom": "PC", "lot": None, "use": "Inventoried", "to": "LINE1"}],
    }  # fmt: skip
    nothing = actual.model_copy(update={"quantity": None})
    with pytest.raises(MappingError, match="no quantity"):
        told(
            "inventory_movement",
            InventoryMovement(id="1", segment_response=(response.model_copy(update={"material_actual": (nothing,)}),)),
        )


def test_quality_is_told() -> None:
    measured = PropertyMeasurement(
        id="1", testable_object_property_id="FILL", value=Value(value="500.1", unit_of_measure="MLT")
    )
    result = QualityResult(
        id="r1", testable_object_id="L1", production_order_id="PO-1", evaluated_criterion_result="Pass",
        property_measurement=(measured,),
    )  # fmt: skip
    assert told("quality_result", result) == {
        "resultNo": "r1", "orderNo": "PO-1", "lot": "L1", "characteristic": "FILL", "value": "500.1", "uom": "MLT",
        "verdict": "Pass",
    }  # fmt: skip
    decision = ReleaseDecision(id="d1", material_lot_id="L1", disposition="Restricted", decided=END)
    assert told("release_decision", decision)["decision"] == "BLOCKED"


def test_replies_carry_the_number() -> None:
    attributes = {"key": "MR-1", "lanes": ("equipment:CAPPER1",), "verb": Verb.ACKNOWLEDGE, "to": "mes"}
    accepted = told("maintenance_request", None, action=Action.ACCEPTED, document="5001", **attributes)
    assert accepted == {"requestNo": "MR-1", "status": "ACCEPTED", "docNo": "5001", "by": "erp"}
    rejected = told("maintenance_request", None, action=Action.REJECTED, reason="no such asset", **attributes)
    assert (rejected["status"], rejected["reason"]) == ("REJECTED", "no such asset")


def test_what_it_has_no_word_for() -> None:
    assert Offer("equipment") not in MesMqtt.accepts
    with pytest.raises(MappingError, match="no word for equipment"):
        told("equipment", Equipment(id="LINE1"))
