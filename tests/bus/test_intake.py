from __future__ import annotations

import asyncio
import os
import shutil
import signal
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from patience import PATIENCE_S, until
from sayings import NOW, consumption, material, order
from working_spool import working_spool

from canonical.message import Action, Message, Verb
from connectors.connector import Fault, Gap, Item
from mombus.bus.connection import connect
from mombus.bus.errors import NotReachable
from mombus.bus.intake import Intake
from mombus.bus.known import Known
from mombus.bus.raw import read_raw
from mombus.bus.requests import Requests
from mombus.bus.streams import DEAD, MOM, RAW, Limits
from mombus.config.model import Ownership, References
from mombus.journal import disagreements, parked
from mombus.journal import requests as request_rows
from mombus.journal.journal import Journal
from mombus.journal.parked import Parked
from mombus.journal.requests import Asked
from mombus.ownership import decision
from mombus.ownership.aliases import Aliases
from mombus.ownership.owners import Owners

OWNERS = Owners((
    Ownership(object="production_order", owner="erp"),
    Ownership(object="material", owner="erp"),
    Ownership(object="material_consumption", owner="mes"),
    Ownership(object="maintenance_request", owner="cmms"),
))  # fmt: skip


@pytest.fixture
async def journal(tmp_path):
    opened = await Journal.open(f"sqlite:///{tmp_path / 'journal.db'}")
    yield opened
    await opened.close()


async def an_intake(bus, journal, aliases=None) -> Intake:
    intake = Intake(
        bus=bus, journal=journal, owners=OWNERS, aliases=Aliases(aliases or {}, journal),
        requests=Requests(bus, journal), site="lyon",
    )  # fmt: skip
    await intake.start()
    return intake


@pytest.fixture
async def intake(bus, journal):
    return await an_intake(bus, journal)


async def said(bus) -> list[Message]:
    """Everything in MOM, in order."""
    last = (await bus.js.stream_info(MOM)).state.last_seq
    found = [await bus.at(MOM, seq) for seq in range(1, last + 1)]
    return [message for message in found if message is not None]


async def say(intake: Intake, system: str, *messages: Message | Gap, **item):
    return list(await intake.accept(system, Item(messages=messages, **item)))


async def latest_is(bus, text, key="PO-4711"):
    async def look():
        found = await bus.latest("production_order", key, site="lyon")
        return found is not None and found.content and found.body.description == text

    await until(look)


async def test_the_owners_word_gets_revisions_and_repetitions_are_echoes(bus, intake):
    for text in ("a", "a", "b", "b", "a"):
        (outcome,) = await say(intake, "erp", order(text=text))
        assert outcome.accepted
    assert [(m.revision, m.body.description) for m in await said(bus)] == [(1, "a"), (2, "b"), (3, "a")]
    assert intake.counts["erp", "production_order", "echo"] == 2


async def test_revisions_go_on_after_a_restart_and_after_mom_forgot(bus, journal, intake):
    await say(intake, "erp", order(text="a"))
    again = await an_intake(bus, journal)
    assert (await say(again, "erp", order(text="a")))[0].reason == "said before"
    await latest_is(bus, "a")
    await bus.js.purge_stream(MOM)
    forgotten = await an_intake(bus, journal)
    assert (await say(forgotten, "erp", order(text="a")))[0].reason == "said before"
    await say(forgotten, "erp", order(text="b"))
    assert [m.revision for m in await said(bus)] == [2]


async def test_two_hubs_writing_one_key_give_every_version_one_number(broker, bus, journal, intake):
    async with connect(broker.url) as other_bus:
        other = await an_intake(other_bus, journal)
        await asyncio.gather(*(
            say(one, "erp", order(text=f"{name}{n}")) for n in range(20) for name, one in (("x", intake), ("y", other))
        ))  # fmt: skip
    assert [m.revision for m in await said(bus)] == list(range(1, 41))


async def test_the_owners_own_numbers(bus, intake):
    outcomes = [
        (await say(intake, "erp", order(text=text, revision=revision)))[0]
        for text, revision in (("a", 10), ("older", 9), ("other", 10), ("b", 12))
    ]
    assert [o.accepted for o in outcomes] == [True, True, False, True]
    assert "older than 10" in outcomes[1].reason
    assert [m.revision for m in await said(bus)] == [10, 12]
    (kept,) = await intake._journal.read(parked.rows)
    assert (kept.kind, kept.message.body.description) == (Parked.REFUSED, "other")


