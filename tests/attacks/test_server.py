"""Attacks on the hub's HTTP server itself: slow heads, crowds of connections, TLS with the wrong papers."""

from __future__ import annotations

import asyncio
import ssl
from hashlib import sha256
from typing import TYPE_CHECKING

import httpx
import pytest
from authority import Authority
from front_door import heard, served
from patience import until

from connectors.door import DoorConfig, new_token, token_hash
from mombus.config.certificates import ServerCertificate
from mombus.config.model import Http
from mombus.hub import server as serving
from mombus.web import listener

if TYPE_CHECKING:
    from pathlib import Path

GET = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n"


def trusting(authority: Authority, papers: tuple[Path, Path] | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=authority.file)
    if papers is not None:
        context.load_cert_chain(*papers)
    return context


async def test_a_head_that_trickles_in_is_cut_off_while_others_are_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "HEAD_S", 0.5)
    async with served() as (url, port, _):
        trickling = [asyncio.create_task(heard(port, GET, *[b"x-a: y\r\n"] * 40, pause_s=0.1)) for _ in range(5)]
        silent = asyncio.create_task(heard(port))
        async with httpx.AsyncClient(trust_env=False) as client:
            assert (await client.get(f"{url}/livez")).status_code == 200
            for answer in await asyncio.gather(*trickling):
                assert answer.startswith(b"HTTP/1.1 408 "), answer
            assert await silent == b"", "hung up on"
            assert (await client.get(f"{url}/livez")).status_code == 200


async def test_a_second_head_on_the_same_connection_may_not_trickle_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "HEAD_S", 0.4)
    async with served() as (_, port, _house):
        said = await heard(port, GET + b"\r\n", GET, *[b"x-a: y\r\n"] * 40, pause_s=0.1)
        assert said.startswith(b"HTTP/1.1 200 ")
        assert said.count(b"HTTP/1.1 408 ") == 1


async def test_a_long_request_is_not_taken_for_a_slow_head(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "HEAD_S", 0.3)
    async with served() as (_, port, house):
        head = b"POST /in/erp HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 10\r\n\r\n"
        assert (await heard(port, head, *[b"x"] * 10, pause_s=0.1)).startswith(b"HTTP/1.1 202 ")
        assert house.taken == [b"x" * 10]


async def test_an_endless_head_is_refused() -> None:
    async with served() as (_, port, _house):
        answer = await heard(port, GET, b"x-long: " + b"y" * 200_000)
        assert answer.startswith(b"HTTP/1.1 400 ")


async def test_who_takes_all_connections_keeps_nobody_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "MOST_OF_ONE", 5)
    async with served() as (url, port, _house):
        crowd = [await asyncio.open_connection("127.0.0.1", port) for _ in range(5)]
        async with httpx.AsyncClient(trust_env=False) as client:
            assert (await client.get(f"{url}/livez")).status_code == 200
        assert await crowd[0][0].read(1) == b"", "the oldest is hung up on"
        for _, writer in crowd:
            writer.close()


async def test_who_was_let_in_keeps_its_connection_whoever_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "MOST_OF_ONE", 2)
    token = new_token()
    async with served(DoorConfig(tokens=(token_hash(token),))) as (_, port, house):
        said = (
            b"POST /in/erp HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: 1\r\n\r\nx"
            % token.encode()
        )
        known = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        for reader, writer in known:
            writer.write(said)
            assert b" 202 " in await reader.readline()
        assert await heard(port, GET + b"\r\n") == b"", "hung up on"
        for reader, writer in known:
            await reader.readuntil(b"\r\n\r\n")
            await reader.read(1)
            writer.write(said)
            assert b" 202 " in await reader.readline()
            writer.close()
        assert len(house.taken) == 4


async def test_who_goes_on_sending_after_the_answer_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "HEAD_S", 0.5)
    async with served(DoorConfig(tokens=(token_hash(new_token()),))) as (_, port, house):
        head = b"POST /in/erp HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"
        said = await heard(port, head, *[b"x"] * 200, pause_s=0.1)
        assert said.startswith(b"HTTP/1.1 401 ")
        assert said.count(b"HTTP/1.1") == 1
        assert house.taken == []


