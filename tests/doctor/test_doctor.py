"""What the doctor finds, of real servers: names, ports, TLS, clocks, brokers, databases, disks, secrets."""

from __future__ import annotations

import asyncio
import os
import ssl
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING

import pytest
from authority import Authority
from nats_server import nats_server
from patience import PATIENCE_S
from ports import free_port

from mombus.config.model import Bus, Http
from mombus.doctor import machine
from mombus.doctor.check import Verdict, clock
from mombus.doctor.reaching import reached
from mombus.doctor.stores import broker, database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from mombus.doctor.check import Check


TLS_HELLO = b"\x16"
"""With what TLS begins."""


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine takes longer to answer, and one without a network to say that there is no such name."""
    for name in ("reaching.PATIENCE_S", "check.APART_S"):
        monkeypatch.setattr(f"mombus.doctor.{name}", PATIENCE_S)


@asynccontextmanager
async def web_server(at: datetime, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """One whose clock says `at`, and that answers in HTTP whatever it hears."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.read(1)
        if first and first != TLS_HELLO:
            await reader.readuntil(b"\r\n\r\n")
        if first:
            head = f"HTTP/1.1 404 Not Found\r\ndate: {format_datetime(at, usegmt=True)}\r\ncontent-length: 0\r\n\r\n"
            writer.write(head.encode())
            await writer.drain()
        writer.close()

    async def quiet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await answer(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            writer.close()

    server = await asyncio.start_server(quiet, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def found(checks: AsyncIterator[Check]) -> list[tuple[Verdict, str]]:
    return [(check.verdict, check.text) async for check in checks]


async def test_a_server_that_answers_in_time_is_well() -> None:
    async with web_server(datetime.now(UTC)) as port:
        checks = await found(reached("erp", f"http://127.0.0.1:{port}/api"))
    assert checks == [
        (Verdict.WELL, f"127.0.0.1:{port} answers"), (Verdict.WELL, "its clock agrees with this machine's")
    ]  # fmt: skip


@pytest.mark.parametrize(("ahead", "words"), [(3600, "ahead of"), (-3600, "behind")])
async def test_a_clock_that_is_wrong_is_told(ahead: int, words: str) -> None:
    async with web_server(datetime.now(UTC) + timedelta(seconds=ahead)) as port:
        *_, (verdict, text) = await found(reached("erp", f"http://127.0.0.1:{port}"))
    assert verdict is Verdict.WRONG
    assert f"s {words} this machine's" in text


async def test_nobody_there_and_no_such_name() -> None:
    ((verdict, text),) = await found(reached("mes", f"mqtt://127.0.0.1:{free_port()}"))
    assert (verdict, "nothing answers at 127.0.0.1:" in text) == (Verdict.WRONG, True)
    ((verdict, text),) = await found(reached("mes", "mqtt://nowhere.invalid:1883"))
    assert (verdict, text) == (Verdict.WRONG, "'nowhere.invalid' is no name that is known here")
    ((verdict, text),) = await found(reached("mes", "mqtt://mes..acme:1883"))
    assert (verdict, text) == (Verdict.WRONG, "'mes..acme' is no name that is known here")


@pytest.mark.parametrize(("days", "verdict"), [(365, Verdict.WELL), (5, Verdict.SOON), (-1, Verdict.WRONG)])
async def test_when_a_certificate_ends_and_who_signed_it(tmp_path: Path, days: float, verdict: Verdict) -> None:
    authority = Authority(tmp_path)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(*authority.sign("127.0.0.1", days))
    async with web_server(datetime.now(UTC), tls) as port:
        trusted = await found(reached("erp", f"https://127.0.0.1:{port}", authority.file))
        strange = await found(reached("erp", f"https://127.0.0.1:{port}"))
    assert trusted[1][0] is verdict
    assert "its certificate" in trusted[1][1]
    assert any("isn't trusted" in text for _, text in strange)
    assert any("isn't trusted" in text for _, text in trusted) == (days < 0)


async def test_a_certificate_for_another_name_is_told_with_what_to_do(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(*authority.sign("erp", alternative="erp.acme.example"))
    async with web_server(datetime.now(UTC), tls) as port:
        checks = [check async for check in reached("erp", f"https://127.0.0.1:{port}", authority.file)]
    (wrong,) = [check for check in checks if check.verdict is Verdict.WRONG]
    assert "IP address mismatch" in wrong.text
    assert wrong.do == "reach it by a name that its certificate has, or give it one for this name"


def test_our_own_certificate_isnt_good_yet_and_its_key_is_open(tmp_path: Path) -> None:
    certificate, key = Authority(tmp_path).sign("hub", since_days=-2)
    key.chmod(0o600)
    http = Http(certificate=certificate, private_key=key)
    (early,) = machine._certificate(http)
    assert (early.verdict, "isn't good before" in early.text) == (Verdict.WRONG, True)
    key.chmod(0o644)
    *_, open_key = machine._certificate(http)
    assert (open_key.verdict, open_key.do) == (Verdict.WRONG, f"chmod 600 {key}")


def test_what_a_slow_answer_takes_is_no_difference_of_clocks() -> None:
    asked = datetime(2026, 3, 2, 6, 0, 0, 500_000, tzinfo=UTC)
    answered = asked + timedelta(minutes=3)
    for theirs in (asked.replace(microsecond=0), asked + timedelta(minutes=2), answered):
        assert clock("erp", theirs, asked, answered, grain_s=1.0).ahead_s == 0
    assert clock("erp", answered + timedelta(seconds=9), asked, answered).ahead_s == 9
    behind = clock("erp", asked - timedelta(seconds=9), asked, answered, grain_s=1.0)
    assert behind.ahead_s == -8


async def test_a_brokers_certificate_is_seen_behind_its_greeting(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.sign("127.0.0.1", 5)
    secure, plain = tmp_path / "secure", tmp_path / "plain"
    for folder, text in {secure: f'tls: {{cert_file: "{certificate}", key_file: "{key}"}}', plain: ""}.items():
        folder.mkdir()
        (folder / "nats.conf").write_text(f'listen: "127.0.0.1:-1"\n{text}')
    async with nats_server(secure / "nats.conf") as url, nats_server(plain / "nats.conf") as open_one:
        checks = [check async for check in reached("shop", url, authority.file)]
        strange = [check async for check in reached("shop", url)]
        assert [check.verdict async for check in reached("shop", open_one)] == [Verdict.WELL]
    assert [(check.verdict, check.field) for check in checks] == [(Verdict.WELL, ""), (Verdict.SOON, "server")]
    assert [check.verdict for check in strange] == [Verdict.WELL, Verdict.SOON, Verdict.WRONG]


async def test_what_doesnt_speak_tls_is_told() -> None:
    async with web_server(datetime.now(UTC)) as port:
        checks = await found(reached("mes", f"mqtts://127.0.0.1:{port}"))
    assert checks[1][0] is Verdict.WRONG
    assert checks[1][1].startswith("TLS can't be agreed on")


async def test_a_broker_of_ones_own(tmp_path: Path) -> None:
    good, off, locked = tmp_path / "good", tmp_path / "off", tmp_path / "locked"
    for folder, text in {
        good: f'jetstream {{store_dir: "{good}"}}', off: "", locked: "authorization: {token: secret}",
    }.items():  # fmt: skip
        folder.mkdir()
        (folder / "nats.conf").write_text(f'listen: "127.0.0.1:-1"\n{text}')
    async with (
        nats_server(good / "nats.conf") as well, nats_server(off / "nats.conf") as without,
        nats_server(locked / "nats.conf") as shut,
    ):  # fmt: skip
        checks = await found(broker(Bus(broker=f"{well},{without},{shut},nats://127.0.0.1:{free_port()}")))
    assert [verdict for verdict, _ in checks] == [Verdict.WELL, Verdict.WRONG, Verdict.WRONG, Verdict.WRONG]
    assert "with JetStream takes us in" in checks[0][1]
    assert checks[1][1].startswith("JetStream can't be used")
    assert "Connect call failed" in checks[3][1]


async def test_a_database_of_ones_own(postgresql: str) -> None:
    version, clock = await found(database(Bus.model_construct(store=postgresql, store_user=None, store_password=None)))
    assert version[0] is clock[0] is Verdict.WELL
    assert version[1].startswith("PostgreSQL ")
    away = Bus.model_construct(
        store=f"postgresql://127.0.0.1:{free_port()}/mombus", store_user=None, store_password=None
    )
    ((verdict, text),) = await found(database(away))
    assert verdict is Verdict.WRONG
    assert "doesn't take us in" in text


def test_secrets_that_others_may_read_are_told(tmp_path: Path) -> None:
    for name, mode in {"ERP": 0o600, "QMS": 0o644}.items():
        (tmp_path / name).write_text("x")
        (tmp_path / name).chmod(mode)
    (check,) = machine._secrets(tmp_path)
    assert (check.verdict, check.text) == (Verdict.WRONG, "others may read QMS")
    (tmp_path / "QMS").chmod(0o400)
    (check,) = machine._secrets(tmp_path)
    assert check.verdict is Verdict.WELL


def test_a_folder_of_secrets_that_is_closed_to_this_user_is_told(tmp_path: Path) -> None:
    closed = tmp_path / "secrets"
    closed.mkdir(mode=0o300)
    me = os.geteuid()
    if me == 0:
        os.seteuid(65534)
    try:
        (check,) = machine._secrets(closed)
    finally:
        os.seteuid(me)
    assert check.verdict is Verdict.SOON
    assert "secrets can't be looked into: Permission denied" in check.text


def test_a_port_that_is_taken_is_told() -> None:
    import socket  # noqa: PLC0415

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert machine._port("127.0.0.1", port).verdict is Verdict.WRONG
    assert machine._port("192.0.2.1", port).do == "set http.host to an address of this machine"
    assert machine._port("127.0.0.1", port).verdict is Verdict.WELL
