"""MQTT on real brokers: what wasn't stored is said again, what can't be read is kept, what is lost is told."""

import asyncio
import json
import re
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import aiomqtt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from freezing import frozen
from patience import PATIENCE_S, until
from ports import free_port
from test_mqtt_contract import confirmation, order

from canonical.message import Message
from connectors.connector import (
    ConfigError,
    ConnectorError,
    Gap,
    Halted,
    Health,
    Item,
    NotConnected,
    OutcomeUnknown,
    Receipt,
    Rejected,
    RetryableError,
    Surroundings,
)
from connectors.mes.mqtt import MesMqtt, MesMqttConfig
from connectors.protocols.mqtt.settings import MqttConfig
from plant.broker import Broker
from plant.ending import end
from plant.host_link import HostLink

TOPIC = "mes/out/production_response/sync"


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    broker = Broker(free_port(), tmp_path)
    await broker.start()
    yield broker
    await broker.close()


def mes(url: str, folder: Path | str = ".", **settings: Any) -> MesMqtt:
    config = MesMqttConfig(connector="mes.mqtt", url=url, **{"reply_timeout_s": PATIENCE_S} | settings)
    return MesMqtt(config, Surroundings("mes", "lyon", ZoneInfo("Europe/Paris"), str(folder)))


@asynccontextmanager
async def connected(connector: MesMqtt) -> AsyncIterator[MesMqtt]:
    await connector.connect()
    try:
        yield connector
    finally:
        await connector.close()


async def publish(port: int, *payloads: str | bytes, topic: str = TOPIC, qos: int = 1) -> None:
    async with aiomqtt.Client("127.0.0.1", port) as client:
        for payload in payloads:
            await client.publish(topic, payload, qos=qos)


def said(number: str) -> str:
    return json.dumps(confirmation(number), default=lambda value: value.isoformat())


async def hear(connector: MesMqtt, count: int, *, settle: bool = True, bookmark: str | None = None) -> list[Item]:
    """The next `count` items."""
    items: list[Item] = []
    async with asyncio.timeout(PATIENCE_S):
        async for item in connector.read(bookmark):
            items.append(item)
            if settle and item.settle is not None:
                await item.settle([])
            if len(items) == count:
                break
    return items


def keys(items: list[Item]) -> list[str]:
    return [message.key for item in items for message in item.messages if isinstance(message, Message)]


async def test_what_was_not_stored_is_said_again(broker: Broker) -> None:
    """A hub that dies between hearing and storing hears it again; what it had settled it doesn't."""
    first = mes(broker.url)
    async with connected(first):
        await publish(broker.port, said("C1"), said("C2"), said("C3"))
        (settled,) = await hear(first, 1)
        assert keys(await hear(first, 2, settle=False)) == ["C2", "C3"]
    async with connected(mes(broker.url)) as second:
        await publish(broker.port, said("C4"))
        again: set[str] = set()
        while len(again) < 3:  # a broker says again what isn't acknowledged within a second
            again.update(keys(await hear(second, 1, bookmark=settled.bookmark)))
    assert again == {"C2", "C3", "C4"}


async def test_hubs_that_come_and_go_hear_everything(broker: Broker) -> None:
    """100 messages are said while the hub is stopped again and again in the middle of its work."""
    async with connected(mes(broker.url)):
        pass
    saying = asyncio.create_task(publish(broker.port, *(said(f"C{number}") for number in range(100))))
    stored: set[str] = set()
    for attempt in range(12):
        async with connected(mes(broker.url)) as hub:
            reading = hub.read("2026-03-02T06:00:00+00:00")
            async with asyncio.timeout(PATIENCE_S):
                async for item in reading:
                    assert not any(isinstance(message, Gap) for message in item.messages)
                    stored.update(keys([item]))
                    if len(stored) == 100 or (len(stored) > 9 * (attempt + 1) and attempt < 11):
                        break
                    assert item.settle is not None
                    await item.settle([])
        if len(stored) == 100:
            break
    await saying
    assert len(stored) == 100


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b'{"msgId": "1", "msgId": "2"}', "there twice"),
        (b'{"good": NaN}', "NaN"),
        (b'{"good": ' + b"9" * 4000 + b"}", "4000 digits"),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, "nested deeper"),
        (b"4711", "a JSON object"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b'{"pad": "' + b"x" * 2_000_000 + b'"}', "at most 1048576"),
        (b"", "line 1, column 1"),
        (said("C1").replace('"good"', '"god"').encode(), "good: Field required"),
        (said("C1").replace('"PC"', '"bushel"').encode(), "no Rec 20 code|not a Rec 20 code"),
        (said("C1").replace("+00:00", "").encode(), "ts: "),
        (said("C1").replace('"C1"', '"C\\u0000"').encode(), "control characters"),
    ],
)
async def test_what_cannot_be_read_is_kept_and_stops_nobody(broker: Broker, payload: bytes, reason: str) -> None:
    hub = mes(broker.url)
    async with connected(hub):
        await publish(broker.port, payload, said("C9"))
        bad, good = await hear(hub, 2)
    (fault,) = bad.faults
    assert not bad.messages
    assert fault.place == TOPIC
    assert re.search(reason, fault.reason), fault.reason
    assert fault.raw is not None
    assert payload.startswith(fault.raw)
    assert keys([good]) == ["C9"]
    async with connected(mes(broker.url)) as later:
        await publish(broker.port, said("C10"))
        assert keys(await hear(later, 1)) == ["C10"], "a bad message that was kept isn't said again"


