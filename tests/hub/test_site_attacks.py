"""Two sites joined as `mombus broker-config` writes it: what is told is read, and a hostile site gets nothing else.

The hostile site has a broker and a leaf node of its own, and does there what it likes.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import nats
import pytest
from hub_plant import Asker, config, until, wire
from nats.errors import Error
from nats_server import nats_server
from ports import free_port
from proof import Part

from canonical.isa95.resources import MaterialDefinition
from canonical.message import Message
from connectors.connector import Accept, Effect, Offer
from connectors.protocols.nats.arrival import arrived
from connectors.site import SiteConfig
from mombus.bus.accounts import HUB, AccountsError, accounts
from mombus.bus.broker_files import Proof, credentials_file, write_broker
from mombus.bus.connection import connect
from mombus.bus.login import login
from mombus.bus.site_lines import SiteLines
from mombus.bus.streams import Limits
from mombus.config.model import Bus, Ownership, Plant, Route
from mombus.desk.audit import Wanted as Deeds
from mombus.hub import refusals
from mombus.hub.hub import open_hub

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from pathlib import Path

    from nats.aio.client import Client

    from mombus.config.model import Config

WAIT_S = 0.3
STREAMS = ("MOM", "LATEST", "CLAIMS", "RAW", "DEAD", "SIGNALS", "MARKS")
CALLS = (
    "STREAM.NAMES", "STREAM.CREATE.MINE", *(f"{call}.{stream}" for stream in STREAMS for call in (
        "STREAM.INFO", "STREAM.PURGE", "STREAM.DELETE", "STREAM.MSG.GET", "STREAM.MSG.DELETE", "DIRECT.GET",
        "CONSUMER.NAMES", "CONSUMER.CREATE", "CONSUMER.DURABLE.CREATE", "CONSUMER.MSG.NEXT",
    )),
)  # fmt: skip
TOLD = {f"{call}.{stream}" for call in ("STREAM.INFO", "DIRECT.GET") for stream in ("MOM", "LATEST", "CLAIMS")}
REPLY = "mom.nantes.material.sync.erp.material:M-666.M-666"


def material(id: str) -> Message:
    from hub_plant import NOW  # noqa: PLC0415

    body = MaterialDefinition(id=id)
    return Message.of("material", body, source="erp", site="nantes", occurred=NOW, recorded=NOW, revision=1)


def lyon_config(folder: Path, bus: Bus, url: str = "nats://here") -> Config:
    """Lyon, where Nantes decides about materials, and the MES gets them."""
    nantes = SiteConfig(
        connector="site", url=url, site="nantes", joined=True, objects=("material",),
        credentials=str(folder / "lyon" / credentials_file("nantes", Proof.NKEYS)),
    )  # fmt: skip
    routes = (Route(object="material", to=("mes",), start="snapshot"),)
    return config(folder / "hub", "mes", nantes=nantes, owns={"material": "nantes"}, routes=routes, bus=bus)


def nantes_config(folder: Path) -> Config:
    plain = config(folder, "erp", owns={"material": "erp"})
    plant = Plant(enterprise="acme", site="nantes", timezone=plain.plant.timezone)
    return plain.model_copy(update={"plant": plant, "objects": (Ownership(object="material", owner="erp"),)})


def write_lyon(folder: Path, leaf: int) -> Path:
    """Lyon listens for Nantes, and tells it nothing."""
    lines = SiteLines(listen=f"127.0.0.1:{leaf}")
    found = accounts(lyon_config(folder, Bus()), ["nantes"])
    _write(folder / "lyon", found, lines)
    return folder / "lyon" / "keys" / "site-nantes.login"


def write_nantes(folder: Path, leaf: int, shown: Path) -> None:
    """Nantes joins Lyon, and tells it."""
    lines = SiteLines(join=(f"nats://127.0.0.1:{leaf}",), login=shown)
    _write(folder / "nantes", accounts(nantes_config(folder), ["lyon"], ["lyon"]), lines)


def _write(folder: Path, found: Any, lines: SiteLines) -> None:
    write_broker(folder, found, Proof.NKEYS, listen="127.0.0.1:-1", store=folder / "js", tls=False, lines=lines)


@asynccontextmanager
async def client(url: str, **shown: Any) -> AsyncIterator[Client]:
    async def quiet(_error: Exception) -> None:
        """Refusals are looked for where they must show."""

    one = await nats.connect(url, error_cb=quiet, **shown)
    try:
        yield one
    finally:
        await one.close()


def lawless(folder: Path, leafnodes: str) -> Path:
    folder.mkdir()
    (folder / "nats.conf").write_text(f"listen: 127.0.0.1:-1\nleafnodes {{ reconnect: 1, {leafnodes} }}\n")
    return folder / "nats.conf"


@asynccontextmanager
async def hostile(folder: Path, leafnodes: str) -> AsyncIterator[Client]:
    """A broker without any rules, joined to the other site's, and somebody who does there what he likes."""
    async with nats_server(lawless(folder, leafnodes)) as url, client(url) as attacker:
        yield attacker