async def test_one_item_is_one_batch_in_order_and_says_the_same_key_twice(bus, intake):
    outcomes = await say(
        intake, "erp", order("PO-1"), order("PO-2"), order("PO-1", "changed"), order("PO-3"), order("PO-1", "water")
    )
    assert all(o.accepted for o in outcomes)
    assert [(m.key, m.revision) for m in await said(bus)] == [
        ("PO-1", 1), ("PO-2", 1), ("PO-1", 2), ("PO-3", 1), ("PO-1", 3)
    ]  # fmt: skip


async def test_pushed_orders_become_statements_and_a_cancel_a_deletion(bus, intake):
    await say(intake, "erp", order(verb=Verb.PROCESS))
    await say(intake, "erp", order(text="more", verb=Verb.CHANGE))
    await say(intake, "erp", order(text="more", verb=Verb.CANCEL))
    await say(intake, "erp", order(text="more", verb=Verb.CANCEL))
    found = [(m.verb, m.action, m.revision) for m in await said(bus)]
    assert found == [(Verb.SYNC, Action.ADD, 1), (Verb.SYNC, Action.CHANGE, 2), (Verb.SYNC, Action.DELETE, 3)]


async def test_one_bad_message_stops_no_other(bus, intake, journal):
    unreadable = replace(order("PO-2"), content=b'{"id": 7}', _body=None)
    stolen = material(source="qms")
    unknown = replace(order("PO-3"), object="nonsense")
    outcomes = await say(intake, "erp", order("PO-1"), unreadable, stolen, unknown, order("PO-4"))
    assert [o.accepted for o in outcomes] == [True, False, False, False, True]
    assert [m.key for m in await said(bus)] == ["PO-1", "PO-4"]
    assert len(await journal.read(parked.rows)) == 3


async def test_an_object_that_nobody_owns_is_refused_kept_and_can_be_tried_again(bus, intake, journal):
    quality = replace(material(source="wms"), object="downtime")
    stray = replace(quality, object="material_class")
    (outcome,) = await say(intake, "wms", stray)
    assert "nobody owns material_class" in outcome.reason
    (kept,) = await journal.read(parked.rows)
    assert (await intake.retry(kept.id)).accepted is False
    assert await intake.dismiss(kept.id, who="ann", why="not ours")
    assert await journal.read(parked.rows) == []
    with pytest.raises(LookupError):
        await intake.retry(kept.id)


async def test_documents_and_faults_are_kept_once_and_the_bookmark_moves_last(bus, intake, journal):
    told = []

    async def settle(outcomes):
        assert await intake.bookmark("erp") == "7"
        told.append([o.accepted for o in outcomes])

    raw = b"<doc>" + b"x" * 2_000_000
    item = Item(
        messages=(order(),), faults=(Fault("/Doc/Order[2]", "no id", b"<Order/>"),), raw=raw,
        content_type="application/xml", document="D-1", bookmark="7", settle=settle,
    )  # fmt: skip
    for _ in range(2):
        await intake.accept("erp", item)
    assert told == [[True], [True]]
    (fault,) = await journal.read(parked.rows)
    assert (fault.place, fault.reason, fault.content) == ("D-1: /Doc/Order[2]", "no id", b"<Order/>")
    with pytest.raises(LookupError, match=r"mend the mapping, then `mombus replay --kept --source erp`"):
        await intake.retry(fault.id)
    assert (await bus.js.stream_info(DEAD)).state.messages == 1
    assert (await bus.js.stream_info(RAW)).state.messages == 3
    headers, _ = await bus.stored(MOM, "mom.>")
    kept = await read_raw(bus, site="lyon", system="erp", id=headers["ce-raw"])
    assert kept is not None
    assert kept.content == raw


async def test_a_gap_is_a_message_of_its_system_and_its_end_a_revision(bus, intake):
    gap = Gap(what="subscription", since=NOW, reason="server restarted", lost=3)
    await say(intake, "line1", gap)
    await say(intake, "line1", replace(gap, until=NOW + timedelta(seconds=9)))
    first, second = await said(bus)
    assert (first.object, first.source, first.body.lost, first.revision) == ("gap", "line1", 3, 0)
    assert (second.key, second.revision) == (first.key, 1)


