"""All verbs of every noun, the replies, and what a document's frame says about its messages."""

from __future__ import annotations

from datetime import date

import pytest
from b2mml_documents import document, material, order, performance, quantity, schedule, taken
from b2mml_objects import NOW, bodies
from hypothesis import HealthCheck, Phase, given, settings
from lxml import etree

from canonical.b2mml import Answer, Document, Outcome, WriteError, acknowledge, confirm, read, write
from canonical.b2mml.nouns import FORMS
from canonical.b2mml.reader import bare_lane
from canonical.element import Element
from canonical.message import Action, Message, Verb
from canonical.objects import data_object

ONE = settings(
    max_examples=1, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), phases=(Phase.generate,)
)
NOUNS = {form.noun: form.object for form in FORMS.values() if form.object != "lot_transformation"}
VERBS = [verb for verb in Verb if verb is not Verb.CONFIRM]


def message(object_: str, body: Element | None, verb: Verb, **given: object) -> Message:
    return Message.of(object_, body, source="mes", site="lyon", occurred=NOW, recorded=NOW, verb=verb, **given)  # type: ignore[arg-type]


def says_more_than_its_id(body: Element) -> bool:
    return bool(body.model_dump(exclude_defaults=True).keys() - {"id"})


def back(xml: bytes, schema: etree.XMLSchema) -> Document:
    root = etree.fromstring(xml)
    assert schema.validate(root), f"{schema.error_log}\n{xml.decode()}"
    return read(xml, source="erp", site="lyon", recorded=NOW)


@pytest.mark.parametrize("noun", sorted(NOUNS))
@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_of_every_noun_is_valid_and_read_back(noun: str, verb: Verb, schema: etree.XMLSchema) -> None:
    object_ = NOUNS[noun]
    action = Action.REJECTED if verb.replies else Action.DELETE if verb is Verb.SYNC else None

    @ONE
    @given(bodies(object_).filter(says_more_than_its_id))
    def holds(body: Element) -> None:
        said = message(object_, body, verb, action=action, correlation="ask-1" if verb.replies else None)
        if noun == "OperationsEvent" and verb is not Verb.SYNC:
            with pytest.raises(WriteError, match="only notified"):
                write([said], created=NOW, sender="MES", bod_id="B")
            return
        document = back(write([said], created=NOW, sender="MES", bod_id="B"), schema)
        assert (document.verb, document.noun, document.bod_id, document.logical_id) == (verb, noun, "B", "MES")
        (heard,) = document.messages
        assert (heard.verb, heard.object, heard.key, heard.body) == (verb, object_, said.key, body)
        if verb.replies or verb is Verb.SYNC:
            assert heard.action is action
        assert heard.correlation == said.correlation

    holds()


BARE = sorted({object_ for object_ in NOUNS.values() if len(data_object(object_).key) == 1} - {"deviation"})


@pytest.mark.parametrize("object_", BARE)
@pytest.mark.parametrize(("verb", "key"), [(Verb.GET, ""), (Verb.GET, "X-1"), (Verb.CANCEL, "X-1"), (Verb.SYNC, "X-1")])
def test_a_thing_can_be_named_without_a_body(object_: str, verb: Verb, key: str, schema: etree.XMLSchema) -> None:
    if FORMS[object_].noun == "OperationsEvent":
        pytest.skip("events are only notified")
    lane = bare_lane(data_object(object_), key)
    said = message(object_, None, verb, key=key, lanes=(lane,), action=Action.DELETE if verb is Verb.SYNC else None)
    document = back(write([said], created=NOW, sender="MES", bod_id="B"), schema)
    assert document.faults == ()
    (heard,) = document.messages
    assert (heard.object, heard.verb, heard.key, heard.content) == (object_, verb, key, b"")


def test_an_acknowledgement_names_each_item_with_its_reason(schema: etree.XMLSchema) -> None:
    asked = taken(schedule(order("PO-1"), order("PO-2"), order("PO-3", material("1", quantity("x"))), order("PO-4")))
    outcomes = [
        Outcome(asked.messages[1].id, False, "no capacity", "CAP"),
        Outcome(asked.messages[2].id, modified=True, document="4711"),
    ]
    reply = back(acknowledge(asked, outcomes, created=NOW, sender="MES", bod_id="A-1"), schema)
    assert (reply.verb, reply.original_bod_id, reply.original_logical_id) == (Verb.ACKNOWLEDGE, "BOD-9", "ERP")
    assert [(m.key, m.action, m.reason, m.document, m.correlation, m.to) for m in reply.messages] == [
        ("PO-1", Action.ACCEPTED, None, None, "BOD-9", "ERP"),
        ("PO-2", Action.REJECTED, "CAP", None, "BOD-9", "ERP"),
        ("PO-4", Action.MODIFIED, None, "4711", "BOD-9", "ERP"),
    ]
    refused = [each for each in reply.responses if "PO-3" in each.expression]
    assert refused[0].action is Action.REJECTED
    assert "'x' is not a decimal number" in (refused[0].reason_code or "")


def test_the_facts_of_one_response_are_one_item_of_the_answer(schema: etree.XMLSchema) -> None:
    actuals = "".join(
        f"<MaterialActual><ID>{n}</ID><MaterialUse>Consumed</MaterialUse>{quantity()}</MaterialActual>" for n in "12"
    )
    told = taken(performance(f"<SegmentResponse><ID>R-1</ID>{actuals}</SegmentResponse>"))
    xml = acknowledge(told, [Outcome(told.messages[1].id, False, "no stock")], created=NOW, sender="ERP", bod_id="A")
    reply = back(xml, schema)
    assert [(each.action, each.reason_code) for each in reply.responses] == [(Action.REJECTED, "no stock")]
    assert {each.action for each in reply.messages} == {Action.REJECTED}