async def answered(attacker: Client, subject: str, wait_s: float = WAIT_S) -> bool:
    with suppress(Error, TimeoutError):
        said = await attacker.request(subject, b"{}", timeout=wait_s)
        return (said.headers or {}).get("Status") != "503"
    return False


async def reaches(attacker: Client, prefix: str, calls: Iterable[str] = CALLS) -> set[str]:
    """The calls of JetStream's API that are answered."""
    asked = list(calls)
    found = await asyncio.gather(*(answered(attacker, f"{prefix}.{call}") for call in asked))
    return {call for call, any_answer in zip(asked, found, strict=True) if any_answer}


async def facts(admin: Client) -> dict[str, Any]:
    """What an attack must not change."""
    infos = {str(one.config.name): one.state.messages for one in await admin.jetstream().streams_info()}
    return {"streams": sorted(infos), **{name: infos[name] for name in ("MOM", "RAW", "DEAD", "SIGNALS", "CLAIMS")}}


async def listen(attacker: Client, heard: list[str]) -> None:
    async def hear(message: Any) -> None:
        heard.append(message.subject)

    for subject in (">", "_INBOX.>", "mom.>", "$JS.>", "mombus.>"):
        await attacker.subscribe(subject, cb=hear)
    await arrived(attacker)


async def test_what_one_site_tells_reaches_the_other_over_the_joined_brokers(tmp_path, monkeypatch):
    mes = Asker()
    mes.accepts = {Offer("material"): Accept(Effect.IDEMPOTENT)}  # type: ignore[misc]
    wire(monkeypatch, {"mes": mes, "erp": Asker()})
    leaf = free_port()
    write_nantes(tmp_path, leaf, write_lyon(tmp_path, leaf))
    async with (
        nats_server(tmp_path / "lyon" / "nats.conf") as lyon,
        nats_server(tmp_path / "nantes" / "nats.conf") as url,
    ):
        hub = tmp_path / "nantes" / credentials_file(HUB, Proof.NKEYS)
        async with connect(url, credentials=hub, limits=Limits()) as bus:
            await bus.publish(material("M-1"))
            own = Bus(broker=lyon, credentials=tmp_path / "lyon" / credentials_file(HUB, Proof.NKEYS))
            async with open_hub(lyon_config(tmp_path, own, lyon)):
                await until(lambda: [got.key for got in mes.got] == ["M-1"])
                await bus.publish(material("M-2"))
                await until(lambda: [got.key for got in mes.got] == ["M-1", "M-2"])
    assert {got.source for got in mes.got} == {"nantes"}


async def test_a_hostile_site_that_joins_reads_and_changes_nothing(tmp_path, monkeypatch, proof):
    """Lyon tells Nantes nothing: over the line it is asked by a broker that keeps no rules."""
    monkeypatch.setattr(refusals, "EVERY_S", 0.02)
    mes = Asker()
    mes.accepts = {Offer("material"): Accept(Effect.IDEMPOTENT)}  # type: ignore[misc]
    wire(monkeypatch, {"mes": mes})
    leaf = free_port()
    shown = write_lyon(tmp_path, leaf).read_text().strip()
    own = tmp_path / "lyon" / credentials_file(HUB, Proof.NKEYS)
    remote = f'remotes: [ {{ urls: [ "nats://{shown}@127.0.0.1:{leaf}" ] }} ]'
    heard: list[str] = []
    async with (
        nats_server(tmp_path / "lyon" / "nats.conf") as url,
        client(url, **login(None, own)) as admin,
        open_hub(lyon_config(tmp_path, Bus(broker=url, credentials=own), url)) as hub,
        hostile(tmp_path / "hostile", remote) as attacker,
    ):
        await until(lambda: joined(attacker))
        await listen(attacker, heard)
        before = await facts(admin)
        for prefix in ("$JS.API", "$JS.lyon.API", "site.lyon", "HUB.API"):
            assert await reaches(attacker, prefix) == set(), prefix
        for subject in (
            "mom.lyon.material.sync.nantes.material:M-666.M-666", "mombus.command.lyon.status",
            "mombus.in.lyon.nantes.bookmark", "mombus.connector.lyon.mes.probe", "raw.lyon.mes.1",
        ):  # fmt: skip
            assert not await answered(attacker, subject), subject
        assert await facts(admin) == before
        assert not [subject for subject in heard if subject.startswith(("_INBOX.", "$JS.ACK", "$JS.EVENT"))]

        async def noted() -> bool:
            deeds = await hub.desk.audit.deeds(Deeds(who="account site-nantes"))
            return any("mom.lyon.material" in str(deed["action"]) for deed in deeds)

        await until(noted)
    proof(
        Part.ATTACK,
        fault="a hostile site joins as a leaf node: it listens, publishes, commands, reads, purges and deletes streams",
        load="a broker as `mombus broker-config --site` writes it, a hub running",
        expected="no answer, nothing changed, no inbox heard, in the audit trail",
        seen=f"{4 * len(CALLS) + 5} calls unanswered, streams as before",
    )