async def test_facts_said_again_are_one_and_said_otherwise_refused(bus, journal, intake):
    for one in (intake, intake, await an_intake(bus, journal)):
        (outcome,) = await say(one, "mes", consumption("5"))
        assert outcome.accepted
    assert len(await said(bus)) == 1
    for one in (intake, await an_intake(bus, journal)):
        (outcome,) = await say(one, "mes", consumption("6"))
        assert not outcome.accepted
        assert "higher revision" in outcome.reason
    await say(intake, "mes", consumption("6", revision=1))
    assert [m.revision for m in await said(bus)] == [0, 1]


async def test_facts_that_partly_are_known_are_completed(bus, intake):
    await say(intake, "mes", consumption("5", line="1"))
    await say(intake, "mes", consumption("5", line="1"), consumption("7", line="2"))
    assert [m.key for m in await said(bus)] == ["R-1/1", "R-1/2"]


async def test_too_large_a_message_is_kept_with_its_size_and_others_go_on(broker, journal):
    async with connect(broker.url, limits=Limits(), largest_body_bytes=1_000_000) as bus:
        intake = await an_intake(bus, journal)
        outcomes = await say(intake, "erp", order("PO-1"), order("PO-2", "x" * 1_100_000), order("PO-3"))
    assert [o.accepted for o in outcomes] == [True, False, True]
    assert "at most 1000000 are taken" in outcomes[1].reason
    (kept,) = await journal.read(parked.rows)
    assert kept.kind is Parked.TOO_LARGE
    assert len(kept.message.body.description) == 1_100_000


async def test_a_disagreement_opens_shows_the_fields_and_closes_when_the_system_gives_in(bus, journal, intake):
    await say(intake, "erp", order(text="water"))
    await latest_is(bus, "water")
    for text in ("juice", "tea"):
        (outcome,) = await say(intake, "wms", order(text=text, source="wms"))
        assert not outcome.accepted
    (row,) = await journal.read(disagreements.rows)
    assert (row.system, row.owner, row.fields, row.times) == ("wms", "erp", ("description",), 2)
    assert row.since <= row.last_seen
    assert len(await said(bus)) == 1, "never forwarded"
    (outcome,) = await say(intake, "wms", order(text="water", source="wms"))
    assert outcome.accepted
    assert await journal.read(disagreements.rows) == []
    (closed,) = await journal.read(lambda c: disagreements.rows(c, closed=True))
    assert "owner's value" in closed.how


async def test_an_echo_faster_than_latest_is_no_disagreement(bus, journal, intake):
    for n in range(50):
        await say(intake, "erp", order(f"PO-{n}"))
        (outcome,) = await say(intake, "mes", order(f"PO-{n}", source="mes"))
        assert outcome.accepted
    assert await journal.read(disagreements.rows) == []


async def test_a_disagreement_closes_when_the_owner_changes_its_mind_after_a_restart(bus, journal, intake):
    await say(intake, "erp", order(text="water"))
    await latest_is(bus, "water")
    await say(intake, "wms", order(text="juice", source="wms"))
    again = await an_intake(bus, journal)
    await say(again, "erp", order(text="tea"))
    assert len(await journal.read(disagreements.rows)) == 1
    await say(again, "erp", order(text="juice"))
    assert await journal.read(disagreements.rows) == []


async def test_a_thing_its_owner_does_not_know_is_a_disagreement(journal, intake):
    await say(intake, "wms", order("PO-GHOST", source="wms"))
    (row,) = await journal.read(disagreements.rows)
    assert row.owner_says is None


@pytest.mark.parametrize("stored", range(4))
async def test_an_item_that_is_read_again_after_a_kill_adds_nothing(bus, journal, stored):
    """There and back again in one item, without revisions; the hub was killed when so many were stored."""
    texts = ("a", "b", "a")
    for text in texts[:stored]:
        await say(await an_intake(bus, journal), "erp", order(text=text))
    for _ in range(3):
        outcomes = await say(await an_intake(bus, journal), "erp", *(order(text=text) for text in texts))
        assert all(outcome.accepted for outcome in outcomes)
    was = [m.body.description for m in await said(bus)]
    assert was[-1] == "a"
    assert was == (["a"] if stored == 1 else ["a", "b", "a"])


