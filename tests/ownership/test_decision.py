from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canonical.isa95.operations import OperationsRequest, SegmentRequirement
from canonical.message import Action, Message, Verb
from mombus.journal.requests import Asked, OpenRequest
from mombus.ownership.decision import Echo, Refused, Reply, Request, Statement, decide, digest
from mombus.ownership.versions import Older, Version, by_times, next_version

NOW = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)


def order(text: str = "water", *, source: str = "erp", occurred: datetime = NOW, **attributes) -> Message:
    body = OperationsRequest(id="PO-1", description=text, segment_requirement=(SegmentRequirement(id="10"),))
    return Message.of(
        "production_order", body, source=source, site="lyon", occurred=occurred, recorded=NOW, **attributes
    )


def asked(**changes) -> OpenRequest:
    row = OpenRequest(
        id="R1", asker="mes", owner="erp", object="production_order", verb="get", key="PO-1", site="lyon",
        lanes="order:PO-1", asked=NOW, expires=NOW + timedelta(seconds=30),
    )  # fmt: skip
    return replace(row, **changes)


def judged(message: Message, *, owner: str | None = "erp", said: Message | None = None, request=None):
    return decide(message, owner=owner, said=said, asked=request)


@pytest.mark.parametrize(
    ("verb", "action"),
    [
        (Verb.PROCESS, Action.ADD),
        (Verb.CHANGE, Action.CHANGE),
        (Verb.CANCEL, Action.DELETE),
        (Verb.SYNC, Action.CHANGE),
    ],
)
def test_what_the_owner_asks_for_it_states(verb, action):
    decision = judged(order(verb=verb))
    assert isinstance(decision, Statement)
    assert (decision.message.verb, decision.message.action) == (Verb.SYNC, action)
    assert decision.message.content == order().content


def test_nobody_may_state_what_nobody_owns():
    decision = judged(order(), owner=None)
    assert isinstance(decision, Refused)
    assert "declare its owner under `objects:`" in decision.reason


def test_another_system_saying_the_same_is_an_echo():
    assert judged(order(source="mes"), said=order()) == Echo("erp says the same", agrees=True)


def test_another_system_saying_otherwise_is_a_disagreement():
    decision = judged(order("juice", source="mes"), said=order())
    assert isinstance(decision, Refused)
    assert (decision.owner, decision.owner_says) == ("erp", order().content)


def test_a_key_that_the_owner_does_not_know_is_a_disagreement():
    decision = judged(order(source="mes"))
    assert isinstance(decision, Refused)
    assert (decision.owner, decision.owner_says) == ("erp", None)


@pytest.mark.parametrize(
    ("verb", "hours"), [(Verb.GET, 30 / 3600), (Verb.PROCESS, 24), (Verb.CHANGE, 24), (Verb.CANCEL, 24)]
)
def test_others_ask_the_owner_until_it_expires(verb, hours):
    decision = judged(order(source="mes", verb=verb))
    assert isinstance(decision, Request)
    assert (decision.message.to, decision.owner, decision.message.verb) == ("erp", "erp", verb)
    assert decision.expiry == timedelta(hours=hours)


def test_asking_again_later_is_another_request_but_creating_again_is_not():
    later = NOW + timedelta(minutes=1)
    for verb, same in ((Verb.GET, False), (Verb.CHANGE, False), (Verb.CANCEL, False), (Verb.PROCESS, True)):
        first = judged(order(source="mes", verb=verb)).message.id
        assert (judged(order(source="mes", verb=verb, occurred=later)).message.id == first) is same, verb
        assert judged(order(source="mes", verb=verb)).message.id == first, "read again it is the same"


def test_a_connectors_own_request_id_is_kept():
    assert judged(replace(order(source="mes", verb=Verb.GET), id="mine")).message.id == "mine"


def test_a_reply_goes_to_who_asked():
    decision = judged(order(verb=Verb.RESPOND, correlation="R1"), request=asked())
    assert isinstance(decision, Reply)
    assert (decision.message.to, decision.message.id) == ("mes", "R1:erp")


def test_only_the_first_answer_of_the_one_who_was_asked_counts():
    ack = order(verb=Verb.ACKNOWLEDGE, action=Action.ACCEPTED, correlation="R1")
    assert isinstance(judged(ack, request=asked(state=Asked.ANSWERED)), Echo)
    for request, why in (
        (None, "no request"),
        (asked(owner="qms"), "for qms"),
        (asked(state=Asked.EXPIRED), "expired"),
    ):
        decision = judged(ack, request=request)
        assert isinstance(decision, Refused)
        assert why in decision.reason


def test_a_get_of_everything_is_answered_by_many_shows():
    one, two = (judged(replace(order(verb=Verb.SHOW, correlation="R1"), key=key), request=asked(state=Asked.ANSWERED))
                for key in ("PO-1", "PO-2"))  # fmt: skip
    assert isinstance(one, Reply)
    assert one.message.id != two.message.id


def version(text: str, revision: int) -> Version:
    return Version(revision, digest(order(text)), "s", revision)


def test_versions_without_a_number_count_up_when_the_content_differs():
    assert next_version(order("a"), None).revision == 1
    assert next_version(order("b"), version("a", 4)).revision == 5
    assert isinstance(next_version(order("a"), version("a", 4)), Echo)


def test_the_owners_own_numbers_decide():
    assert next_version(order("b", revision=9), version("a", 4)).revision == 9
    assert next_version(order("a", revision=9), version("a", 4)).revision == 9
    assert isinstance(next_version(order("a", revision=4), version("a", 4)), Echo)
    assert isinstance(next_version(order("b", revision=3), version("a", 4)), Older)
    refused = next_version(order("b", revision=4), version("a", 4))
    assert isinstance(refused, Refused)
    assert "higher revision" in refused.reason


@given(st.lists(st.sampled_from("abc"), max_size=12))
def test_reading_everything_again_changes_nothing(texts):
    known, published = None, []
    for text in texts + texts[-1:]:
        result = next_version(order(text), known)
        if isinstance(result, Message):
            published.append(text)
            known = version(text, result.revision)
    assert all(left != right for left, right in pairwise(published))
    assert published[-1:] == texts[-1:]


@pytest.mark.parametrize(("occurred", "recorded", "holds"), [
    (1, 1, type(None)), (1, 0, type(None)), (0, 1, type(None)), (-1, -1, Older), (-1, 0, Older), (0, -1, Older),
    (1, -1, Refused), (-1, 1, Refused), (0, 0, Refused),
])  # fmt: skip
def test_a_state_without_a_revision_that_comes_late_goes_by_both_its_times(occurred, recorded, holds):
    newest, late = order("a"), order("b")
    times = [newest.occurred + timedelta(seconds=occurred), newest.recorded + timedelta(seconds=recorded)]
    assert isinstance(by_times(replace(late, occurred=times[0], recorded=times[1]), newest), holds)
