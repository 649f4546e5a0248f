"""History that goes to a target again: through its lanes, its journal and its `when`, with no effect nobody wants."""

from __future__ import annotations

import pytest
from delivery_plant import FACT, NOW, ORDER, Ledger, Sink, fact, hub, mes, order
from patience import until

from connectors.connector import Accept, Effect, PermanentError
from mombus.delivery.commands import Command
from mombus.delivery.replaying import Fate, Terms
from mombus.delivery.target import Rule, State
from mombus.journal import deliveries, replays
from mombus.journal.journal import Journal
from mombus.journal.replays import Manner, Progress, Replay
from mombus.journal.waiting import Wait

BULK = Accept(Effect.IDEMPOTENT, batch=50, concurrency=2)
EFFECTS = (Effect.IDEMPOTENT, Effect.FINDABLE, Effect.BLIND)


async def history(bus):
    """Everything that was ever said, as a replay reads it."""
    last = (await bus.js.stream_info("MOM")).state.last_seq
    return [(seq, await bus.at("MOM", seq)) for seq in range(1, last + 1)]


async def begin(running, part, manner=Manner.MISSING, id="replay-1", target="mes"):
    """A replay of `part` as it is judged, begun but not put."""
    replay = Replay(
        id=id, inbox=target, selection="{}", manner=manner, who="ada", why="lost", begun=NOW, total=len(part),
        upto=part[-1][0], position=0, fates={}, progress=Progress.RUNNING,
    )  # fmt: skip
    journal = running.delivery._journal
    await journal.write(lambda connection: replays.begin(connection, replay))
    terms = Terms(id, manner)
    return await running.delivery.replaying(target).judge(part, terms), terms


async def replay(running, part, manner=Manner.MISSING, id="replay-1", target="mes"):
    """Replay `part`, and return what was said of each by its key."""
    judged, terms = await begin(running, part, manner, id, target)
    assert await running.delivery.replaying(target).put(judged, terms, part[-1][0])
    return {one.message.key: one.fate for one in judged}


async def over(running, target="mes"):
    await until(lambda: running.delivery.replaying(target).in_hand == 0)


async def skip(running, key):
    """A person decides that a parked message isn't sent."""
    (row,) = [row for row in await running.delivery.waiting(target="mes") if row.key == key]
    done = await running.delivery.do(Command.SKIP, "mes", row.message_id, who="ada", why="test")
    assert done.ok, done


async def test_only_what_the_target_never_got_is_sent(bus, journal_path, sink):
    sink.trouble = lambda message, _attempt: PermanentError("no") if message.key == "R-2" else None
    async with hub(bus, journal_path, mes(sink)) as running:
        await bus.publish_batch([fact(f"R-{n}", f"PO-{n}") for n in range(1, 4)])
        await running.until_state("R-2", State.PARKED)
        await running.until_state("R-3", State.DELIVERED)
        await skip(running, "R-2")
        sink.trouble = lambda _message, _attempt: None
        fates = await replay(running, await history(bus))
        assert fates == {"R-1": Fate.THERE, "R-2": Fate.SENT, "R-3": Fate.THERE}
        await running.until_state("R-2", State.DELIVERED)
        assert sink.ledger.got() == ["R-1", "R-3", "R-2"]
        journal = running.delivery._journal
        told = await journal.read(lambda connection: replays.find(connection, "replay-1", "mes"))
        assert (told.position, dict(told.fates)) == (3, {"already there": 2, "sent": 1})


@pytest.mark.parametrize("effect", EFFECTS, ids=str)
async def test_a_restored_target_gets_back_what_it_lost_and_nothing_twice(bus, journal_path, tmp_path, effect):
    """The target's books were put back to an older day: R-1 is in them, R-2 isn't any more."""
    sink = Sink(Ledger(tmp_path / "before.db"), {ORDER: Accept(effect), FACT: Accept(effect)})
    async with hub(bus, journal_path, mes(sink)) as running:
        first = fact("R-1")
        await bus.publish_batch([first, fact("R-2")])
        await running.until_state("R-2", State.DELIVERED)
        sink.ledger = Ledger(tmp_path / "restored.db")
        sink.ledger.add(first)
        fates = await replay(running, await history(bus), Manner.RESTORED)
        await over(running)
        if effect is Effect.BLIND:
            assert set(fates.values()) == {Fate.THERE}
            assert sink.ledger.got() == ["R-1"]
        else:
            assert set(fates.values()) == {Fate.REPEATED}
            assert sink.ledger.got() == ["R-1", "R-2"]


