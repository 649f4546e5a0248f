"""A case saved from messages: what it masks, and that it plays again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import yaml
from trial_plant import case_file

from canonical.isa95.operations import OperationsRequest, PersonnelRequirement, SegmentRequirement
from canonical.isa95.quality import ReleaseDecision
from canonical.isa95.resources import Person
from canonical.message import Action, Message, Verb
from mombus.hub.trial.playing import playing
from mombus.trial.masking import Masks
from mombus.trial.reading import read
from mombus.trial.saving import Got, case_of

NOW = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)


def order(text: str = "call 0033 6 12 34 56 78", *, by: str | None = "j.doe") -> Message:
    who = PersonnelRequirement(id="1", person_id="j.doe")
    segment = SegmentRequirement(id="10", description="ask Jane", personnel_requirement=(who,))
    body = OperationsRequest(id="PO-1", description=text, segment_requirement=(segment,), priority=Decimal(1))
    return Message.of("production_order", body, source="erp", site="lyon", occurred=NOW, recorded=NOW, by=by)


def saved(*messages: Message, **more: object) -> str:
    return case_of(messages, **more)  # type: ignore[arg-type]


def test_persons_texts_and_numbers_are_pseudonyms_the_same_one_alike() -> None:
    text = saved(order(), order("another text"))
    assert "j.doe" not in text
    assert "Jane" not in text
    assert "0033" not in text
    (case,) = yaml.safe_load(text)["tests"]
    first, second = case["given"]
    assert first["by"] == second["by"] == "PERSON-1"
    segments = [given["body"]["segment_requirement"][0] for given in (first, second)]
    assert [one["personnel_requirement"][0]["person_id"] for one in segments] == ["PERSON-1", "PERSON-1"]
    assert segments[0]["description"] == segments[1]["description"] != first["body"]["description"]
    assert first["body"]["id"] == "PO-1"


def test_a_text_of_endless_words_is_masked_in_no_time() -> None:
    endless = f"{'a' * 300_000} a.b@acme.example {'1' * 300_000}"
    masked = Masks().message(replace(order(), reason=endless))
    assert masked.reason == f"{'a' * 300_000} contact-1@example.invalid {'1' * 300_000}"


def test_the_file_says_what_is_masked() -> None:
    assert saved(order()).startswith("# Saved from messages of the bus. Pseudonyms stand for persons, free text")


def test_who_decided_is_masked_as_who_said_so() -> None:
    body = ReleaseDecision(id="UD-1", material_lot_id="L-1", disposition="UnRestricted", decided=NOW, decided_by="lab1")
    said = Message.of("release_decision", body, source="qms", site="lyon", occurred=NOW, recorded=NOW, by="lab1")
    (case,) = yaml.safe_load(saved(said, got={"mes": [Got(said)]}))["tests"]
    assert case["given"][0]["by"] == case["given"][0]["body"]["decided_by"] == "PERSON-1"
    assert case["expect"]["mes"][0]["body"]["decided_by"] == "PERSON-1"


def test_a_persons_own_id_and_name_are_masked() -> None:
    body = Person(id="j.doe", name="Jane Doe", description="knows the filler; jane@acme.example")
    text = saved(Message.of("person", body, source="mes", site="lyon", occurred=NOW, recorded=NOW))
    assert not [word for word in ("j.doe", "Jane", "acme") if word in text]
    assert "name: person PERSON-1 as mes said it" in text
    gone = Message.of(
        "person", None, source="mes", site="lyon", key="j.doe", lanes=("person:j.doe",), occurred=NOW, recorded=NOW,
        action=Action.DELETE,
    )  # fmt: skip
    assert "j.doe" not in saved(gone)


async def test_what_was_saved_plays_again(tmp_path: Path) -> None:
    file = tmp_path / "saved.test.yaml"
    case_file(tmp_path, "name: x\ngiven: {production_order: {id: A, segment_requirement: [{id: '1'}]}}")
    file.write_text(saved(order(), name="saved", got={"ledger": [Got(order())]}), encoding="utf-8")
    shown = read(file)
    assert shown.config is not None, shown.findings
    async with playing() as play:
        ran = await play.file(shown, shown.tests)
    assert [result.passed for result in ran.results] == [True]


async def test_what_a_target_answered_is_answered_again_under_a_pseudonym(tmp_path: Path) -> None:
    file = case_file(tmp_path, "name: x\ngiven: {production_order: {id: A, segment_requirement: [{id: '1'}]}}")
    posted = saved(order(), name="posted", got={"ledger": [Got(order(), number="1")]})
    refused = saved(order(), name="refused", got={"ledger": [Got(order(), refused="ask Jane Doe")]})
    answers = [yaml.safe_load(text)["tests"][0]["answers"]["ledger"] for text in (posted, refused)]
    assert answers == [
        [{"object": "production_order", "number": "NUMBER-1"}], [{"object": "production_order", "refuses": "text 3"}]
    ]  # fmt: skip
    assert "priority: '1'" in posted, "a short number stands for itself elsewhere"
    file.write_text(posted + refused.partition("tests:\n")[2], encoding="utf-8")
    shown = read(file)
    assert shown.config is not None, shown.findings
    async with playing() as play:
        ran = await play.file(shown, shown.tests)
    assert [result.passed for result in ran.results] == [True, True]


def test_answers_that_cannot_be_told_apart_are_left_out() -> None:
    both = saved(order(), order(), got={"ledger": [Got(order(), number="4711"), Got(order(), number="4712")]})
    (case,) = yaml.safe_load(both)["tests"]
    assert ("answers" in case, "471" in both) == (False, False)


def test_what_nobody_got_is_saved_as_a_case_that_expects_just_that(tmp_path: Path) -> None:
    case_file(tmp_path, "name: x\ngiven: {}")
    file = tmp_path / "saved.test.yaml"
    file.write_text(saved(order(), got={}), encoding="utf-8")
    shown = read(file)
    assert shown.config is not None, shown.findings
    assert [(case.case.nobody_else, dict(case.case.expect)) for case in shown.tests] == [(True, {})]


def test_verbs_dates_and_deletions_are_kept() -> None:
    get = Message.of(
        "production_order", None, verb=Verb.GET, source="mes", site="lyon", key="PO-1", lanes=("order:PO-1",),
        occurred=NOW, recorded=NOW, posting=date(2026, 3, 2),
    )  # fmt: skip
    (case,) = yaml.safe_load(saved(get))["tests"]
    assert case["given"] == [{
        "from": "mes", "object": "production_order", "verb": "get", "occurred": "2026-03-02T06:00:00+00:00",
        "posting": "2026-03-02", "key": "PO-1",
    }]  # fmt: skip
