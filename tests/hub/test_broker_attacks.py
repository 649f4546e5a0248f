"""Systems with accounts of their own attack the broker: each attack fails, changes nothing, and is in the audit trail.

Beside every attack something permitted is done in the same way, so that a broker that refuses everything fails here.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from account_plant import NATIVE, OTHER, account_plant, material
from hub_plant import order
from nats.errors import Error
from patience import PATIENCE_S, until
from proof import Part

from canonical.wire import to_headers
from connectors.connector import Item
from connectors.protocols.nats.arrival import arrived
from mombus.bus.accounts import HUB, WEB
from mombus.bus.broker_files import Proof
from mombus.bus.commands import command_subject
from mombus.bus.items import pack
from mombus.desk.disagreements import DISAGREEMENTS, Wanted
from mombus.desk.journey import JOURNEY, Number
from mombus.desk.kept import KeptItems

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from account_plant import AccountPlant
    from nats.aio.client import Client

    from canonical.message import Message

pytestmark = pytest.mark.asyncio(loop_scope="module")
WAIT_S = 0.25
API: dict[str, dict[str, Any]] = {
    "STREAM.NAMES": {}, "STREAM.INFO.MOM": {}, "STREAM.MSG.GET.MOM": {"seq": 1}, "DIRECT.GET.MOM": {"seq": 1},
    "STREAM.PURGE.MOM": {}, "STREAM.DELETE.MOM": {}, "STREAM.UPDATE.MOM": {"name": "MOM", "subjects": ["x"]},
    "STREAM.CREATE.MINE": {"name": "MINE", "subjects": ["mine.>"]},
    "CONSUMER.CREATE.MOM": {"stream_name": "MOM", "config": {"ack_policy": "none"}},
    "CONSUMER.DURABLE.CREATE.MOM.mine": {"stream_name": "MOM", "config": {"durable_name": "mine"}},
    "CONSUMER.DELETE.MOM.to-mes": {}, "CONSUMER.MSG.NEXT.MOM.to-mes": {"batch": 1}, "CONSUMER.NAMES.MOM": {},
}  # fmt: skip
OWNERS = "mom.lyon.production_order.sync.erp"
CALL = {"mombus-call": "forged", "mombus-frame": "1/1"}
RUNNING = "a broker as `mombus broker-config` writes it, the hub and its parts running"


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=[Proof.NKEYS, Proof.JWT])
async def plant(request, tmp_path_factory) -> AsyncIterator[AccountPlant]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        async with account_plant(tmp_path_factory.mktemp("plant"), monkeypatch, request.param) as running:
            assert (await running.erp.say(order("PO-1"))).accepted
            await running.mes.answers(1)
            yield running


async def asked(client: Client, subject: str, data: bytes = b"", headers: Any = None) -> bytes | None:
    """The answer, None if there is none."""
    with suppress(Error, TimeoutError):
        return (await client.request(subject, data, timeout=WAIT_S, headers=headers)).data
    return None


async def answered(client: Client, subject: str, data: bytes = b"", headers: Any = None) -> bytes:
    """The answer of who does answer, however long that takes."""
    return (await client.request(subject, data, timeout=PATIENCE_S, headers=headers)).data


def publish(client: Client, message: Message, **changed: str) -> Any:
    """Ask for a message to be stored, as a client of JetStream does."""
    return asked(client, changed.pop("subject", message.subject), message.content, {**to_headers(message), **changed})


async def test_a_system_that_speaks_nats_states_what_it_owns_and_takes_what_is_for_it(plant):
    async with plant.client(NATIVE) as wms:
        told: dict[str, Any] = {}

        async def take(message: Any) -> None:
            told[message.headers["ce-subject"]] = message
            await message.respond(b'{"status": "accepted", "document": "T-4711"}')

        await wms.subscribe("wms.take.production_order.sync", cb=take)
        said = await wms.request("wms.say.material.sync", b'{"id": "CAP-1"}', timeout=30)
        assert {"status": "stored", "key": "CAP-1"}.items() <= json.loads(said.data).items()
        assert any("CAP-1" in name for name in (await plant.store())["subjects"]), "stored before it was answered"
        await until(lambda: any(got.key == "CAP-1" for got in plant.mes.got))
        await until(lambda: "PO-1" in told)
        await until(lambda: _known(plant, "T-4711"))


async def _known(plant: AccountPlant, document: str) -> bool:
    return document in json.dumps(await plant.hub.desk.ask(JOURNEY, Number(number="PO-1")), default=str)


async def test_what_others_own_is_kept_as_a_disagreement_whatever_the_headers_say(plant):
    body = order("PO-1", "vinegar").content
    async with plant.client(NATIVE) as wms:
        own, claimed = [
            json.loads((await wms.request("wms.say.production_order.sync", body, timeout=30, headers=headers)).data)
            for headers in (None, {"ce-source": "erp"})
        ]
        for answer in (own, claimed):
            assert answer["status"] == "refused", answer
    assert "erp" in own["reason"]
    await plant.audited("wms", "hand over sync production_order of erp")
    assert [row["key"] for row in (await plant.hub.desk.ask(DISAGREEMENTS, Wanted()))["rows"]] == ["PO-1"]
    assert not any(b"vinegar" in got.content for got in plant.mes.got)


async def test_nobodys_id_can_be_taken(plant, proof):
    """What another will say next is stored, though somebody used its id before."""
    victim = order("PO-next", revision=1)
    stolen = {"Nats-Msg-Id": victim.id, "ce-id": victim.id, "ce-subject": "CAP-thief"}
    async with plant.client(NATIVE) as wms:
        said = await wms.request("wms.say.material.sync", b'{"id": "CAP-thief"}', timeout=30, headers=stolen)
        assert json.loads(said.data)["status"] == "stored"
        assert json.loads(said.data)["id"] != victim.id
    assert (await plant.erp.say(victim)).accepted
    await until(lambda: any(got.id == victim.id for got in plant.mes.got))
    delivered = sum(got.id == victim.id for got in plant.mes.got)
    proof(
        Part.ATTACK,
        fault="id theft: a system that speaks NATS itself says something under the id of the ERP's next order",
        load=RUNNING,
        expected="it gets an id of its own; the order is stored and delivered",
        seen=f"stored under another id; the order delivered {delivered} time",
    )


@pytest.mark.parametrize("account", [OTHER, WEB, "erp"])
async def test_nobody_else_speaks_or_answers_for_a_system_that_speaks_nats(plant, account, proof):
    before = await plant.store()
    async with plant.client(account) as attacker:
        for place in ("say.material.sync", "take.production_order.sync", "find", "get.material"):
            assert await asked(attacker, f"wms.{place}", b'{"id": "CAP-666"}') is None
    assert await plant.store() == before
    deed = await plant.audited(account, "publish on wms.say.material.sync")
    proof(
        Part.ATTACK,
        fault="an account speaks for a system that speaks NATS itself, and answers for it",
        load=RUNNING,
        expected="no answer, nothing stored, in the audit trail",
        seen=f"4 calls unanswered; in the audit trail: {deed['result']}",
    )


async def test_an_answer_that_is_to_go_elsewhere_is_not_given_and_what_was_said_is_kept(plant):
    """In the room of the connector itself, where the broker doesn't change where an answer goes."""
    before = await plant.store()
    async with plant.client("wms") as wms:
        heard = await wms.subscribe("wms.elsewhere")
        await wms.publish("wms.say.material.sync", b'{"id": "CAP-astray"}', reply="wms.elsewhere")
        await wms.publish("wms.say.material.sync", b'{"id": "CAP-astray"}', reply="mombus.in.lyon.wms.item")
        await wms.publish("wms.say.material.sync", b'{"id": "CAP-astray"}')
        said = await wms.request("wms.say.material.sync", b'{"id": "CAP-home"}', timeout=30)
        assert json.loads(said.data)["status"] == "stored"
        assert heard.pending_msgs == 0
    assert not await _has(plant, "CAP-astray")
    kept = json.dumps((await plant.hub.desk.kept.page(KeptItems()))["rows"], default=str)
    assert "'wms.elsewhere'" in kept
    assert "say it as a request" in kept
    assert not _changed(before, await plant.store())