async def test_an_older_state_is_never_brought_back(bus, journal_path, sink):
    async with hub(bus, journal_path, mes(sink)) as running:
        for revision in (1, 2):
            await bus.publish(order("PO-1", revision))
            await running.until_state("PO-1", State.DELIVERED, times=revision)
        judged, _ = await begin(running, await history(bus), Manner.AGAIN)
        assert [one.fate for one in judged] == [Fate.SUPERSEDED, Fate.SENT]


async def test_a_second_effect_happens_once_under_an_id_of_its_own(bus, journal_path, sink):
    async with hub(bus, journal_path, mes(sink)) as running:
        await bus.publish(fact("R-1"))
        await running.until_state("R-1", State.DELIVERED)
        part = await history(bus)
        await replay(running, part, Manner.AGAIN)
        await running.until_state("R-1", State.DELIVERED, times=2)
        told = await replay(running, part, Manner.AGAIN)
        assert told == {"R-1": Fate.THERE}, "the same replay judged again, as after a kill"
        (first, second) = [row[0] for row in sink.ledger.rows("id")]
        assert second == f"{first}:replay-1"


async def test_a_second_effect_that_may_have_happened_goes_to_a_person(bus, journal_path, sink):
    """The target is asked for the document, and would find the first one."""
    async with hub(bus, journal_path, mes(sink)) as running:
        await bus.publish(fact("R-1"))
        await running.until_state("R-1", State.DELIVERED)
        sink.trouble = lambda _message, _attempt: TimeoutError("the answer was lost")
        await replay(running, await history(bus), Manner.AGAIN)
        await running.until_state("R-1", State.IN_DOUBT)
        assert sink.finds == []


async def test_when_decides_also_about_history(bus, journal_path, sink):
    """The first passes and enters; the second of that thing comes because it has entered; another never passes."""
    good = Rule(object="production_order", when=lambda seen: seen["body"].get("description") == "revision 1")
    async with hub(bus, journal_path, mes(sink, Rule(object="production_response"))) as running:
        await bus.publish_batch([order("PO-1", 1), order("PO-2", 2)])
        await bus.publish(order("PO-1", 2))
        await bus.publish(fact("R-1"))
        await running.until_state("R-1", State.DELIVERED)
    async with hub(bus, journal_path, mes(sink, good, Rule(object="production_response"))) as running:
        await running.until_state("PO-1", State.DELIVERED)
        sink.ledger = Ledger(":memory:")
        part = await history(bus)
        judged, _ = await begin(running, part[:3], Manner.RESTORED)
        assert [one.fate for one in judged] == [Fate.SUPERSEDED, Fate.FILTERED, Fate.REPEATED]


async def test_what_was_said_before_a_thing_passed_its_when_is_not_sent_later(bus, journal_path, sink):
    """A fact is open at first, passes with its reason, and is told of once more without one."""

    def when(seen):
        return seen["body"]["material_actual"][0]["quantity"]["value"] == "2"

    reason = Rule(object="production_response", when=when)
    told = [fact("D-1", good=good, revision=good - 1) for good in (1, 2, 3)]
    async with hub(bus, journal_path, mes(sink, reason)) as running:
        await bus.publish_batch([*told, fact("R-9", good=2)])
        await running.until_state("R-9", State.DELIVERED)
        assert sink.ledger.got() == ["D-1", "D-1", "R-9"]
        judged, _ = await begin(running, await history(bus), Manner.MISSING)
        assert [one.fate for one in judged] == [Fate.FILTERED, Fate.THERE, Fate.THERE, Fate.THERE]
    async with hub(bus, journal_path, mes(sink, reason)) as running:
        judged, _ = await begin(running, await history(bus), Manner.RESTORED)
        assert [one.fate for one in judged] == [Fate.FILTERED, *[Fate.REPEATED] * 3], "after a restart as well"