async def test_a_state_that_is_what_it_was_again_waits_behind_what_it_was_meanwhile(bus, journal):
    texts = ("b", "c", "b")
    for _ in range(3):
        intake = await an_intake(bus, journal, {"erp": {"material": {"30001": "BOTTLE-05"}}})
        await say(intake, "erp", *(material("30009", text) for text in texts))
    declared = {"erp": {"material": {"30009": "CAP-28"}}}
    await an_intake(bus, journal, declared)
    assert [m.body.description for m in await said(bus)] == ["c", "b"]
    waiting = await an_intake(bus, journal, {"erp": {"material": {"30001": "BOTTLE-05"}}})
    await say(waiting, "erp", material("30009", "c"))
    await an_intake(bus, journal, declared)
    assert [m.body.description for m in await said(bus)] == ["c", "b", "c"], "it is said again, though it waited before"


async def test_a_fact_by_another_system_is_compared_with_the_owners(bus, journal, intake):
    await say(intake, "mes", consumption("5"))
    (echo,) = await say(intake, "erp", consumption("5", source="erp"))
    (other,) = await say(intake, "erp", consumption("6", source="erp"))
    assert (echo.accepted, other.accepted) == (True, False)
    (row,) = await journal.read(disagreements.rows)
    assert row.fields == ("material_actual.0.quantity.value",)
    assert len(await said(bus)) == 1


async def test_what_has_no_alias_waits_with_what_follows_and_passes_in_order(bus, journal):
    tables = {"erp": {"material": {"30001": "BOTTLE-05"}}}
    intake = await an_intake(bus, journal, tables)
    for key, text in (("30001", "a"), ("30009", "b"), ("30009", "c"), ("30001", "d")):
        (outcome,) = await say(intake, "erp", material(key, text))
        assert outcome.accepted
    assert [m.key for m in await said(bus)] == ["BOTTLE-05", "BOTTLE-05"]
    assert [row.kind for row in await journal.read(parked.rows)] == [Parked.ALIAS, Parked.BEHIND]
    assert await intake.release() == 0
    declared = {"erp": {"material": {"30001": "BOTTLE-05", "30009": "CAP-28"}}}
    await say(intake, "erp", material("30009", "e"))
    again = await an_intake(bus, journal, declared)
    assert await again.release() == 0, "they passed when it started"
    assert [(m.key, m.body.description) for m in await said(bus)][2:] == [
        ("CAP-28", "b"), ("CAP-28", "c"), ("CAP-28", "e")
    ]  # fmt: skip
    assert await journal.read(parked.rows) == []


def request(source="mes", verb=Verb.PROCESS, key="MR-1", **attributes) -> Message:
    body = order(key).body
    return Message.of(
        "maintenance_request", body, source=source, site="lyon", occurred=NOW, recorded=NOW, verb=verb, **attributes
    )


async def test_a_request_goes_to_its_owner_and_the_first_answer_back_after_a_restart(bus, journal, intake):
    (asked,) = await say(intake, "mes", request())
    again = await an_intake(bus, journal)
    service = Requests(bus, journal)
    running = asyncio.gather(*service.running())
    ack = request("cmms", Verb.ACKNOWLEDGE, action=Action.ACCEPTED, correlation=asked.message_id, document="WO-9")
    assert (await say(again, "cmms", ack))[0].accepted

    async def state():
        return (await service.find(asked.message_id)).state is Asked.ANSWERED

    await until(state)
    running.cancel()
    going, coming = await said(bus)
    assert (going.verb, going.to, going.source) == (Verb.PROCESS, "cmms", "mes")
    assert (coming.to, coming.correlation, coming.document) == ("mes", going.id, "WO-9")
    second = replace(ack, document="WO-10")
    (late,) = await say(again, "cmms", second)
    assert late.reason == "the request is answered already: the first answer counts"
    assert len(await said(bus)) == 2
    (echo,) = await say(again, "mes", request())
    assert echo.reason == "asked before"
    row = await service.find(going.id)
    assert (row.asker, row.owner, row.document) == ("mes", "cmms", "WO-9")