async def test_a_page_from_elsewhere_cannot_read_the_hub_through_a_browser_here() -> None:
    async with served() as (url, _, _house), httpx.AsyncClient(trust_env=False) as client:
        for name in ("evil.example", "evil.example:80", "127.0.0.1.evil.example", ""):
            assert (await client.get(f"{url}/api/me", headers={"host": name})).status_code == 400
        assert (await client.get(f"{url}/api/me")).status_code == 200
    async with served(names=("hub.acme.example",)) as (url, _, _house), httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(f"{url}/api/me", headers={"host": "hub.acme.example"})).status_code == 200


async def test_only_a_certificate_that_the_door_names_opens_it(tmp_path: Path) -> None:
    authority, stranger = Authority(tmp_path), Authority(tmp_path, "stranger")
    certificate, key = authority.sign("hub")
    sap, mii = authority.sign("sap.acme"), authority.sign("mii", alternative="mii.acme")
    pinned, other = authority.sign("pinned"), authority.sign("other")
    forged, late = stranger.sign("sap.acme", file="forged"), authority.sign("sap.acme", days=-1, file="late")
    der = ssl.PEM_cert_to_DER_cert(pinned[0].read_text())
    door = DoorConfig(certificates=("sap.acme", "mii.acme", f"sha256:{sha256(der).hexdigest()}"))
    tls = {"certificate": certificate, "private_key": key, "client_ca": authority.file}
    async with served(door, **tls) as (url, _, house):

        async def posts(papers: tuple[Path, Path] | None) -> int:
            async with httpx.AsyncClient(verify=trusting(authority, papers), trust_env=False) as client:
                return (await client.post(f"{url}/in/erp", content=b"x")).status_code

        assert [await posts(papers) for papers in (sap, mii, pinned)] == [202, 202, 202]
        assert [await posts(papers) for papers in (other, None)] == [403, 403]
        for papers in (forged, late):
            with pytest.raises(httpx.TransportError):
                await posts(papers)
        assert len(house.taken) == 3
        async with httpx.AsyncClient(verify=trusting(stranger), trust_env=False) as client:
            with pytest.raises(httpx.ConnectError):
                await client.get(url)


async def test_who_is_slow_to_agree_on_tls_is_hung_up_on_while_others_are_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "HANDSHAKE_S", 0.5)
    authority = Authority(tmp_path)
    certificate, key = authority.sign("hub")
    begun = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
    async with served(certificate=certificate, private_key=key) as (url, port, _house):
        silent = [asyncio.create_task(heard(port)) for _ in range(3)]
        trickling = [asyncio.create_task(heard(port, begun, *[b"\x00"] * 40, pause_s=0.1)) for _ in range(3)]
        async with httpx.AsyncClient(verify=trusting(authority), trust_env=False) as client:
            assert (await client.get(f"{url}/livez")).status_code == 200
            assert await asyncio.gather(*silent, *trickling) == [b""] * 6, "hung up on"
            assert (await client.get(f"{url}/livez")).status_code == 200


async def test_old_tls_and_plain_text_are_not_spoken(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.sign("hub")
    async with served(certificate=certificate, private_key=key) as (_, port, _house):
        assert b"HTTP" not in await heard(port, GET + b"\r\n")
        old = trusting(authority)
        old.set_ciphers("ALL:@SECLEVEL=0")
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.open_connection("127.0.0.1", port, ssl=old, server_hostname="127.0.0.1")


async def test_a_renewed_certificate_is_taken_without_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "RENEW_EVERY_S", 0.05)
    authority, later = Authority(tmp_path), Authority(tmp_path, "later")
    certificate, key = authority.sign("hub", days=2)
    async with served(certificate=certificate, private_key=key) as (url, _, _house):

        async def trusts(one: Authority) -> bool:
            try:
                async with httpx.AsyncClient(verify=trusting(one), trust_env=False) as client:
                    return (await client.get(f"{url}/livez")).status_code == 200
            except httpx.ConnectError:
                return False

        assert await trusts(authority)
        assert not await trusts(later)
        later.sign("hub")
        await until(lambda: trusts(later))


def test_a_renewal_that_cannot_be_used_is_told_and_the_old_one_stays(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.sign("hub", days=365)
    used = ServerCertificate(Http(certificate=certificate, private_key=key))
    assert (used.renew(), used.notices()) == (False, [])
    certificate.write_text("half a fi")
    assert not used.renew()
    (notice,) = used.notices()
    assert "the renewed certificate of the HTTP server can't be used" in notice
    authority.sign("hub", days=12.5)
    assert used.renew()
    (notice,) = used.notices()
    assert "ends in 12 days" in notice