async def test_no_target_gets_what_no_route_brings_it(bus, journal_path, sink):
    async with hub(bus, journal_path, mes(sink, Rule(object="production_response"))) as running:
        await bus.publish_batch([order("PO-1"), fact("R-1")])
        await running.until_state("R-1", State.DELIVERED)
        assert await replay(running, await history(bus)) == {"PO-1": Fate.FILTERED, "R-1": Fate.THERE}
        assert sink.ledger.got() == ["R-1"]


async def test_lanes_keep_history_s_order_behind_what_is_live(bus, journal_path, sink):
    """Six of a lane were skipped. They wait behind the live one that is parked; a newer live one waits behind them."""
    refused = {f"R-{n}" for n in range(1, 7)} | {"LIVE"}
    sink.trouble = lambda message, _attempt: PermanentError("no") if message.key in refused else None
    async with hub(bus, journal_path, mes(sink)) as running:
        for n in range(1, 7):
            await bus.publish(fact(f"R-{n}"))
            await running.until_state(f"R-{n}", State.PARKED)
            await skip(running, f"R-{n}")
        part = await history(bus)
        await bus.publish(fact("LIVE"))
        await running.until_state("LIVE", State.PARKED)
        assert set((await replay(running, part)).values()) == {Fate.SENT}
        await bus.publish(fact("NEWER"))
        await running.until_state("NEWER", State.WAITING)
        refused.clear()
    async with hub(bus, journal_path, mes(sink)) as running:
        rows = await running.delivery.waiting(target="mes")
        assert [row.key for row in rows] == ["LIVE", *(f"R-{n}" for n in range(1, 7)), "NEWER"]
        await running.delivery.do(Command.RETRY, "mes", rows[0].message_id, who="ada", why="test")
        await running.until_state("NEWER", State.DELIVERED)
        assert sink.ledger.got() == ["LIVE", *(f"R-{n}" for n in range(1, 7)), "NEWER"]


async def test_what_was_put_survives_a_stop_and_isn_t_put_twice(bus, journal_path, sink):
    sink.trouble = lambda _message, _attempt: PermanentError("no")
    async with hub(bus, journal_path, mes(sink)) as running:
        for n in range(1, 4):
            await bus.publish(fact(f"R-{n}", f"PO-{n}"))
            await running.until_state(f"R-{n}", State.PARKED)
            await skip(running, f"R-{n}")
        part = await history(bus)
        await running.halt("test")
        await replay(running, part)
    sink.trouble = lambda _message, _attempt: None
    async with hub(bus, journal_path, mes(sink)) as running:
        await until(lambda: len(sink.ledger.got()) == 3)
        await over(running)
        assert await replay(running, part) == dict.fromkeys(("R-1", "R-2", "R-3"), Fate.THERE)
        assert sorted(sink.ledger.got()) == ["R-1", "R-2", "R-3"]


async def test_parked_ones_are_tried_again_where_they_stand(bus, journal_path, sink):
    sink.trouble = lambda message, _attempt: PermanentError("no") if message.key == "R-1" else None
    async with hub(bus, journal_path, mes(sink)) as running:
        await bus.publish_batch([fact("R-1"), fact("R-2")])
        await running.until_state("R-2", State.WAITING)
        sink.trouble = lambda _message, _attempt: None
        assert await replay(running, await history(bus)) == {"R-1": Fate.RETRIED, "R-2": Fate.WAITS}
        await running.until_state("R-2", State.DELIVERED)
        assert sink.ledger.got() == ["R-1", "R-2"]


async def test_what_wasn_t_begun_is_taken_back(bus, journal_path, sink):
    sink.trouble = lambda _message, _attempt: PermanentError("no")
    async with hub(bus, journal_path, mes(sink)) as running:
        await bus.publish(fact("R-1"))
        await running.until_state("R-1", State.PARKED)
        await skip(running, "R-1")
        await running.halt("test")
        await replay(running, await history(bus))
        assert [row.kind for row in await running.delivery.waiting()] == [Wait.REPLAYED]
        assert await running.delivery.replaying("mes").withdraw("replay-1") == 1
        sink.trouble = lambda _message, _attempt: None
        running.delivery.resume("mes")
        await bus.publish(fact("R-2"))
        await running.until_state("R-2", State.DELIVERED)
        assert sink.ledger.got() == ["R-2"]