async def test_a_topic_it_does_not_know_is_kept(broker: Broker) -> None:
    hub = mes(broker.url)
    async with connected(hub):
        await publish(broker.port, said("C1"), topic="mes/out/weather/sync")
        (item,) = await hear(hub, 1)
    assert "weather/sync is nothing that this connector reads" in item.faults[0].reason


async def test_more_than_fits_is_left_with_the_broker(broker: Broker) -> None:
    """QoS 1: nothing is lost, the hub connects again for the rest. QoS 0: what didn't fit is counted."""
    hub = mes(broker.url, max_waiting=5)
    async with connected(hub):
        await publish(broker.port, *(said(f"C{number}") for number in range(30)))
        heard: list[Item] = []
        async with asyncio.timeout(PATIENCE_S):
            while len(set(keys(heard))) < 30:
                await hub.connect()
                with suppress(NotConnected):
                    async for item in hub.read(None):
                        heard.append(item)
                        if item.settle is not None:
                            await item.settle([])
                        if len(set(keys(heard))) == 30:
                            break
        assert sorted(set(keys(heard))) == sorted(f"C{number}" for number in range(30))


async def test_what_is_lost_is_counted(broker: Broker) -> None:
    hub = mes(broker.url, max_waiting=5)
    heard, lost = 0, 0
    async with connected(hub), asyncio.timeout(PATIENCE_S):
        await publish(broker.port, *(said(f"C{number}") for number in range(200)), qos=0)
        async for item in hub.read(None):
            heard += len(keys([item]))
            lost += sum(gap.lost or 0 for gap in item.messages if isinstance(gap, Gap))
            if heard + lost == 200:
                break
    assert lost > 0