async def test_the_pages_account_asks_commands(plant):
    async with plant.client(WEB) as web:
        answer = json.loads(await answered(web, command_subject("lyon", "waiting"), b"{}"))
        assert answer == {"result": {"rows": [], "next": None}}


@pytest.mark.parametrize("account", [OTHER, NATIVE, WEB])
async def test_nobody_publishes_as_an_owner(plant, account, proof):
    before = await plant.store()
    async with plant.client(account) as attacker:
        assert await publish(attacker, order("PO-666", revision=1)) is None
        assert await publish(attacker, order("PO-666", revision=1, source=account)) is None
    assert await plant.store() == before
    deed = await plant.audited(account, f"publish on {OWNERS}")
    assert deed["result"].startswith("refused")
    stored = len((await plant.store())["subjects"]) - len(before["subjects"])
    proof(
        Part.ATTACK,
        fault="a system publishes an order as its owner, and in its own name",
        load=RUNNING,
        expected="no answer, nothing stored, an entry in the audit trail under the account's name",
        seen=f"{stored} stored; in the audit trail: {deed['result']}",
    )


@pytest.mark.parametrize("account", [OTHER, NATIVE, WEB])
async def test_nobody_reaches_jetstream(plant, account, proof):
    before = await plant.store()
    async with plant.client(account) as attacker:
        answers = await asyncio.gather(*(
            asked(attacker, f"{prefix}.{call}", json.dumps(question).encode())
            for prefix in ("$JS.API", "HUB.API")
            for call, question in API.items()
        ))  # fmt: skip
    assert not any(answers)
    assert await plant.store() == before
    noted = [await plant.audited(account, f"publish on $JS.API.{call}") for call in API]
    proof(
        Part.ATTACK,
        fault="a system reads, purges and deletes streams, makes streams and consumers, takes what is for another",
        load=RUNNING,
        expected="no answer, nothing changed, each attempt in the audit trail",
        seen=f"{len(answers)} calls, {sum(map(bool, answers))} answered; {len(noted)} kinds of call in the audit trail",
    )


