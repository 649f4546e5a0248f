"""A connector's process that was broken into: what it says and answers with its own account hurts nobody else."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest_asyncio
from account_plant import OTHER, account_plant
from hub_plant import order
from patience import PATIENCE_S, until

from canonical.isa95.gap import Gap
from canonical.message import Message, Verb
from canonical.wire import to_headers
from connectors.connector import Item, Level, OutcomeUnknown, Receipt
from connectors.protocols.nats.arrival import arrived
from mombus.bus.broker_files import Proof
from mombus.bus.calls import answerer, framing
from mombus.bus.items import pack
from mombus.desk.audit import Wanted as Deeds
from mombus.desk.kept import KeptItems
from mombus.hub import refusals
from mombus.hub.apart import remote
from mombus.hub.apart.carrying import pack_answers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from account_plant import AccountPlant
    from nats.aio.msg import Msg

ITEM = "mombus.in.lyon.crm.item"
NONSENSE = (
    b"", b"[]", b"null", b"{}", b"[" * 5000, b'{"condition": "ok", "reason": 7}', b"\xff\xfe",
    b'{"condition": "ok", "reason": "", "last_data": "2026-01-01", "health": "ok", "door": {"refused": 3}}',
)  # fmt: skip
FINE = {"condition": "ok", "reason": "", "last_data": None, "health": "ok", "door": None}


@pytest_asyncio.fixture
async def plant(tmp_path, monkeypatch) -> AsyncIterator[AccountPlant]:
    monkeypatch.setattr(remote, "WATCH_S", 0.02)
    async with account_plant(tmp_path, monkeypatch, Proof.NKEYS) as running:
        yield running


async def health(plant: AccountPlant, system: str) -> str:
    status = await plant.hub.desk.status()
    return next(row["health"] for row in status["systems"] if row["name"] == system)


def call(id: str, frame: str = "1/1") -> dict[str, str]:
    return {framing.ID: id, framing.FRAME: frame}


async def test_what_makes_no_sense_about_a_system_is_said_of_it_and_of_nobody_else(plant):
    answers = [(data, {}) for data in NONSENSE]
    answers += [(data, {framing.ERROR: "PermanentError"}) for data in NONSENSE]
    answers += [(b"{}", {framing.FRAME: frame}) for frame in ("1/x", "1/", "1/999999999", "1/-3", "1/²")]
    answers += [(b"{}", {framing.FRAME: "1/2", framing.AT: at}) for at in ("", "..", "a b", ">", "*")]
    given = 0

    async with plant.client(OTHER) as crm:

        async def heard(question: Msg) -> None:
            nonlocal given
            data, headers = answers[given] if given < len(answers) else (json.dumps(FINE).encode(), None)
            given += 1
            await crm.publish(question.reply, data, headers=headers or None)

        await crm.subscribe("mombus.connector.lyon.crm.probe", cb=heard)
        looks = 0
        while given < len(answers):
            seen = await health(plant, "crm"), await health(plant, "mes")
            assert "mombus_system_up" in await plant.hub.desk.metrics()
            if given < len(answers):
                assert seen == ("down", "ok")
                looks += 1
        assert looks
        await until(lambda: health_is(plant, "crm", "ok"))


async def health_is(plant: AccountPlant, system: str, expected: str) -> bool:
    return await health(plant, system) == expected


async def test_an_answer_without_end_is_given_up(plant, monkeypatch):
    monkeypatch.setattr(framing, "MAX_BYTES", 4_000_000)
    sent = 0
    async with plant.client(OTHER) as crm:

        async def endless(question: Msg) -> None:
            nonlocal sent
            sent += 1
            await crm.publish(question.reply, b"x" * 900_000, headers={framing.FRAME: "1/4", framing.AT: "here"})

        await crm.subscribe("mombus.connector.lyon.crm.probe", cb=endless)
        await crm.subscribe("mombus.connector.lyon.crm.probe.here", cb=endless)
        await until(lambda: sent > 12)
        assert (await health(plant, "crm"), await health(plant, "mes")) == ("down", "ok")


async def test_a_reply_in_anothers_name_or_to_what_nobody_asked_is_never_published(plant):
    said = order("PO-1")
    forged = [
        order("PO-666"), order("PO-666", source="crm"), replace(said, verb=Verb.ACKNOWLEDGE),
        replace(said, verb=Verb.ACKNOWLEDGE, source="crm", object="material"),
        replace(said, verb=Verb.ACKNOWLEDGE, source="crm", site="berlin"),
    ]  # fmt: skip
    honest = replace(said, verb=Verb.ACKNOWLEDGE, source="crm")
    refused: list[tuple[str, ...]] = []
    far: Any = remote.remote(plant.admin, "lyon", OTHER, plant.crm)
    far.refused = lambda *told: refused.append(told)
    async with plant.client(OTHER) as crm:
        replies = [*forged, honest]

        async def answer(question: Msg) -> None:
            if (question.headers or {})[framing.FRAME] == "1/2":
                await crm.publish(question.reply, headers={framing.AT: "me"})
            else:
                await crm.publish(question.reply, pack_answers([Receipt(Level.POSTED, "1", replies.pop(0))]))

        await crm.subscribe("mombus.connector.lyon.crm.write", cb=answer)
        await crm.subscribe("mombus.connector.lyon.crm.write.me", cb=answer)
        await arrived(crm)
        for _ in forged:
            (told,) = await far.write([said])
            assert isinstance(told, OutcomeUnknown)
        assert [account for account, _, _ in refused] == [OTHER] * len(forged)
        assert await far.write([said]) == [Receipt(Level.POSTED, "1", honest)]


async def test_a_flood_of_calls_is_bounded_and_keeps_nobody_else_out(plant, monkeypatch):
    monkeypatch.setattr(answerer, "MAX_OPEN", 5)
    monkeypatch.setattr(answerer, "MAX_HELD", 3_000_000)
    begun, go_on = [], asyncio.Event()
    accept = plant.hub.desk._intake.accept

    async def slow(system: str, item: Item, _term: Any) -> Any:
        if system == OTHER:
            begun.append(item)
            await go_on.wait()
        return await accept(system, item)

    monkeypatch.setattr(plant.hub.desk._intake, "accept", slow)
    async with plant.client(OTHER) as crm:
        inbox = crm.new_inbox()
        refused: list[str] = []

        async def told(answer: Msg) -> None:
            refused.append((answer.headers or {}).get(framing.ERROR, ""))

        await crm.subscribe(inbox, cb=told)
        for number in range(60):
            await crm.publish(ITEM, pack(Item()), reply=inbox, headers=call("same" if number < 30 else f"id{number}"))
        for number in range(8):
            await crm.publish(ITEM, b"x" * 900_000, reply=inbox, headers=call(f"half{number}", "1/2"))
        await until(lambda: (refused.count("begin again"), refused.count("")) == (26, 8))
        await crm.publish(ITEM, b"x", reply=inbox, headers=call("half0", "2/2"))
        await until(lambda: refused.count("begin again") == 27)
        await until(lambda: len(begun) == 5)
        assert (await plant.erp.say(order("PO-2"))).accepted
        assert len(begun) == 5
        go_on.set()
        await until(lambda: refused.count("") == 8 + 5)


async def test_no_header_is_smuggled_and_no_id_of_another_taken(plant):
    squatted = order("PO-7", revision=1)
    async with plant.client(OTHER) as crm:
        smuggled = {**to_headers(order("PO-8", source="crm")), "traceparent": "00\r\nNats-Rollup: all"}
        said = {
            "version": 1, "messages": [{"headers": smuggled, "content": 0}], "faults": [], "parts": [2], "raw": None,
            "content_type": "", "document": None, "channel": None, "bookmark": None,
        }  # fmt: skip
        answer = await crm.request(ITEM, json.dumps(said).encode() + b"\n{}", timeout=PATIENCE_S, headers=call("a"))
        assert json.loads(answer.data) == [], "none of its messages was taken"
        (kept,) = (await plant.hub.desk.kept.page(KeptItems()))["rows"]
        assert "traceparent" in kept["reason"]
        body = Gap(system="crm", what="x", since=squatted.occurred, reason="attack")
        own = Message.of(
            "gap", body, source="crm", site="lyon", occurred=squatted.occurred, recorded=squatted.recorded, revision=0
        )
        taking = pack(Item(messages=(replace(own, id=squatted.id),)))
        answer = await crm.request(ITEM, taking, timeout=PATIENCE_S, headers=call("b"))
        assert json.loads(answer.data)[0][0] == squatted.id
    assert (await plant.erp.say(squatted)).accepted
    await until(lambda: any(got.key == "PO-7" for got in plant.mes.got))


async def test_attempts_of_ever_new_kinds_fill_no_disk(plant):
    async with plant.client(OTHER) as crm:
        for number in range(3000):
            await crm.publish(f"mom.lyon.x{number}.sync.erp.0.l.k", b"")
        await arrived(crm)
        await plant.audited(OTHER, "mom.lyon.x0.")

        async def all_noted() -> bool:
            deeds = await plant.hub.desk.audit.deeds(Deeds(who=f"account {OTHER}"))
            return sum(_times(str(deed["result"])) for deed in deeds) == 3000

        await until(all_noted)
    deeds = await plant.hub.desk.audit.deeds(Deeds(who=f"account {OTHER}"))
    assert len({str(deed["action"]).split(".")[2] for deed in deeds}) < 2 * refusals.MOST_KINDS


def _times(result: str) -> int:
    """How many attempts an entry of the audit trail is about."""
    said = re.search(r"(\d+) times", result)
    return int(said[1]) if said else 1