async def test_an_answer_to_nothing_and_one_by_a_stranger_are_refused(bus, intake):
    (asked,) = await say(intake, "mes", request())
    for source, correlation in (("cmms", "nothing"), ("wms", asked.message_id)):
        (outcome,) = await say(intake, source, request(source, Verb.RESPOND, correlation=correlation))
        assert not outcome.accepted
    assert len(await said(bus)) == 1


async def test_silence_is_answered_too(bus, journal, intake):
    (asked,) = await say(intake, "mes", request(verb=Verb.GET))
    service = Requests(bus, journal)
    assert await service.expire(datetime.now(UTC) + timedelta(seconds=29)) == 0
    assert await service.expire(datetime.now(UTC) + timedelta(seconds=31)) == 1
    assert await service.expire(datetime.now(UTC) + timedelta(seconds=32)) == 0
    _, told = await said(bus)
    assert (told.action, told.to, told.source, told.correlation) == (Action.REJECTED, "mes", "cmms", asked.message_id)
    assert "cmms did not answer" in told.reason
    assert await service.is_over(asked.message_id)
    (late,) = await say(intake, "cmms", request("cmms", Verb.SHOW, correlation=asked.message_id))
    assert "expired" in late.reason


async def test_what_its_owner_is_being_told_does_not_expire_until_it_is_let_go(bus, journal, intake):
    (asked,) = await say(intake, "mes", request())
    service, later = Requests(bus, journal), datetime.now(UTC) + timedelta(days=2)
    assert await service.act_on(asked.message_id)
    assert await service.expire(later) == 0
    await journal.write(lambda c: request_rows.let_go(c, [asked.message_id]))
    assert await service.expire(later) == 1
    assert not await service.act_on(asked.message_id), "its asker was told"


async def test_one_that_is_let_go_when_its_time_is_over_expires_soon(bus, journal, intake, monkeypatch):
    """Its owner is being told of it when it should expire, and is away: nothing else may happen for a minute."""
    monkeypatch.setattr(decision, "LONG_EXPIRY", timedelta(seconds=0.05))
    monkeypatch.setattr("mombus.bus.requests._LOOK_S", 0.05)
    (asked,) = await say(intake, "mes", request())
    service = Requests(bus, journal)
    assert await service.act_on(asked.message_id)
    running = asyncio.gather(*service.running())
    try:
        await until(partial(journal.read, request_rows.next_expiry), good=lambda at: at and at < datetime.now(UTC))
        await asyncio.sleep(0.1)
        assert len(await said(bus)) == 1, "it is acted on"
        await journal.write(lambda c: request_rows.let_go(c, [asked.message_id]))
        await until(partial(said, bus), good=lambda told: len(told) == 2)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_the_asker_is_told_even_when_the_hub_died_while_expiring(bus, journal, intake):
    await say(intake, "mes", request(verb=Verb.GET))
    later = datetime.now(UTC) + timedelta(minutes=1)
    await journal.write(lambda c: request_rows.expire(c, later))
    assert await Requests(bus, journal).expire(later) == 1
    assert (await said(bus))[1].action is Action.REJECTED


async def test_expiry_happens_by_itself_and_the_reader_survives_losing_its_consumer(bus, journal, intake):
    service = Requests(bus, journal)
    running = asyncio.gather(*service.running())
    try:
        await until(lambda: _has_consumer(bus))
        await bus.js.delete_consumer(MOM, "requests")
        (asked,) = await say(intake, "mes", request())
        ack = request("cmms", Verb.ACKNOWLEDGE, action=Action.ACCEPTED, correlation=asked.message_id)
        await say(intake, "cmms", ack)

        async def answered():
            return (await service.find(asked.message_id)).state is Asked.ANSWERED

        await until(answered)
    finally:
        running.cancel()


async def _has_consumer(bus):
    return bool(await bus.js.consumers_info(MOM))


