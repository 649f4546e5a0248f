"""A process owner decides a disagreement, and the decision takes effect in the systems."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from hub_plant import NOW, order
from patience import until
from talking_plant import Plant, talking_plant

from canonical.message import Action, Verb
from mombus.desk.audit import Wanted as Deeds
from mombus.desk.disagreements import DECIDE, Decide
from mombus.hub.desk.arbitration import _request
from mombus.journal import disagreements
from mombus.journal.disagreements import Disagreement

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def one(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Plant]:
    async with talking_plant(tmp_path_factory.mktemp("plant")) as plant:
        yield plant


async def test_a_disagreement_is_shown_side_by_side_with_what_may_be_done(one):
    row = await one.disagree("PO-SHOWN")
    assert (row["standing"], row["about"], row["name"]) == ("open", "description", "PO-SHOWN")
    shown = await one.shown(row["number"])
    assert shown["differences"] == [{"path": "description", "owner_says": "water", "said": "juice"}]
    assert shown["owners_word"]["revision"] == 1
    assert shown["may"] == {"adopt": "", "overrule": "", "tolerate": ""}
    assert (await one.http.get("/api/disagreements/999")).status_code == 404


async def test_adopting_asks_the_owner_and_its_own_word_closes_it(one):
    row = await one.disagree("PO-ADOPTED")
    code, text = await one.decide(row["number"], "adopt")
    assert (code, "erp is asked to say what mes says (change)" in text) == (200, True), text
    (asked,) = await until(lambda: one.erp.heard("PO-ADOPTED", "juice"))
    assert (asked.verb, asked.source, asked.to, asked.by) == (Verb.CHANGE, "mombus", "erp", "local")
    (waits,) = await until(lambda: one.effects("hasn't said it yet", key="PO-ADOPTED"))
    assert (waits["standing"], waits["decided"]["effect"]["state"]) == ("open", "under way")
    assert (await one.erp.say(order("PO-ADOPTED", "juice"))).accepted
    (closed,) = await one.rows(standing="closed", key="PO-ADOPTED")
    assert closed["how"] == "the owner changed to that value"
    assert (closed["decided"]["who"], closed["decided"]["effect"]["state"]) == ("local", "done")


async def test_what_two_adopt_at_once_the_owner_is_asked_once(one):
    """So it is after a kill between the question and its note, and another question when it was decided since."""
    row = await one.disagree("PO-TWICE")
    await asyncio.gather(*(one.decide(row["number"], "adopt") for _ in range(3)))
    await one.mes.say(order("PO-TWICE", "more", source="mes", verb=Verb.CHANGE))
    await until(lambda: one.erp.heard("PO-TWICE", "more"))
    assert len({asked.id for asked in one.erp.heard("PO-TWICE", "juice")}) == 1
    found = Disagreement(
        id=1, object="production_order", key="PO-1", system="mes", owner="erp", said=order("PO-1").content,
        owner_says=b"{}", fields=(), message_id="m", since=NOW, last_seen=NOW, times=1, closed=None, how=None,
    )  # fmt: skip
    ids = [
        _request(each, site="lyon", who="ann", now=now, lanes=None).id
        for now in (NOW, NOW + timedelta(seconds=1))
        for each in (found, replace(found, decided=NOW), replace(found, said=order("PO-1", "tea").content))
    ]
    assert (ids[:3] == ids[3:], len(set(ids))) == (True, 3)


async def test_a_kill_between_the_decision_and_the_question_leaves_both_or_neither(one, monkeypatch):
    row = await one.disagree("PO-KILLED")
    asked, desk = asyncio.Event(), one.hub.desk

    async def killed(*_: object) -> None:
        asked.set()
        await asyncio.Event().wait()

    wish = Decide(number=row["number"], decision="adopt", who="ann", why="seen")
    with monkeypatch.context() as patch:
        patch.setattr(desk.kept._intake, "accept", killed)
        deciding = asyncio.create_task(desk.ask(DECIDE, wish))
        reached = asyncio.create_task(asked.wait())
        await asyncio.wait({deciding, reached}, return_when=asyncio.FIRST_COMPLETED)
        deciding.cancel()
    (waits,) = await one.effects("is asked as soon as the broker takes it", key="PO-KILLED")
    assert (waits["decided"]["who"], one.erp.heard("PO-KILLED", "juice")) == ("ann", [])
    await desk.undertaken.go_on()
    assert await one.effects("is asked as soon as the broker takes it", key="PO-KILLED"), "somebody may be at it"
    monkeypatch.setattr(desk.undertaken, "_clock", lambda: datetime.now(UTC) + timedelta(minutes=2))
    await asyncio.gather(*(desk.undertaken.go_on() for _ in range(2)))
    await until(lambda: one.erp.heard("PO-KILLED", "juice"))
    await until(lambda: one.effects("hasn't said it yet", key="PO-KILLED"))
    deeds = [deed for deed in await desk.audit.deeds(Deeds(who="ann")) if "PO-KILLED" in deed["result"]]
    assert (len(deeds), len(one.erp.heard("PO-KILLED", "juice"))) == (1, 1)


async def test_what_is_overruled_is_sent_and_noted_or_neither(one, monkeypatch):
    row = await one.disagree("PO-HALF")
    before = len(await one.hub.desk.audit.deeds(Deeds()))

    def killed(*_: object, **__: object) -> None:
        raise ConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(disagreements, "decide", killed)
        with pytest.raises(ConnectionError):
            await one.hub.desk.ask(DECIDE, Decide(number=row["number"], decision="overrule", who="ann", why="seen"))
    assert len(await one.hub.desk.audit.deeds(Deeds())) == before
    assert all(replay["who"] != "ann" for replay in await one.hub.desk.replays.progress())


async def test_an_owner_may_refuse_and_can_be_asked_again(one):
    one.erp.verdict = Action.REJECTED
    row = await one.disagree("PO-REFUSED")
    assert (await one.decide(row["number"], "adopt"))[0] == 200
    (refused,) = await until(lambda: one.effects("erp refuses: the line is full", key="PO-REFUSED"))
    assert (refused["standing"], refused["decided"]["effect"]["state"]) == ("open", "refused")
    one.erp.verdict = Action.ACCEPTED
    assert (await one.decide(row["number"], "adopt"))[0] == 200


async def test_an_owner_that_takes_no_such_request_is_not_asked_and_the_trail_says_why(one):
    await one.disagree("PO-HAND")
    deleted = order("PO-HAND", source="mes", action=Action.DELETE)
    assert not (await one.mes.say(deleted)).accepted
    (row,) = await one.rows(key="PO-HAND")
    assert row["about"] == "mes has deleted it"
    code, text = await one.decide(row["number"], "adopt")
    assert (code, text) == (422, "erp takes no cancel of production_order: it must be changed there by hand")
    deed = (await one.hub.desk.audit.deeds(Deeds()))[0]
    assert (deed["who"], deed["result"]) == ("local", f"not done: {text}")
    assert (await one.rows(key="PO-HAND"))[0]["decided"] is None


async def test_overruling_sends_the_owners_word_again_and_it_may_be_broken_again(one):
    row = await one.disagree("PO-RULED")
    assert len(one.mes.heard("PO-RULED", "water")) == 1
    code, text = await one.decide(row["number"], "overrule")
    assert (code, "is sent to mes again" in text) == (200, True), text
    first, again = await until(lambda: one.mes.heard("PO-RULED", "water"), good=lambda found: len(found) == 2)
    assert (again.revision, again.id != first.id) == (first.revision, True)
    (closed,) = await until(lambda: one.effects("it was taken by mes", key="PO-RULED"))
    assert (closed["standing"], closed["how"]) == ("closed", "overruled by local: seen on the line")
    assert not (await one.mes.say(order("PO-RULED", "juice", source="mes"))).accepted
    (anew,) = await one.rows(key="PO-RULED")
    assert [before["number"] for before in (await one.shown(anew["number"]))["before"]] == [row["number"]]
    assert (await one.decide(row["number"], "overrule"))[0] == 422


async def test_what_no_route_brings_or_nobody_said_can_not_be_sent_again(one):
    assert (await one.erp.say(order("PO-UNROUTED"))).accepted
    await one.wms.say(order("PO-UNROUTED", "juice", source="wms"))
    await one.mes.say(order("PO-GHOST", source="mes"))
    (known,), (ghost,) = await one.rows(key="PO-UNROUTED"), await one.rows(key="PO-GHOST")
    assert ghost["about"] == "erp has said nothing about it"
    assert "no route brings production_order to wms" in (await one.decide(known["number"], "overrule"))[1]
    assert "there is nothing to send" in (await one.decide(ghost["number"], "overrule"))[1]


async def test_what_is_tolerated_comes_back_when_a_value_changes(one):
    row = await one.disagree("PO-LEFT")
    assert (await one.decide(row["number"], "tolerate", until="8h"))[0] == 200
    assert await one.rows(key="PO-LEFT") == []
    await one.mes.say(order("PO-LEFT", "juice", source="mes"))
    (tolerated,) = await one.rows(standing="tolerated", key="PO-LEFT")
    assert (tolerated["times"], tolerated["decided"]["effect"]["state"]) == (2, "tolerated")
    await one.mes.say(order("PO-LEFT", "tea", source="mes"))
    (back,) = await one.rows(key="PO-LEFT")
    assert back["decided"]["effect"]["text"] == "one of the two said something new since"
    later = datetime.now(UTC) + timedelta(days=3)
    assert (await one.decide(row["number"], "tolerate", until=later.isoformat()))[0] == 200
    (anew,) = await one.rows(standing="tolerated", key="PO-LEFT")
    assert datetime.fromisoformat(anew["decided"]["until"]) == later
    for wrong in ("yesterday", "2020-01-01", "900d", ""):
        assert (await one.decide(row["number"], "tolerate", until=wrong))[0] == 422, wrong


async def test_lists_are_narrowed_and_read_page_by_page(one):
    for key in ("LIST-A%", "LIST-B1", "LIST-B2"):
        await one.mes.say(order(key, source="mes"))
    b2, b1 = await one.rows(key="LIST-B")
    assert [b2["name"], b1["name"]] == ["LIST-B2", "LIST-B1"]
    assert [row["name"] for row in await one.rows(key="LIST-A%")] == ["LIST-A%"]
    assert [row["name"] for row in await one.rows(before=str(b2["number"]), limit="1")] == ["LIST-B1"]
    assert await one.rows(system="erp") == await one.rows(process_owner="nobody") == []
    listed = (await one.http.get("/api/disagreements", params={"limit": 2, "key": "LIST"})).json()
    assert (listed["more"], listed["counts"]) == (True, {"open": 3, "tolerated": 0, "closed": 0})


async def test_who_waits_for_an_answer_is_listed(one):
    one.erp.free.clear()
    await one.mes.say(order("PO-ASKED", "more", source="mes", verb=Verb.CHANGE))
    await until(lambda: one.erp.heard("PO-ASKED", "more"))
    found = (await one.http.get("/api/requests")).json()
    rows = found["rows"]
    assert not found["more"]
    one.erp.free.set()
    (row,) = [row for row in rows if row["name"] == "PO-ASKED"]
    assert (row["asker"], row["owner"], row["verb"]) == ("mes", "erp", "change")


async def test_the_command_line_shows_and_decides_the_same(one):
    row = await one.disagree("PO-TYPED")
    number = str(row["number"])
    code, out, err = await one.command("disagreements", "--key", "PO-TYPED")
    assert (code, "PO-TYPED" in out, "mombus disagreements show" in err) == (1, True, True), out + err
    code, out, _ = await one.command("disagreements", "show", number)
    assert (code, "water" in out, f"`mombus disagreements tolerate {number} --until 7d`" in out) == (0, True, True), out
    code, out, err = await one.command("disagreements", "tolerate", number, "--until", "7d", "--why", "trial run")
    assert (code, out.startswith("tolerated until")) == (0, True), out + err
    code, out, _ = await one.command("disagreements", "--standing", "tolerated", "--key", "PO-TYPED", "--json")
    assert (code, json.loads(out)["rows"][0]["decided"]["why"]) == (1, "trial run")
    code, _, err = await one.command("disagreements", "adopt", "987654", "--why", "no")
    assert (code, "there is no disagreement '987654'" in err) == (64, True), err
