"""Commands reach a hub whose broker is somebody else's and asks for a token or for credentials."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import stat
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import typer
from hub_plant import Quiet, config, wire
from own_broker import broker
from pydantic import SecretStr

from mombus.cli.asking import ask
from mombus.config.model import Bus
from mombus.hub import note
from mombus.hub.hub import open_hub

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "s3cr3t-of-the-plant"
ROOM = {"mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1}


@asynccontextmanager
async def hub(folder: Path, monkeypatch: pytest.MonkeyPatch, bus: Bus):
    wire(monkeypatch, {"erp": Quiet()})
    async with open_hub(config(folder, "erp", owns={"production_order": "erp"}, bus=bus)):
        yield folder / ".mombus"


async def test_commands_work_with_the_brokers_token(tmp_path, monkeypatch, capsys):
    async with (
        broker(tmp_path / "nats", f'authorization {{ token: "{TOKEN}" }}\n') as url,
        hub(tmp_path, monkeypatch, Bus(broker=url, token=SecretStr(TOKEN))) as folder,
    ):
        found = await asyncio.to_thread(ask, folder, "status")
        assert found["site"] == "lyon"
        assert stat.S_IMODE((folder / note.NAME).stat().st_mode) == 0o600
        left = note.find(folder)
        assert TOKEN not in repr(left)
        note.leave(folder, replace(left, token=None))
        with pytest.raises(typer.Exit):
            await asyncio.to_thread(ask, folder, "status")
        assert "the hub's broker doesn't answer" in capsys.readouterr().err


async def test_commands_work_with_a_credentials_file(tmp_path, monkeypatch):
    pytest.importorskip("nkeys", reason="credentials files need the package nkeys")
    security, credentials = decentral(tmp_path / "hub.creds")
    async with (
        broker(tmp_path / "nats", security) as url,
        hub(tmp_path, monkeypatch, Bus(broker=url, credentials=credentials)) as folder,
    ):
        assert note.find(folder).credentials == str(credentials)
        found = await asyncio.to_thread(ask, folder, "status")
        assert found["site"] == "lyon"


def decentral(path: Path) -> tuple[str, Path]:
    """An operator, two accounts and a user, as `nsc` makes them: the broker's part and the user's file."""
    import nkeys  # noqa: PLC0415 - optional

    operator, system, account, user = (
        nkeys.from_seed(nkeys.encode_seed(os.urandom(32), prefix))
        for prefix in (
            nkeys.PREFIX_BYTE_OPERATOR,
            nkeys.PREFIX_BYTE_ACCOUNT,
            nkeys.PREFIX_BYTE_ACCOUNT,
            nkeys.PREFIX_BYTE_USER,
        )
    )
    boss = token(operator, operator, {"type": "operator", "version": 2})
    limits = {"subs": -1, "data": -1, "payload": -1, "conn": -1, "imports": -1, "exports": -1, "wildcards": True,
              "leaf": -1}  # fmt: skip
    accounts = {
        one.public_key.decode(): token(operator, one, {"type": "account", "version": 2, "limits": limits | room})
        for one, room in ((system, {}), (account, ROOM))
    }
    free = {"type": "user", "version": 2, "pub": {}, "sub": {}, "subs": -1, "data": -1, "payload": -1}
    mine = token(account, user, free)
    path.write_text(
        f"-----BEGIN NATS USER JWT-----\n{mine}\n------END NATS USER JWT------\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{user.seed.decode()}\n------END USER NKEY SEED------\n"
    )
    known = ", ".join(f"{key}: {its}" for key, its in accounts.items())
    resolver = f"resolver: MEMORY\nresolver_preload: {{ {known} }}\n"
    return f"operator: {boss}\nsystem_account: {system.public_key.decode()}\n{resolver}", path


def token(issuer: Any, subject: Any, claims: dict[str, object]) -> str:
    said = {"iss": issuer.public_key.decode(), "sub": subject.public_key.decode(), "iat": 1, "nats": claims}
    number = base64.b32encode(hashlib.sha256(json.dumps(said).encode()).digest()).decode().rstrip("=")
    parts = [encoded({"typ": "JWT", "alg": "ed25519-nkey"}), encoded({**said, "jti": number})]
    signature = base64.urlsafe_b64encode(issuer.sign(".".join(parts).encode())).decode().rstrip("=")
    return ".".join([*parts, signature])


def encoded(part: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