async def test_a_shown_answer_with_news_is_the_owners_statement_too(bus, intake):
    await say(intake, "erp", order(text="old"))
    (asked,) = await say(intake, "mes", order(source="mes", verb=Verb.GET))
    await say(intake, "erp", order(text="new", verb=Verb.SHOW, correlation=asked.message_id))
    verbs = [(m.verb, m.to) for m in await said(bus)]
    assert verbs == [(Verb.SYNC, None), (Verb.GET, "erp"), (Verb.SYNC, None), (Verb.SHOW, "mes")]
    await latest_is(bus, "new")


async def test_references_hold_once_the_first_is_known(bus, intake):
    known = Known(bus, "lyon", {"material": References.HOLD, "production_order": References.ACCEPT})
    naming = consumption("5", of="FG-1000")
    assert await known.held(naming) is None, "no material was ever stated"
    await say(intake, "erp", material("CAP-28"))
    await until(lambda: bus.latest("material", "CAP-28", site="lyon"))
    reference = await known.held(naming)
    assert (reference.object, reference.id) == ("material", "FG-1000")
    await say(intake, "erp", material("FG-1000"))
    await until(lambda: known.held(naming), good=lambda found: found is None)


async def test_a_killed_broker_and_a_reader_that_begins_again_give_each_message_once(broker, bus, journal, intake):
    items = [Item(messages=(order(f"PO-{n}"), consumption("1", response=f"R-{n}")), bookmark=str(n)) for n in range(60)]

    async def read() -> None:
        for item in items:
            await intake.accept("erp", replace(item, messages=item.messages[:1]))
            await intake.accept("mes", replace(item, messages=item.messages[1:]))

    reading = asyncio.create_task(read())
    await until(lambda: intake.counts["mes", "material_consumption", "published"] > 20)
    os.kill(broker.pid, signal.SIGKILL)
    await reading
    intake = await an_intake(bus, journal)
    await read()
    keys = [(m.object, m.key) for m in await said(bus)]
    assert len(keys) == len(set(keys)) == 120


async def test_hostile_ids_pass_from_end_to_end(bus, intake):
    keys = ["a.b", "*", ">", "x y", "é*>.", "$JS", "_", "-", "a/b%2F", "x" * 200]
    outcomes = await say(intake, "erp", *(order(key) for key in keys))
    assert all(o.accepted for o in outcomes)
    assert [m.body.id for m in await said(bus)] == keys
    assert all(o.reason == "said before" for o in await say(intake, "erp", *(order(key) for key in keys)))


async def test_limits_are_for_connections_that_make_streams(broker):
    async with connect(broker.url, limits=Limits(dedup_window_s=120)) as bus:
        assert (await bus.js.stream_info(MOM)).config.duplicate_window == 120


async def test_what_was_spooled_is_said_once_though_the_hub_is_killed_while_it_is_handed_over(bus, intake, tmp_path):
    async def away(_item, _term):
        raise NotReachable("nobody answers")

    async def dying(item, _term):
        if item.messages[0].body.description == "c":
            shutil.copytree(tmp_path / "spool", tmp_path / "killed")
            killed.set()
            await asyncio.Event().wait()
        return await intake.accept("erp", item)

    killed = asyncio.Event()
    (tmp_path / "spool").mkdir()
    async with spool(tmp_path / "spool", away) as made:
        for text in ("a", "b", "c"):
            await made.accept(Item(messages=(order(text=text),)))
    async with spool(tmp_path / "spool", dying):
        await asyncio.wait_for(killed.wait(), PATIENCE_S)
    async with spool(tmp_path / "killed", partial(intake.accept, "erp")) as made:
        await until(lambda: not made.state.items)
    assert [(m.revision, m.body.description) for m in await said(bus)] == [(1, "a"), (2, "b"), (3, "c")]


def spool(folder, accept):
    """The spool of erp, at work, with what that folder holds."""
    return working_spool(
        folder / "spool.sqlite", "erp", accept=accept, bookmark=lambda _term: None, limit=1024**2
    )  # fmt: skip


async def test_names_that_another_process_claims_are_counted_as_one(intake):
    """A part that was broken into may claim any: neither counts nor metrics grow by it."""
    for number in range(20):
        (outcome,) = await say(intake, "erp", replace(order(), object=f"object{number}"))
        assert not outcome.accepted
    assert {name for _, name, _ in intake.counts} == {"unknown"}
    assert intake.counts["erp", "unknown", "received"] == 20
