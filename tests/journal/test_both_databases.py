"""Everything that is kept is kept alike in SQLite and PostgreSQL."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import pytest
from sqlalchemy.exc import IntegrityError

from canonical.isa95.operations import OperationsRequest, SegmentRequirement
from canonical.message import Message
from canonical.wire import to_headers
from mombus.journal import (
    accounts,
    aliases,
    audit,
    bookmarks,
    bulk,
    chain,
    clearing,
    deliveries,
    disagreements,
    notes,
    parked,
    promises,
    requests,
    searches,
    selection,
    undertakings,
    waiting,
)
from mombus.journal.accounts import Account, Pass, PassKind
from mombus.journal.audit import Deed
from mombus.journal.clearing import ToClear
from mombus.journal.deliveries import Outcome
from mombus.journal.disagreements import Decision, Standing, Wanted
from mombus.journal.journal import Journal
from mombus.journal.notes import Note
from mombus.journal.parked import Parked, ParkedItem
from mombus.journal.requests import Asked, OpenRequest
from mombus.journal.selection import Selection
from mombus.journal.undertakings import Undertaking
from mombus.journal.waiting import Wait

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

NOW = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)


@pytest.fixture
async def journal(store: str) -> AsyncIterator[Journal]:
    opened = await Journal.open(store)
    yield opened
    await opened.close()


def intent(id: str, seq: int = 1) -> dict[str, object]:
    return {
        "target": "erp", "message_id": id, "seq": seq, "object": "production_order", "key": id,
        "outcome": Outcome.INTENT, "at": NOW, "late": False, "replied": True,
    }  # fmt: skip


def done(id: str, **more: object) -> dict[str, object]:
    return intent(id) | {
        "outcome": Outcome.DELIVERED, "level": "posted", "document": f"D-{id}", "reason": None,
        "reply_headers": None, "reply_content": None,
    } | more  # fmt: skip


def order(id: str) -> Message:
    body = OperationsRequest(id=id, segment_requirement=(SegmentRequirement(id="10"),))
    return Message.of(
        "production_order", body, source="erp", site="lyon", occurred=NOW, recorded=NOW, revision=1
    )  # fmt: skip


async def test_an_intent_becomes_an_outcome_and_is_looked_up(journal):
    await journal.write(lambda c: deliveries.intend(c, "erp", [intent("a"), intent("b", 2)]))
    assert await journal.read(lambda c: deliveries.open_intents(c, "erp")) == {"a", "b"}
    await journal.write(lambda c: deliveries.record(c, [done("a")]))
    await journal.write(lambda c: deliveries.withdraw(c, "erp", ["b"]))
    await journal.write(
        lambda c: deliveries.advance(c, "erp", [{"object": "production_order", "key": "a", "revision": 7}])
    )
    await journal.write(lambda c: deliveries.enter(c, "erp", {("production_order", "a"): 7}))
    await journal.write(lambda c: deliveries.enter(c, "erp", {("production_order", "a"): 9}))
    thing = [("production_order", "a"), ("production_order", "b")]
    known = await journal.read(lambda c: deliveries.look_up(c, "erp", ["a", "b"], thing, thing))
    assert {id: one.outcome for id, one in known.done.items()} == {"a": Outcome.DELIVERED}
    assert (known.revisions, known.entered) == ({thing[0]: 7}, {thing[0]: 7})
    await journal.write(lambda c: deliveries.enter_earlier(c, "erp", {thing[0]: 3, thing[1]: 5}))
    await journal.write(lambda c: deliveries.enter_earlier(c, "erp", {thing[0]: 4}))
    known = await journal.read(lambda c: deliveries.look_up(c, "erp", [], [], thing))
    assert known.entered == {thing[0]: 3, thing[1]: 5}


async def test_what_has_an_outcome_is_never_intended_again(journal):
    await journal.write(lambda c: deliveries.record(c, [done("a")]))
    with pytest.raises(IntegrityError):
        await journal.write(lambda c: deliveries.intend(c, "erp", [intent("a")]))


async def test_a_reply_that_may_not_be_published_is_found(journal):
    reply = {"reply_headers": "{}", "reply_content": b"\x00\xff", "replied": False}
    await journal.write(lambda c: deliveries.record(c, [done("a", **reply)]))
    assert await journal.read(lambda c: deliveries.unreplied(c, "erp")) == [("a", "{}", b"\x00\xff")]
    await journal.write(lambda c: deliveries.mark_replied(c, "erp", ["a"]))
    assert await journal.read(lambda c: deliveries.unreplied(c, "erp")) == []


async def test_what_is_to_be_put_away_of_a_system_stands_until_it_is_done(journal):
    gone = ToClear("mes", forget=True, skip=False, who="ann", why="sold")
    left = ToClear("wms", forget=False, skip=True, who="ann", why="sold")
    await journal.write(lambda c: clearing.note(c, [gone, left]))
    await journal.write(lambda c: clearing.note(c, [gone._replace(skip=True)]))
    assert await journal.read(clearing.rows) == [gone._replace(skip=True), left]
    await journal.write(lambda c: clearing.done(c, [gone]))
    assert len(await journal.read(clearing.rows)) == 2, "what was noted since stays"
    await journal.write(lambda c: clearing.done(c, [gone._replace(skip=True)]))
    assert await journal.read(clearing.rows) == [left]


async def test_positions_and_the_stream_they_belong_to(journal):
    await journal.write(lambda c: deliveries.settle(c, "erp", 5))
    await journal.write(lambda c: deliveries.settle(c, "erp", 9))
    assert await journal.read(lambda c: deliveries.position(c, "erp")) == 9
    assert await journal.write(lambda c: deliveries.same_stream(c, "MOM", NOW)) is None
    assert await journal.write(lambda c: deliveries.same_stream(c, "MOM", NOW)) is None
    assert await journal.write(lambda c: deliveries.same_stream(c, "MOM", NOW + timedelta(days=1))) == NOW
    assert await journal.write(lambda c: deliveries.prune(c, "erp", NOW, 10)) == 0


async def test_what_waits_is_kept_whole_in_its_order(journal):
    def row(id: str, seq: int, kind: Wait) -> dict[str, object]:
        message = order(id)
        return {
            "target": "erp", "message_id": id, "seq": seq, "object": message.object, "key": message.key,
            "revision": 1, "lanes": json.dumps(message.lanes), "kind": kind, "reason": "it's so", "since": NOW,
            "attempts": 1, "due": NOW, "deadline": None, "waived": False, "missing_object": "material",
            "missing_id": "M-1", "replay": None, "history": 0, "headers": json.dumps(to_headers(message)),
            "content": message.content,
        }  # fmt: skip

    rows = [row("PO-2", 2, Wait.PARKED), row("PO-1", 1, Wait.REFERENCE)]
    await journal.write(lambda c: waiting.put(c, rows))
    assert [one.message_id for one in await journal.read(waiting.rows)] == ["PO-1", "PO-2"]
    lane = order("PO-2").lane
    assert [one.message_id for one in await journal.read(partial(waiting.rows, lane=lane))] == ["PO-2"]
    assert set(await journal.read(lambda c: waiting.missing(c, "erp", "material", "M-1"))) == {"PO-1", "PO-2"}
    found = await journal.read(lambda c: waiting.messages(c, "erp", ["PO-1"]))
    assert found["PO-1"].body == order("PO-1").body
    await journal.write(lambda c: waiting.change(c, "erp", "PO-1", kind=Wait.HELD, waived=True))
    one = await journal.read(lambda c: waiting.one(c, "erp", "PO-1"))
    assert one is not None
    assert (one.kind, one.waived, one.due) == (Wait.HELD, True, NOW)
    summary = await journal.read(lambda c: waiting.summary(c, "erp"))
    assert {kind: number for kind, number, _ in summary} == {Wait.HELD: 1, Wait.PARKED: 1}
    await journal.write(lambda c: waiting.take(c, "erp", ["PO-1", "PO-2"]))
    assert await journal.read(waiting.rows) == []


async def test_what_waits_is_found_by_how_its_id_begins(journal):
    message = Message.of(
        "production_order", None, source="erp", site="lyon", occurred=NOW, recorded=NOW, key="PO-1", lanes=("x",)
    )
    ids = ["ab", "abc", "aB", "a%", "a\u00e9", "b"]
    await journal.write(partial(waiting.put, rows=[
        {
            "target": target, "message_id": id, "seq": 1, "object": message.object, "key": message.key, "revision": 1,
            "lanes": json.dumps(message.lanes), "kind": Wait.PARKED, "reason": "no", "since": NOW, "attempts": 0,
            "due": None, "deadline": None, "waived": False, "missing_object": None, "missing_id": None, "replay": None,
            "history": 0, "headers": json.dumps(to_headers(message)), "content": b"",
        }
        for target in ("erp", "mes") for id in ids
    ]))  # fmt: skip

    async def found(start: str, limit: int = 9) -> list[str]:
        return await journal.read(partial(waiting.beginning, target="erp", start=start, limit=limit))

    assert set(await found("a")) == set(ids) - {"b"}
    assert [await found(start) for start in ("ab", "abc", "a%", "B", "a\u00e9", "")][:5] == [
        ["ab", "abc"], ["abc"], ["a%"], [], ["a\u00e9"],
    ]  # fmt: skip
    assert await found("ab", limit=1) == ["ab"]


async def test_what_was_undertaken_is_taken_up_once_until_it_has_ended(journal):
    said = {"content": "\x00 \u20ac"}
    one = Undertaking(id="m", kind="take", who="ann\x00", why="checked", said=said, since=NOW)
    await journal.write(partial(undertakings.begin, undertaking=one))
    later = NOW + timedelta(minutes=2)
    take_up = partial(undertakings.take_up, before=NOW + timedelta(minutes=1), now=later)
    assert await journal.write(partial(undertakings.take_up, before=NOW, now=later)) == []
    (taken,) = await journal.write(take_up)
    assert (taken.id, taken.who.startswith("ann"), taken.said) == ("m", True, said)
    assert await journal.write(take_up) == [], "somebody is at it"
    assert await journal.read(partial(undertakings.is_under_way, id="m"))
    assert [await journal.write(partial(undertakings.end, id="m")) for _ in range(2)] == [True, False]


async def test_what_waits_is_paged_by_its_place_and_chosen_alike(journal):
    def row(target: str, id: str, seq: int, history: int = 0) -> dict[str, object]:
        message = order(id)
        return {
            "target": target, "message_id": id, "seq": seq, "object": message.object, "key": message.key,
            "revision": 1, "lanes": json.dumps(message.lanes), "kind": Wait.PARKED, "reason": "the 100 % rule",
            "since": NOW, "attempts": 1, "due": None, "deadline": None, "waived": False, "missing_object": None,
            "missing_id": None, "replay": None, "history": history, "headers": json.dumps(to_headers(message)),
            "content": message.content,
        }  # fmt: skip

    rows = [row("mes", "b", 7), row("mes", "a", 7), row("mes", "c", 7, 1), row("erp", "d", 9), row("wms", "e", 1)]
    await journal.write(lambda c: waiting.put(c, rows))
    seen: list[str] = []
    after = None
    while page := await journal.read(
        partial(selection.rows, selection=Selection(reason="100 %"), after=after, limit=2)
    ):
        seen += [one.message_id for one in page]
        after = selection.place_of(page[-1])
    assert seen == ["d", "a", "b", "c", "e"]
    for none in (Selection(reason="100_"), Selection(reason="\x00", lane="\x00")):
        assert not await journal.read(partial(selection.rows, selection=none, after=("wms", 1, 0, "\x00"), limit=2))


async def test_a_note_is_taken_over_and_closed_once(journal):
    note = Note(
        id="n1", at=NOW, who="ann", to="early", target="erp", object=None, cause="c1", about="1 parked", text="six\x00"
    )
    assert [await journal.write(lambda c: notes.add(c, note)) for _ in range(2)] == [True, False]
    assert [one.taken_by for one in await journal.read(lambda c: notes.rows(c, limit=5))] == [None]
    assert await journal.write(lambda c: notes.take(c, "n1", who="bob", now=NOW))
    ends = [await journal.write(lambda c: notes.close(c, "n1", who="bob", how="done", now=NOW)) for _ in range(2)]
    assert ends == [True, False]
    assert not await journal.write(lambda c: notes.take(c, "n1", who="eve", now=NOW))
    (closed,) = await journal.read(lambda c: notes.rows(c, closed=True, limit=5))
    assert (closed.taken_by, closed.closed_by, closed.how) == ("bob", "bob", "done")
    assert await journal.write(lambda c: notes.prune(c, NOW + timedelta(1))) == 1


async def test_text_that_a_database_does_not_know_stops_nothing(journal):
    await journal.write(lambda c: deliveries.record(c, [done("nul\x00id", reason="\x00")]))
    known = await journal.read(lambda c: deliveries.look_up(c, "erp", ["nul\x00id"], [], []))
    assert len(known.done) == 1


def kept(id: str) -> ParkedItem:
    return ParkedItem(
        id=id, system="erp", kind=Parked.FAULT, place="line 1", reason="no XML", message=None, content=b"<\x00",
        missing=None, since=NOW,
    )  # fmt: skip


async def test_kept_things_come_in_order_once_and_are_closed_once(journal):
    assert [await journal.write(partial(parked.keep, item=kept(id))) for id in ("b", "a", "b")] == [True, True, False]
    assert [row.id for row in await journal.read(parked.rows)] == ["b", "a"]
    seen = await journal.read(lambda c: parked.glimpses(c, limit=5, start_bytes=1))
    assert [(one.start, one.size) for one in seen] == [(b"<", 2), (b"<", 2)]
    assert [await journal.write(lambda c: parked.close(c, "b", how="ok", now=NOW)) for _ in range(2)] == [True, False]
    assert await journal.read(partial(parked.beginning, start="a", limit=2)) == ["a"]
    strange = {"id": "\x00", "system": "\x00", "kind": "fault", "reason": "\x00", "limit": 5, "start_bytes": 1}
    assert await journal.read(partial(parked.glimpses, **strange)) == []
    assert await journal.read(partial(parked.beginning, start="\x00", limit=2)) == []
    assert await journal.read(partial(bulk.find, action="\x00")) is None
    assert await journal.read(parked.count) == 1
    assert await journal.write(lambda c: parked.prune(c, NOW + timedelta(1))) == 1


async def test_the_first_answer_wins_and_late_ones_expire(journal):
    for id, hours in (("r1", 1), ("r2", 2)):
        asked = OpenRequest(
            id=id, asker="mes", owner="erp", object="production_order", verb="get", key="", site="lyon", lanes="x",
            asked=NOW, expires=NOW + timedelta(hours=hours),
        )  # fmt: skip
        await journal.write(partial(requests.record, request=asked))
    assert await journal.read(requests.next_expiry) == NOW + timedelta(hours=1)
    assert sum((await journal.read(requests.open_by_asker)).values()) == 2
    answer = partial(requests.answer, id="r1", owner="erp", action="Accepted", reason=None, document="D", now=NOW)
    assert [await journal.write(answer), await journal.write(answer)] == [True, False]
    await journal.write(lambda c: requests.expire(c, NOW + timedelta(days=1)))
    assert [one.id for one in await journal.read(requests.untold)] == ["r2"]
    await journal.write(lambda c: requests.told(c, "r2", NOW))
    states = {one.id: one.state for one in await journal.read(requests.rows)}
    assert states == {"r1": Asked.ANSWERED, "r2": Asked.EXPIRED}
    assert await journal.write(lambda c: requests.prune(c, NOW + timedelta(days=1))) == 2


async def test_a_disagreement_is_opened_renewed_and_closed_by_the_owner(journal):
    note = partial(
        disagreements.note, object="material_lot", key="L", system="wms", owner="mes", said=b'{"a":1}',
        owner_says=b'{"a":2}', fields=["a"], message_id="m", now=NOW,
    )  # fmt: skip
    await journal.write(note)
    await journal.write(note)
    assert [(one.times, one.fields) for one in await journal.read(disagreements.rows)] == [(2, ("a",))]
    assert await journal.read(disagreements.open_keys) == {("material_lot", "L")}
    said = partial(disagreements.owner_said, object="material_lot", key="L", now=NOW)
    assert await journal.write(partial(said, content=b'{"a":3}')) == 1
    assert await journal.write(partial(said, content=b'{"a":1}')) == 0
    assert await journal.write(lambda c: disagreements.prune(c, NOW + timedelta(1))) == 1


async def test_what_is_tolerated_is_open_again_when_its_time_is_over_or_a_value_changes(journal):
    note = partial(
        disagreements.note, object="material_lot", key="L_1", system="wms", owner="mes", owner_says=b'{"a":2}',
        fields=["a"], message_id="m", now=NOW,
    )  # fmt: skip
    later = NOW + timedelta(days=1)
    await journal.write(partial(note, said=b'{"a":1}'))
    (row,) = await journal.read(disagreements.rows)
    decide = partial(
        disagreements.decide, id=row.id, decision=Decision.TOLERATE, who="ada", why="trial", now=NOW, until=later
    )
    assert await journal.write(decide)
    await journal.write(partial(note, said=b'{"a":1}'))
    assert await journal.read(partial(disagreements.count, now=NOW)) == 0
    assert await journal.read(partial(disagreements.count, now=later)) == 1
    by_key = partial(disagreements.listed, limit=5, now=NOW)
    (found,) = await journal.read(
        partial(by_key, wanted=Wanted(standing=Standing.TOLERATED, key="_1", object="material_lot"))
    )
    assert (found.decided_by, found.tolerated_until, found.times) == ("ada", later, 2)
    await journal.write(partial(note, said=b'{"a":3}'))
    assert await journal.read(partial(disagreements.by_object, now=NOW)) == {("material_lot", "wms"): 1}
    assert await journal.write(partial(decide, how="overruled by ada", sent="m:1"))
    assert not await journal.write(decide), "it is closed"
    counts = await journal.read(partial(disagreements.counts, wanted=Wanted(), now=NOW))
    assert counts == {Standing.OPEN: 0, Standing.TOLERATED: 0, Standing.CLOSED: 1}


async def test_a_deed_in_words_that_no_database_keeps_doesnt_look_tampered_with(journal):
    for said in ("a\0b", "half \ud800", "\udcff", "tab\tand\x1b[31m", "\u2028"):
        deed = audit.Deed(at=NOW, who=said, action="skip", target=said, message_id=said, why=said, result=said)
        await journal.write(partial(audit.note, deed=deed))
    assert (await journal.read(chain.verify)).faults == ()


async def test_bookmarks_move_and_deeds_are_added(journal):
    for mark in ("1", "2"):
        await journal.write(partial(bookmarks.move, system="erp", bookmark=mark, now=NOW))
    assert await journal.read(lambda c: bookmarks.bookmark(c, "erp")) == "2"
    assert await journal.read(bookmarks.bookmarked) == ["erp"]
    deed = Deed(at=NOW, who="ann", action="skip", target="erp", message_id="m", why="checked", result="skipped")
    await journal.write(lambda c: audit.note(c, deed))
    (noted,) = await journal.read(lambda c: audit.deeds(c, message_id="m"))
    assert (noted.who, noted.result, noted.at, noted.number) == ("ann", "skipped", NOW, 1)


async def test_numbers_are_learned_from_receipts(journal):
    await journal.write(lambda c: deliveries.settle(c, "erp", 2))
    await journal.write(lambda c: deliveries.record(c, [done("a"), done("b")]))
    learned = [
        aliases.Learned(one.target, one.object, one.document, one.key, one.at)
        for one in await journal.read(aliases.unlearned)
    ]
    assert sorted(one.native for one in learned) == ["D-a", "D-b"]
    await journal.write(lambda c: aliases.learn(c, learned))
    assert await journal.read(aliases.unlearned) == []
    assert await journal.read(lambda c: aliases.canonical(c, "erp", "production_order", "D-a")) == "a"
    assert await journal.read(lambda c: aliases.documents(c, "erp", "production_order", "b")) == ["D-b"]
    assert await journal.read(aliases.taught) == {("erp", "production_order")}


async def test_a_bulk_action_is_begun_once_though_its_commit_is_repeated(journal):
    action = bulk.Action(
        id="b1", command="skip", who="ann", why="a test", selection="all", state=bulk.Bulk.RUNNING, begun=NOW
    )
    assert await journal.write(partial(bulk.begin, action=action, things=[("mes", "m1")]))
    assert not await journal.write(partial(bulk.begin, action=action, things=[("mes", "m1"), ("mes", "m2")]))
    assert [one.subject for one in await journal.read(partial(bulk.left, action="b1", limit=9))] == ["m1"]


async def test_of_a_bulk_action_what_was_refused_is_told_first_and_what_is_to_be_done_last(journal):
    action = bulk.Action(
        id="b2", command="skip", who="ann", why="a test", selection="all", state=bulk.Bulk.RUNNING, begun=NOW
    )
    things = [("mes", name) for name in ("later", "done", "refused")]
    await journal.write(partial(bulk.begin, action=action, things=things))
    for number, ok in ((1, True), (2, False)):
        await journal.write(partial(bulk.mark, action="b2", number=number, ok=ok, result="-"))
    told = await journal.read(partial(bulk.results, action="b2", limit=9))
    assert [one.subject for one in told] == ["refused", "done", "later"]


async def test_late_handovers_are_counted_though_not_all_are_listed(journal):
    await journal.write(lambda c: deliveries.record(c, [done(name, late=True) for name in "abc"]))
    look = partial(promises.newest_late, object="production_order", target="erp", since=NOW - timedelta(days=1))
    rows, number = await journal.read(partial(look, limit=2))
    assert (len(rows), number) == (2, 3)
    rows, number = await journal.read(partial(look, limit=3))
    assert (len(rows), number) == (3, 3)


async def test_a_row_that_is_written_again_keeps_what_it_does_not_name(journal):
    """And a new one has the defaults of what it doesn't name."""
    await journal.write(lambda c: bookmarks.move(c, "erp", "1", NOW))
    assert await journal.write(lambda c: bookmarks.Term().begin(c, "erp", NOW)) == (1, 0, "1")
    await journal.write(lambda c: bookmarks.move(c, "erp", "2", NOW))
    assert await journal.write(lambda c: bookmarks.Term().begin(c, "erp", NOW)) == (2, 1, "2")