async def joined(attacker: Client) -> bool:
    """True once the line stands: what is refused is heard by the other hub, so that it is answered by nobody."""
    try:
        await attacker.request("mombus.command.lyon.status", b"{}", timeout=WAIT_S)
    except nats.errors.NoRespondersError:
        return False
    except Error:
        return True
    return True


async def test_a_hostile_site_that_is_told_reads_that_and_changes_nothing(tmp_path, proof):
    """Nantes tells Lyon: what listens in Lyon's place keeps no rules."""
    leaf = free_port()
    shown = write_lyon(tmp_path, leaf)
    write_nantes(tmp_path, leaf, shown)
    user, _, password = shown.read_text().strip().partition(":")
    listening = f'listen: "127.0.0.1:{leaf}", authorization {{ users: [ {{user: {user}, password: "{password}"}} ] }}'
    heard: list[str] = []
    own = login(None, tmp_path / "nantes" / credentials_file(HUB, Proof.NKEYS))
    hub = tmp_path / "nantes" / credentials_file(HUB, Proof.NKEYS)
    async with (
        hostile(tmp_path / "hostile", listening) as attacker,
        nats_server(tmp_path / "nantes" / "nats.conf") as url,
        client(url, **own) as admin,
        connect(url, credentials=hub, limits=Limits()) as bus,
    ):
        await bus.publish(material("M-1"))
        await until(lambda: answered(attacker, "site.nantes.STREAM.INFO.MOM"))
        await listen(attacker, heard)
        before = await facts(admin)
        assert await reaches(attacker, "site.nantes", set(CALLS) - TOLD) == set()
        for call in TOLD:
            assert await answered(attacker, f"site.nantes.{call}", 30), call
        for prefix in ("$JS.API", "$JS.nantes.API", "HUB.API"):
            assert await reaches(attacker, prefix) == set(), prefix
        question = json.dumps({"seq": 1, "batch": 10}).encode()
        for reply in (REPLY, "$JS.API.STREAM.DELETE.MOM", "mombus.command.nantes.status"):
            await attacker.publish("site.nantes.DIRECT.GET.MOM", question, reply=reply)
        await arrived(attacker)
        heard.clear()
        await bus.publish(material("M-2"))
        assert await answered(attacker, "site.nantes.STREAM.INFO.MOM", 30)
        after = await facts(admin)
    assert after == {**before, "MOM": before["MOM"] + 1}
    inboxes = {subject.rpartition(".")[0] for subject in heard if subject.startswith("_INBOX.")}
    assert len(inboxes) == 1, "its own is the only one that it hears"
    assert not [subject for subject in heard if "M-2" in subject]
    proof(
        Part.ATTACK,
        fault="a hostile site that is told what is stated: other calls and streams, a reply_to of its own",
        load="a broker as `mombus broker-config --site --tell` writes it",
        expected="it reads what it is told; everything else is unanswered, no answer reaches an owner's subject",
        seen=f"{len(TOLD)} calls answered, {4 * len(CALLS) - len(TOLD)} not; 3 answers sent astray, 0 stored",
    )


@pytest.mark.parametrize(
    ("sites", "told", "lines", "words"),
    [
        ([], [], SiteLines(), "add --site nantes"),
        (["nantes"], ["hq"], SiteLines(), "--tell hq: no such site is joined"),
        (["nantes"], [], SiteLines(), "--site needs --sites-listen"),
        (["nantes"], [], SiteLines(listen="0.0.0.0:7422"), "add --tls"),
        (["nantes"], [], SiteLines(join=("tls://lyon:7422",)), "the --join-login that it gave us"),
    ],
)
def test_lines_that_cannot_be_are_not_written(tmp_path, sites, told, lines, words):
    with pytest.raises(AccountsError, match=words):
        _write(tmp_path / "b", accounts(lyon_config(tmp_path, Bus()), sites, told), lines)
    assert not (tmp_path / "b").exists()