def test_a_document_of_bad_items_only_is_still_acknowledged(schema: etree.XMLSchema) -> None:
    asked = taken(schedule(order("PO-1", material("1", quantity("x")))))
    reply = back(acknowledge(asked, [], created=NOW, sender="MES", bod_id="A"), schema)
    assert [each.action for each in reply.responses] == [Action.REJECTED]


def test_an_event_is_answered_by_confirm_bod(schema: etree.XMLSchema) -> None:
    event = """<OperationsEvent><ID>D</ID><HierarchyScope><EquipmentID>C</EquipmentID><EquipmentLevel>WorkUnit
</EquipmentLevel></HierarchyScope><EffectiveTimeStamp>2026-03-02T06:00:00Z</EffectiveTimeStamp>
<Category>Downtime</Category></OperationsEvent>"""
    told = taken(document("Notify", "OperationsEvent", event))
    assert told.faults == ()
    reply = back(acknowledge(told, [], created=NOW, sender="CMMS", bod_id="A"), schema)
    assert (reply.verb, reply.noun, reply.original_bod_id) == (Verb.CONFIRM, "BOD", "BOD-9")
    assert reply.responses[0].action is Action.ACCEPTED


def test_what_can_t_be_read_at_all_is_confirmed_as_rejected(schema: etree.XMLSchema) -> None:
    xml = confirm(None, Answer(Action.REJECTED, reason="not XML"), created=NOW, sender="MES", bod_id="C")
    reply = back(xml, schema)
    assert (reply.responses[0].action, reply.responses[0].reason_code) == (Action.REJECTED, "not XML")


def test_each_item_has_its_own_action(schema: etree.XMLSchema) -> None:
    given = (("Add", "/OperationsRequest[ID='PO-1']"), ("Replaced", "/*"))
    criteria = "".join(
        f'<ActionCriteria><ActionExpression actionCode="{action}">{path}</ActionExpression></ActionCriteria>'
        for action, path in given
    )
    said = f"<Sync>{criteria}</Sync>"
    told = taken(schedule(order("PO-1"), order("PO-2"), verb="Sync", said=said))
    assert [each.action for each in told.messages] == [Action.ADD, Action.REPLACED]
    again = back(write(told.messages, created=NOW, sender="ERP", bod_id="B"), schema)
    assert [each.action for each in again.messages] == [Action.ADD, Action.REPLACED]


def test_a_sync_without_criteria_adds_and_a_process_says_no_action() -> None:
    assert taken(schedule(order("PO-1"), verb="Sync")).messages[0].action is Action.ADD
    assert taken(schedule(order("PO-1"))).messages[0].action is None


def test_an_action_that_is_none_is_refused() -> None:
    said = '<Sync><ActionCriteria><ActionExpression actionCode="Explode">/*</ActionExpression></ActionCriteria></Sync>'
    with pytest.raises(ValueError, match="'Explode' is none of Add"):
        taken(schedule(order("PO-1"), verb="Sync", said=said))


def test_the_frame_says_when_and_who() -> None:
    told = taken(
        performance(
            "<SegmentResponse><ID>R</ID><PostingDate>2026-03-01T23:30:00+01:00</PostingDate>"
            "<ActualEndTime>2026-03-02T04:00:00Z</ActualEndTime></SegmentResponse>",
            "<SegmentResponse><ID>R2</ID></SegmentResponse>",
        )
    )
    first, second = told.messages
    assert (first.posting, first.occurred.hour, second.occurred) == (date(2026, 3, 1), 4, told.created)
    assert (told.confirmation, told.bod_id, first.source, first.recorded) == ("Always", "BOD-9", "erp", NOW)


@pytest.mark.parametrize(
    ("head", "object_"),
    [
        ("<OperationsType>Production</OperationsType>", "production_order"),
        ("<OperationsType>Quality</OperationsType>", "inspection_order"),
        ("<OperationsType>Inventory</OperationsType>", "transfer_order"),
        ("<OperationsType>Maintenance</OperationsType>", "maintenance_order"),
        ("<OperationsType>Maintenance</OperationsType><RequestState>Forecast</RequestState>", "maintenance_request"),
        ("", "production_order"),
    ],
)
def test_the_operations_type_says_which_order_it_is(head: str, object_: str) -> None:
    assert [each.object for each in taken(schedule(order("X", head=head))).messages] == [object_]


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        ([], "no messages"),
        ([("production_order", Verb.SYNC), ("job_order", Verb.SYNC)], "several nouns"),
        ([("production_order", Verb.SYNC), ("production_order", Verb.PROCESS)], "several verbs"),
        ([("count", Verb.SYNC)], "has no B2MML noun"),
    ],
)
def test_what_is_no_one_document_is_not_written(messages: list[tuple[str, Verb]], reason: str) -> None:
    said = [message(name, None, verb, key="X", lanes=("x:X",)) for name, verb in messages]
    with pytest.raises(WriteError, match=reason):
        write(said, created=NOW, sender="MES", bod_id="B")


def test_an_order_whose_own_words_contradict_its_object_is_not_written() -> None:
    body = taken(schedule(order("X", head="<OperationsType>Quality</OperationsType>"))).messages[0].body
    with pytest.raises(WriteError, match="operations_type Quality, not Production"):
        write([message("production_order", body, Verb.SYNC)], created=NOW, sender="MES", bod_id="B")


def test_text_that_xml_can_t_hold_names_the_message() -> None:
    body = taken(schedule(order("X"))).messages[0].body.model_copy(update={"description": "a\x00b"})
    with pytest.raises(WriteError, match="production_order X: "):
        write([message("production_order", body, Verb.SYNC)], created=NOW, sender="MES", bod_id="B")