def admission(hash: str, name: str, kind: PassKind, hours: int) -> Pass:
    return Pass(
        hash=hash * 64, kind=kind, name=name, roles=frozenset({"viewer", "operator"}) if hours > 1 else None, since=NOW,
        used=NOW, ends=NOW + timedelta(hours=hours), origin="10.0.0.5\x00",
    )  # fmt: skip


async def test_accounts_and_what_lets_people_in(journal):
    ann = Account(name="ann", roles=frozenset({"engineer"}), password="scrypt:…", disabled=False, since=NOW)
    assert not await journal.read(accounts.any_account)
    await journal.write(partial(accounts.add, one=ann))
    assert await journal.read(partial(accounts.account, name="ann")) == ann
    await journal.write(lambda c: accounts.change(c, "ann", roles=frozenset({"viewer"}), disabled=True))
    (changed,) = await journal.read(accounts.everybody)
    assert (changed.roles, changed.disabled, changed.password) == (frozenset({"viewer"}), True, "scrypt:…")
    for one in (admission("a", "ann", PassKind.SESSION, 1), admission("b", "ann", PassKind.TOKEN, 2)):
        await journal.write(partial(accounts.begin, one=one))
        await journal.write(partial(accounts.begin, one=one))
    await journal.write(lambda c: accounts.use(c, "a" * 64, NOW + timedelta(minutes=1)))
    shown = await journal.read(partial(accounts.shown, hash="a" * 64))
    assert shown is not None
    assert (shown.used, shown.roles, shown.id) == (NOW + timedelta(minutes=1), None, "a" * 12)
    assert {one.roles for one in await journal.read(partial(accounts.all_passes, name="ann"))} == {
        None, frozenset({"viewer", "operator"}),
    }  # fmt: skip
    assert await journal.write(lambda c: accounts.prune(c, NOW + timedelta(hours=1, seconds=1))) == 1
    assert await journal.write(lambda c: accounts.end_all(c, "ann", PassKind.SESSION)) == 0
    assert [await journal.write(partial(accounts.end, hash="b" * 64)) for _ in range(2)] == [True, False]
    await journal.write(partial(accounts.remove, name="ann"))
    assert await journal.read(partial(accounts.account, name="ann")) is None