INJECTED = (f"{OWNERS}.order:PO-666.PO-666", "$JS.API.STREAM.DELETE.MOM", "_INBOX.somebody")


async def test_a_reply_subject_is_no_way_to_an_owners_subject(plant, proof):
    """Where it is answered, is where the attacker says: that must stay in the attacker's room."""
    before = await plant.store()
    async with plant.client(NATIVE) as wms:
        for number, reply in enumerate(INJECTED):
            own = material(f"CAP-inject-{number}")
            await wms.publish("wms.say.material.sync", own.content, reply=reply)
        await arrived(wms)
    await until(lambda: _has(plant, f"CAP-inject-{len(INJECTED) - 1}"))
    changed = _changed(before, await plant.store())
    assert not changed
    proof(
        Part.ATTACK,
        fault="reply-subject injection: answers to what a system says are sent to an owner's subject, to the API and "
        "to somebody's inbox",
        load=RUNNING,
        expected="what the account may publish is stored; no answer leaves the account's room",
        seen=f"{len(INJECTED)} of its own stored, {len(INJECTED)} answers sent astray, {len(changed)} arrived",
    )


async def test_what_the_hub_answers_goes_nowhere_but_back(plant, proof):
    """A hostile reply_to on calls that the account may make."""
    before = await plant.store()
    async with plant.client(OTHER) as crm, plant.client(WEB) as web:
        for number, reply in enumerate(INJECTED):
            await crm.publish("mombus.in.lyon.crm.bookmark", b"", reply=reply, headers={"mombus-call": f"x{number}"})
            await web.publish(command_subject("lyon", "status"), b"{}", reply=reply)
        assert await answered(crm, "mombus.in.lyon.crm.item", pack(Item()), dict(CALL)) == b"[]", "it answers its own"
        assert await answered(web, command_subject("lyon", "waiting"), b"{}")
    changed = _changed(before, await plant.store())
    assert not changed
    proof(
        Part.ATTACK,
        fault="a hostile reply_to on calls to the hub: an owner's subject, the API, somebody's inbox",
        load=RUNNING,
        expected="no answer leaves the account's room, the next call is answered",
        seen=f"{2 * len(INJECTED)} calls, {len(changed)} streams, consumers or subjects changed, 2 of 2 answered after",
    )


