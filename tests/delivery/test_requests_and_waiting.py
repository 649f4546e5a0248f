"""Requests get one reply, references and aliases are waited for, promises are watched, deeds are kept."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from delivery_plant import ORDER, Ledger, Sink, ask, fact, hub, mes, order, target
from patience import PATIENCE_S, until

from canonical.message import Action, Verb
from canonical.wire import MESSAGE_ID, from_headers, to_headers
from connectors.connector import Accept, Effect, Level, MappingError, Offer, Rejected
from mombus.delivery.commands import Command
from mombus.delivery.target import Missing, Rule, State
from mombus.journal import audit
from mombus.journal.waiting import Wait

PROCESS = Offer("maintenance_request", Verb.PROCESS)


def cmms(sink, **more):
    sink.accepts = {PROCESS: Accept(Effect.FINDABLE)}
    return target("cmms", sink, rules=(), owned=frozenset({"maintenance_request"}), **more)


async def reply_on(bus, verb: str = "acknowledge"):
    found = await bus.js.get_last_msg("MOM", f"mom.lyon.*.{verb}.cmms.>")
    return from_headers(found.headers, found.data)


async def test_a_request_goes_to_the_owner_without_a_route_and_is_acknowledged(bus, journal_path, sink):
    async with hub(bus, journal_path, cmms(sink)) as running:
        request = ask()
        await bus.publish(request)
        await running.until_state("MR-1", State.DELIVERED, "cmms")
        reply = await reply_on(bus)
        assert reply.id == f"{request.id}:cmms"
        assert (reply.action, reply.to, reply.correlation) == (Action.ACCEPTED, "mes", request.id)
        assert reply.document == "DOC-MR-1"


async def test_a_refused_request_is_answered_with_the_reason(bus, journal_path, sink):
    sink.trouble = lambda _m, _attempt: Rejected("asset 103 is scrapped")
    async with hub(bus, journal_path, cmms(sink)) as running:
        await bus.publish(ask())
        await running.until_state("MR-1", State.REJECTED, "cmms")
        reply = await reply_on(bus)
        assert (reply.action, reply.reason) == (Action.REJECTED, "asset 103 is scrapped")
        assert await running.delivery.waiting() == []


async def test_what_the_owner_does_not_take_is_refused(bus, journal_path, sink):
    async with hub(bus, journal_path, cmms(sink)) as running:
        await bus.publish(ask(verb=Verb.CANCEL))
        await running.until_state("MR-1", State.REJECTED, "cmms")
        assert (await reply_on(bus)).reason == "cmms's connector takes no cancel of maintenance_request"


async def test_a_reply_reaches_who_asked_and_nobody_else(bus, journal_path, sink, tmp_path):
    acknowledge = Offer("maintenance_request", Verb.ACKNOWLEDGE)
    asker = Sink(Ledger(tmp_path / "asker.db"), {acknowledge: Accept(Effect.FINDABLE)})
    other = Sink(Ledger(tmp_path / "other.db"), {acknowledge: Accept(Effect.FINDABLE)})
    async with hub(bus, journal_path, cmms(sink), mes(asker), target("wms", other)) as running:
        await bus.publish(ask())
        await running.until_state("MR-1", State.DELIVERED, "mes")
        await running.until_state("MR-1", State.FILTERED, "wms")
        assert other.ledger.got() == []


async def test_a_reply_decided_before_a_stop_is_published_after_it(bus, journal_path, sink):
    lost = asyncio.Event()

    async def never(_message):
        lost.set()
        await asyncio.Event().wait()

    request = ask()
    async with hub(bus, journal_path, cmms(sink), publish=never):
        await bus.publish(request)
        await asyncio.wait_for(lost.wait(), PATIENCE_S)
    async with hub(bus, journal_path, cmms(sink)):
        await until(lambda: acknowledged(bus))
        assert (await reply_on(bus)).correlation == request.id
        assert sink.ledger.got() == ["MR-1"]


async def test_a_repeated_request_gets_its_reply_again_not_a_second_effect(bus, journal_path, sink):
    said = []

    async def publish(message):
        said.append(message)
        await bus.publish(message)

    async with hub(bus, journal_path, cmms(sink), publish=publish) as running:
        request = ask()
        await bus.publish(request)
        await running.until_state("MR-1", State.DELIVERED, "cmms")
        await bus.js.publish(request.subject, request.content, headers=_headers_without_id(request))
        await until(lambda: len(said) == 2)
        assert {message.id for message in said} == {f"{request.id}:cmms"}
        assert sink.ledger.got() == ["MR-1"]


async def acknowledged(bus) -> bool:
    return bool((await bus.js.stream_info("MOM", subjects_filter="mom.lyon.*.acknowledge.>")).state.subjects)


def _headers_without_id(message):
    return {name: value for name, value in to_headers(message).items() if name != MESSAGE_ID}


async def test_an_unknown_reference_waits_for_it_and_holds_its_lane(bus, journal_path, sink):
    known = set()

    async def prepare(_system, message):
        if message.key == "PO-1" and "FG-1000" not in known:
            return Missing("reference", "material", "FG-1000")
        return message

    async with hub(bus, journal_path, mes(sink), prepare=prepare) as running:
        await bus.publish(order("PO-1"))
        await bus.publish(fact("R-1", "PO-1"))
        await bus.publish(order("PO-2"))
        await running.until_state("PO-2", State.DELIVERED)
        (first, second) = await running.delivery.waiting()
        assert (first.kind, first.missing) == (Wait.REFERENCE, ("material", "FG-1000"))
        assert second.kind is Wait.BEHIND
        known.add("FG-1000")
        await running.delivery.arrived("material", "FG-1000")
        await running.until_state("R-1", State.DELIVERED)
        assert sink.ledger.got() == ["PO-2", "PO-1", "R-1"]


async def test_a_person_lets_an_unknown_reference_pass_but_no_missing_alias(bus, journal_path, sink):
    async def prepare(_system, message):
        return Missing("reference" if message.key == "PO-1" else "alias", "material", "FG-1000")

    async with hub(bus, journal_path, mes(sink), prepare=prepare) as running:
        await bus.publish(order("PO-1"))
        await bus.publish(order("PO-2"))
        await running.until_state("PO-1", State.WAITING)
        await running.until_state("PO-2", State.WAITING)
        for row in await running.delivery.waiting():
            await running.delivery.do(Command.RELEASE, "mes", row.message_id, who="ada", why="it is right")
        await running.until_state("PO-1", State.DELIVERED)
        await running.until_state("PO-2", State.WAITING, times=2)
        assert sink.ledger.got() == ["PO-1"]


async def test_the_targets_words_are_sent(bus, journal_path, sink):
    async def prepare(_system, message):
        return replace(message, key="30005")

    async with hub(bus, journal_path, mes(sink), prepare=prepare) as running:
        await bus.publish(order("FG-1000"))
        await running.until_state("FG-1000", State.DELIVERED)
        assert sink.ledger.got() == ["30005"]


async def test_awaiting_posting_asks_until_the_document_is_there(bus, journal_path, sink):
    sink.level = Level.ACCEPTED
    rule = Rule(object="production_response", effect=Level.POSTED, within_s=0.05)
    async with hub(bus, journal_path, mes(sink, rule)) as running:
        await bus.publish(fact("R-1"))
        await bus.publish(fact("R-2"))
        await running.until_state("R-2", State.DELIVERED)
        await running.until(lambda: any(hop.late and hop.key == "R-1" for hop in running.hops))
        rows = await running.delivery.waiting(kind=Wait.POSTING)
        assert {row.key for row in rows} == {"R-1", "R-2"}
    async with hub(bus, journal_path, mes(sink, rule)) as running:
        sink.level = Level.POSTED
        await running.until_state("R-1", State.DELIVERED)
        await running.until_state("R-2", State.DELIVERED)
        assert await running.delivery.waiting() == []
        assert sink.ledger.got() == ["R-1", "R-2"]
        assert all(hop.document for hop in running.hops if hop.state is State.DELIVERED)


async def test_skip_lets_the_lane_go_on_and_every_deed_is_kept(bus, journal_path, sink):
    sink.trouble = lambda m, _attempt: MappingError("bad") if m.key == "R-1" else None
    async with hub(bus, journal_path, mes(sink)) as running:
        await bus.publish(fact("R-1"))
        await bus.publish(fact("R-2"))
        await running.until_state("R-1", State.PARKED)
        (first, *_) = await running.delivery.waiting()
        done = await running.delivery.do(Command.SKIP, "mes", first.message_id, who="ada", why="posted by hand")
        assert done.ok
        await running.until_state("R-2", State.DELIVERED)
        again = await running.delivery.do(Command.SKIP, "mes", first.message_id, who="bob", why="me too")
        assert not again.ok
        deeds = await running.delivery._journal.read(lambda c: audit.deeds(c, message_id=first.message_id))
        assert [(deed.who, deed.result) for deed in deeds] == [
            ("bob", "not done: it doesn't wait (any more)"), ("ada", "skipped"),
        ]  # fmt: skip
        assert sink.ledger.got() == ["R-2"]


async def test_a_held_message_survives_a_restart_with_what_is_behind_it(bus, journal_path, sink):
    poisoned = True
    sink.trouble = lambda m, _attempt: MappingError("bad") if poisoned and m.key == "R-1" else None
    async with hub(bus, journal_path, mes(sink)) as running:
        for n in range(1, 4):
            await bus.publish(fact(f"R-{n}"))
        await running.until_state("R-1", State.PARKED)
        await running.until_state("R-3", State.WAITING)
    poisoned = False
    async with hub(bus, journal_path, mes(sink)) as running:
        await bus.publish(fact("R-4"))
        await running.until_state("R-4", State.WAITING)
        assert (await running.status()).waiting == {Wait.PARKED: 1, Wait.BEHIND: 3}
        rows = await running.delivery.waiting()
        await running.delivery.do(Command.RETRY, "mes", rows[0].message_id, who="ada", why="fixed")
        await running.until_state("R-4", State.DELIVERED)
        assert sink.ledger.got() == ["R-1", "R-2", "R-3", "R-4"]


async def test_hostile_ids_wait_and_are_listed_as_they_are(bus, journal_path, sink):
    sink.accepts = {ORDER: Accept(Effect.FINDABLE)}
    sink.trouble = lambda _m, _attempt: MappingError("no unit for 'furlong'")
    async with hub(bus, journal_path, mes(sink)) as running:
        await bus.publish(order("PO \u00e4.*> \u2028x"))
        await running.until(lambda: any(hop.state is State.PARKED for hop in running.hops))
        (row,) = await running.delivery.waiting()
        assert row.key == "PO \u00e4.*> \u2028x"
        assert row.reason == "no unit for 'furlong'"