async def test_searches_are_kept_by_person_and_name_and_shared_ones_are_everybodys(journal):
    def saved(owner: str, name: str, *, shared: bool = False, search: str = "{}") -> searches.Saved:
        return searches.Saved(owner=owner, name=name, search=search, shared=shared, changed=NOW)

    for one in (saved("ann", "b"), saved("ann", "a"), saved("bob", "a", shared=True), saved("bob", "c")):
        await journal.write(partial(searches.save, saved=one))
    await journal.write(partial(searches.save, saved=saved("ann", "b", search='{"lot": ["L-1"]}')))
    found = await journal.read(partial(searches.searches, owner="ann"))
    assert [(one.owner, one.name, one.search) for one in found] == [
        ("ann", "a", "{}"), ("ann", "b", '{"lot": ["L-1"]}'), ("bob", "a", "{}"),
    ]  # fmt: skip
    assert [await journal.write(partial(searches.drop, owner="ann", name=name)) for name in "ac"] == [True, False]


async def test_a_person_keeps_so_many_searches_and_changes_those(journal, monkeypatch):
    monkeypatch.setattr(searches, "MOST", 1)
    first = searches.Saved(owner="ann", name="a", search="{}", shared=False, changed=NOW)
    for one in (first, replace(first, shared=True)):
        await journal.write(partial(searches.save, saved=one))
    with pytest.raises(searches.TooManySearchesError, match="delete one"):
        await journal.write(partial(searches.save, saved=replace(first, name="b")))
    with pytest.raises(searches.TooManySearchesError, match="too long"):
        await journal.write(partial(searches.save, saved=replace(first, search="é" * 1501)))
    await journal.write(partial(searches.save, saved=replace(first, owner="bob", shared=True)))
    assert [one.owner for one in await journal.read(partial(searches.searches, owner="bob"))] == ["bob"]