async def test_a_replay_that_was_cancelled_puts_nothing(bus, journal_path, sink):
    sink.trouble = lambda _message, _attempt: PermanentError("no")
    async with hub(bus, journal_path, mes(sink)) as running:
        await bus.publish(fact("R-1"))
        await running.until_state("R-1", State.PARKED)
        await skip(running, "R-1")
        judged, terms = await begin(running, await history(bus))
        journal = running.delivery._journal
        await journal.write(lambda c: replays.end(c, "replay-1", "mes", Progress.CANCELLED, NOW))
        assert not await running.delivery.replaying("mes").put(judged, terms, 1)
        assert await running.delivery.waiting() == []


async def test_what_a_cancelled_replay_brought_isn_t_sent_after_a_kill_that_came_before_it_was_taken_back(
    bus, journal_path, sink
):
    sink.trouble = lambda _message, _attempt: PermanentError("no")
    async with hub(bus, journal_path, mes(sink)) as running:
        await bus.publish(fact("R-1"))
        await running.until_state("R-1", State.PARKED)
        await skip(running, "R-1")
        await running.halt("test")
        await replay(running, await history(bus))
        journal = running.delivery._journal
        await journal.write(lambda c: replays.end(c, "replay-1", "mes", Progress.CANCELLED, NOW))
    sink.trouble = lambda _message, _attempt: None
    async with hub(bus, journal_path, mes(sink)) as running:
        await bus.publish(fact("R-2"))
        await running.until_state("R-2", State.DELIVERED)
        await running.delivery.replaying("mes").ready()
        assert (sink.ledger.got(), await running.delivery.waiting()) == (["R-2"], [])


async def test_thousands_of_dead_letters_go_in_order_of_their_keys(bus, journal_path, tmp_path):
    """Everything was refused and parked; then the target is mended and all of it is replayed."""
    keys, each = 100, 20
    sink = Sink(Ledger(tmp_path / "mes.db"), {ORDER: BULK, FACT: BULK})
    sink.trouble = lambda _message, _attempt: PermanentError("no")
    async with hub(bus, journal_path, mes(sink)) as running:
        for n in range(each):
            await bus.publish_batch([fact(f"{key:03}-{n:02}", f"PO-{key}") for key in range(keys)])
        await until(lambda: settled(running, keys * each))
        sink.trouble = lambda _message, _attempt: None
        part = await history(bus)
        for start in range(0, len(part), 500):
            await replay(running, part[start : start + 500], id=f"replay-{start}")
        await until(lambda: len(sink.ledger.got()) == keys * each)
        got = sink.ledger.got()
        assert len(set(got)) == keys * each
        for key in range(keys):
            mine = [name for name in got if name.startswith(f"{key:03}-")]
            assert mine == sorted(mine)


async def settled(running, number) -> bool:
    """True once so many wait: the first of each lane parked, the others behind it."""
    return len(await running.delivery.waiting()) == number


async def test_nothing_is_judged_before_what_was_in_hand_has_come_again(bus, journal_path, sink):
    """After a stop the target's position is behind a message that was in hand; those after it are long dealt with."""
    sink.trouble = lambda message, _attempt: PermanentError("no") if message.key == "R-2" else None
    async with hub(bus, journal_path, mes(sink)) as running:
        await bus.publish_batch([fact("R-1", "PO-1"), fact("R-2", "PO-2")])
        await running.until_state("R-2", State.PARKED)
        await skip(running, "R-2")
        part = await history(bus)
    journal = await Journal.open(f"sqlite:///{journal_path}")
    await journal.write(lambda connection: deliveries.settle(connection, "mes", 0))
    await journal.close()
    sink.trouble = lambda _message, _attempt: None
    async with hub(bus, journal_path, mes(sink)) as running:
        await running.delivery.replaying("mes").ready()
        assert await replay(running, part) == {"R-1": Fate.THERE, "R-2": Fate.SENT}
        await running.until_state("R-2", State.DELIVERED)
        assert sink.ledger.got() == ["R-1", "R-2"]