def _changed(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What is different but for what the native system may say."""
    subjects = {
        name
        for name in before["subjects"].keys() | after["subjects"].keys()
        if before["subjects"].get(name) != after["subjects"].get(name) and ".material.sync.wms." not in name
    }
    return [*subjects, *(name for name in ("streams", "consumers") if before[name] != after[name])]


async def _has(plant: AccountPlant, key: str) -> bool:
    return any(name.endswith(f".{key}") for name in (await plant.store())["subjects"])


@pytest.mark.parametrize("account", [OTHER, NATIVE, WEB])
async def test_nobody_overhears_another(plant, account, proof):
    heard: list[str] = []

    async def hear(message: Any) -> None:
        heard.append(message.subject)

    async with plant.client(account) as spy:
        for subject in (">", "_INBOX.>", "mom.>", "$JS.>", "mombus.>", "$SYS.>", "wms.>"):
            await spy.subscribe(subject, cb=hear)
        await arrived(spy)
        key = f"PO-heard-by-{account}"
        assert (await plant.erp.say(order(key))).accepted
        await until(lambda: any(got.key == key for got in plant.mes.got))
        await spy.publish("mine.own", b"")
        await until(lambda: "mine.own" in heard)
    its_own = "wms." if account == NATIVE else f"mombus.connector.lyon.{account}."
    foreign = {subject for subject in heard if not subject.startswith(its_own)}
    assert foreign == {"mine.own"}
    proof(
        Part.ATTACK,
        fault="a system listens to everything, to inboxes and to the API",
        load=RUNNING,
        expected="it hears its own room only",
        seen=f"an order was stored and delivered meanwhile; heard of others' rooms: {len(foreign - {'mine.own'})}",
    )


@pytest.mark.parametrize("account", [OTHER, NATIVE])
async def test_no_system_commands_the_hub_or_another_connector(plant, account, proof):
    before = await plant.store()
    got = len(plant.mes.got)
    writing = pack(Item(messages=(order("PO-666", revision=1),)))
    async with plant.client(account) as attacker:
        for name in ("status", "do", "resume"):
            assert await asked(attacker, command_subject("lyon", name), b"{}") is None
        assert await asked(attacker, "mombus.connector.lyon.mes.write", writing, dict(CALL)) is None
        assert await asked(attacker, "mombus.in.lyon.erp.item", writing, dict(CALL)) is None
    assert (await plant.store(), len(plant.mes.got)) == (before, got)
    for words in ("mombus.command.lyon.status", "mombus.connector.lyon.mes.write", "mombus.in.lyon.erp.item"):
        await plant.audited(account, f"publish on {words}")
    proof(
        Part.ATTACK,
        fault="a system asks commands, writes to another's connector and hands over in another's name",
        load=RUNNING,
        expected="no answer, nothing done, in the audit trail",
        seen=f"5 calls unanswered, {len(plant.mes.got) - got} written to the MES, 3 kinds of call in the audit trail",
    )


async def test_a_part_that_speaks_for_another_system_is_kept_and_noted(plant, proof):
    before = await plant.store()
    async with plant.client(OTHER) as crm:
        own = await answered(crm, "mombus.in.lyon.crm.item", pack(Item()), dict(CALL))
        assert own == b"[]", "what it may do works in the same way"
        said = await answered(crm, "mombus.in.lyon.crm.item", pack(Item(messages=(order("PO-666"),))), dict(CALL))
        ((_, key, accepted, reason),) = json.loads(said or b"[]")
        assert (key, accepted, "can't speak for erp" in reason) == ("PO-666", False, True)
    assert (await plant.store())["subjects"] == before["subjects"]
    kept = [row for row in (await plant.hub.desk.kept.page(KeptItems()))["rows"] if row["system"] == OTHER]
    assert [row["kind"] for row in kept] == ["refused"]
    await plant.audited(OTHER, "hand over sync production_order of erp")
    proof(
        Part.ATTACK,
        fault="spoofing the source at the intake: a part hands over an order as the ERP's",
        load=RUNNING,
        expected="refused by name, kept, in the audit trail; what it may hand over is taken",
        seen=f"answer: {reason}; {len(kept)} kept",
    )


async def test_headers_that_contradict_their_subject_get_nowhere(plant, proof):
    """No account but the hub's reaches these subjects; what is stored there in another's name reaches nobody."""
    own, forged = material("CAP-7"), order("PO-666", revision=1)
    async with plant.client(HUB) as thief:
        for headers in (
            to_headers(forged),
            {**to_headers(own), "ce-site": "berlin"},
            {**to_headers(own), "ce-subject": "CAP-8"},
        ):
            headers["Nats-Msg-Id"] = f"forged-{len(str(headers))}"
            assert await answered(thief, own.subject, forged.content, headers)
        assert await publish(thief, material("CAP-9"))
        await until(lambda: any(got.key == "CAP-9" for got in plant.mes.got))
    forged_got = [got for got in plant.mes.got if got.key in {"PO-666", "CAP-7", "CAP-8"}]
    assert not forged_got
    await plant.audited("wms", "but it is stored on mom.lyon.material.sync.wms")

    async def kept() -> bool:
        return (await plant.store())["dead"] >= 3

    await until(kept)
    proof(
        Part.ATTACK,
        fault="spoofing the source with stolen credentials of the hub: headers name another system, site or thing",
        load=RUNNING,
        expected="delivered to nobody, told on DEAD and in the audit trail; what it says rightly is delivered",
        seen=f"3 forged, {len(forged_got)} delivered, notices of all 3; CAP-9 delivered",
    )