class AmqttProcess:
    """amqtt, another implementation: it keeps everything in memory, so that a killed one forgets every session."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._config = folder / "amqtt.yaml"
        plugins = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}
        listeners = {"default": {"type": "tcp", "bind": f"127.0.0.1:{self.port}"}}
        self._config.write_text(json.dumps({"listeners": listeners, "plugins": plugins}))

    async def start(self) -> None:
        program = Path(sys.executable).parent / "amqtt"
        quiet = asyncio.subprocess.DEVNULL
        self._process = await asyncio.create_subprocess_exec(
            str(program), "-c", str(self._config), stdout=quiet, stderr=quiet
        )
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                except OSError:
                    await asyncio.sleep(0.05)
                else:
                    writer.close()
                    return

    async def kill(self) -> None:
        self._process.kill()
        await self._process.wait()


async def test_a_forgotten_session_is_told_as_a_gap(tmp_path: Path) -> None:
    broker = AmqttProcess(tmp_path)
    await broker.start()
    try:
        async with connected(mes(f"mqtt://127.0.0.1:{broker.port}", keepalive_s=30)) as hub:
            await publish(broker.port, said("C1"))
            (first,) = await hear(hub, 1)
            await broker.kill()
            with pytest.raises(NotConnected):
                await hear(hub, 1)
            await broker.start()
            await hub.connect()
            await publish(broker.port, said("C2"))
            items = await hear(hub, 2, bookmark=first.bookmark)
    finally:
        await broker.kill()
    (gap,) = items[0].messages
    assert isinstance(gap, Gap)
    assert gap.lost is None
    assert gap.until is not None
    assert timedelta() <= gap.until - gap.since < timedelta(seconds=30)
    assert keys(items) == ["C2"]


async def test_a_broker_that_hangs_is_noticed(broker: Broker) -> None:
    """Its connections stay open but nothing comes: reading ends, a write is in doubt, and both work again later."""
    hub = mes(broker.url, keepalive_s=4, timeout_s=2)
    async with connected(hub):
        assert broker._process is not None
        with frozen(broker._process.pid):
            (unknown,) = await hub.write([order("PO-1")])
            assert isinstance(unknown, OutcomeUnknown)
            assert (await hub.probe()).health is Health.DOWN
            with pytest.raises(NotConnected):
                await hear(hub, 1)
        await until(lambda: _there(hub))
        await publish(broker.port, said("C1"))
        assert keys(await hear(hub, 2)) == ["C1"]


async def _there(hub: MesMqtt) -> bool:
    """Connected; not yet while the broker works off what it missed."""
    with suppress(NotConnected):
        await hub.connect()
        return True
    return False


async def test_credentials(tmp_path: Path) -> None:
    broker = Broker(free_port(), tmp_path, user="hub", password="s3cret")
    await broker.start()
    try:
        for settings in ({}, {"username": "hub", "password": "wrong"}):
            with pytest.raises(Halted, match="check username and password"):
                await mes(broker.url, **settings).connect()
        good = mes(broker.url, username="hub", password="s3cret")
        async with connected(good):
            await until(good.probe, good=lambda probe: probe.reason == "")
        assert "s3cret" not in repr(good.__dict__)
    finally:
        await broker.close()


def certificate(folder: Path) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1."""
    import ipaddress  # noqa: PLC0415

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "plant broker")])
    now = datetime.now(UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    built = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(address, critical=False).sign(key, hashes.SHA256())
    )  # fmt: skip
    (folder / "broker.pem").write_bytes(built.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    (folder / "broker.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    )
    return folder / "broker.pem", folder / "broker.key"


async def test_tls(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    broker = Broker(free_port(), tmp_path, cert=cert, key=key)
    await broker.start()
    try:
        with pytest.raises(Halted, match="certificate isn't trusted"):
            await mes(broker.url).connect()
        with pytest.raises(ConfigError, match="ca_file"):
            await mes(broker.url, tmp_path, ca_file="missing.pem").connect()
        async with connected(mes(broker.url, tmp_path, ca_file="broker.pem")) as hub:
            async with aiomqtt.Client(
                "127.0.0.1", broker.port, tls_context=ssl.create_default_context(cafile=str(cert))
            ) as client:
                await client.publish(TOPIC, said("C1"), qos=1)
            assert keys(await hear(hub, 1)) == ["C1"]
    finally:
        await broker.close()


@pytest.mark.parametrize(
    ("reply", "result"),
    [
        ({"status": "ACCEPTED", "docNo": "N-1"}, Receipt(document="N-1")),
        ({"status": "REJECTED", "reason": "no recipe"}, Rejected("no recipe")),
        ({"status": "RETRY", "reason": "in maintenance"}, RetryableError("in maintenance")),
        ({"status": "MAYBE"}, OutcomeUnknown("can't be read")),
        ({"msgId": "another", "status": "ACCEPTED"}, OutcomeUnknown("answered about another")),
        (None, OutcomeUnknown("no answer on mes/reply/")),
    ],
)
async def test_answers(broker: Broker, reply: dict[str, Any] | None, result: Receipt | ConnectorError) -> None:
    async def answer(client: aiomqtt.Client) -> None:
        async for message in client.messages:
            asked = json.loads(bytes(message.payload))
            if reply is not None:
                await client.publish(asked["replyTo"], json.dumps({"msgId": asked["msgId"]} | reply), qos=1)

    hub = mes(broker.url, **({} if reply else {"reply_timeout_s": 1}))
    async with aiomqtt.Client("127.0.0.1", broker.port) as client, connected(hub):
        await client.subscribe("mes/in/+/+", qos=1)
        answering = asyncio.create_task(answer(client))
        (got,) = await hub.write([order("PO-1")])
        await end([answering])
    if isinstance(result, Receipt):
        assert got == result
    else:
        assert type(got) is type(result)
        assert str(result) in str(got)


async def test_an_mes_that_is_offline_is_told_nothing(broker: Broker) -> None:
    """It says so itself, or the broker does when it vanished; then what it is to be told waits."""
    link = HostLink(broker.url, lambda *_: "N-1")
    async with connected(mes(broker.url, reply_timeout_s=5)) as hub:
        await link.start()
        await until(lambda: works(hub))
        await link.stop()
        await until(lambda: is_offline(hub))
        with_nothing_sent = (await hub.write([order("PO-1")]))[0]
        assert isinstance(with_nothing_sent, NotConnected)
        assert "offline" in str(with_nothing_sent)
        await link.start()
        await until(lambda: works(hub))
        assert await hub.write([order("PO-1")]) == [Receipt(document="N-1")]
        await link.stop()


async def works(hub: MesMqtt) -> bool:
    return (await hub.probe()).health is Health.OK and isinstance((await hub.write([order("PO-0")]))[0], Receipt)


async def is_offline(hub: MesMqtt) -> bool:
    probe = await hub.probe()
    return probe.health is Health.DEGRADED and "offline" in probe.reason


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1", "mqtt://", "mqtt://u:p@127.0.0.1", "mqtt://127.0.0.1/path", "mqtt://127.0.0.1:99999"]
)
def test_refuses_what_is_no_broker(url: str) -> None:
    with pytest.raises(ValueError, match="url"):
        MqttConfig(connector="mqtt", url=url)


def test_ports() -> None:
    assert MqttConfig(connector="mqtt", url="mqtt://broker").port == 1883
    assert MqttConfig(connector="mqtt", url="mqtts://broker").port == 8883
