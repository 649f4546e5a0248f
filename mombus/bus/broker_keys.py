"""Keys of the broker's accounts: kept in files only their owner reads, made once and used again.

What is written anew from a changed ownership table keeps its keys, so that nobody needs new credentials.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import time
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from mombus.bus.accounts import HUB, SYS, Accounts, Service

if TYPE_CHECKING:
    from pathlib import Path

    from nkeys import KeyPair

OPERATOR = "operator"
_FREE = {"subs": -1, "data": -1, "payload": -1}
_LIMITS = {**_FREE, "conn": -1, "imports": -1, "exports": -1, "wildcards": True, "leaf": -1}
_JETSTREAM = {"mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1}


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, from its first moment."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


class Keys:
    """The keys in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def password(self, account: str) -> str:
        """The password of an account's user; beside it the file with which to connect."""
        path = self._folder / f"{account.lower()}.login"
        if not path.exists():
            write_private(path, f"{account.lower()}:{secrets.token_urlsafe(32)}\n")
        return path.read_text("utf-8").strip().partition(":")[2]

    def user(self, account: str) -> KeyPair:
        """The nkey of an account's user, whose file is what to connect with."""
        return self._pair(f"{account.lower()}.nk", "PREFIX_BYTE_USER")

    def account(self, account: str) -> KeyPair:
        """The nkey of an account itself."""
        return self._pair(f"{account.lower()}-account.nk", "PREFIX_BYTE_ACCOUNT")

    def operator(self) -> KeyPair:
        """The nkey that signs the accounts."""
        return self._pair("operator.nk", "PREFIX_BYTE_OPERATOR")

    def _pair(self, name: str, kind: str) -> KeyPair:
        import nkeys  # noqa: PLC0415 - only who writes a broker's configuration needs it

        path = self._folder / name
        if not path.exists():
            write_private(path, nkeys.encode_seed(os.urandom(32), getattr(nkeys, kind)).decode() + "\n")
        return nkeys.from_seed(path.read_text("utf-8").strip().encode())


class Tokens:
    """The JWTs (NATS account JWTs, version 2) of all accounts: who each is, what it exports and imports."""

    def __init__(self, keys: Keys, accounts: Accounts) -> None:
        self._keys = keys
        self._accounts = accounts
        self._public = {name: _public(keys.account(name)) for name in (SYS, *accounts.names)}

    @property
    def system_account(self) -> str:
        """The public key of the broker's own account."""
        return self._public[SYS]

    def operator(self) -> str:
        """Who vouches for the accounts."""
        pair = self._keys.operator()
        return _signed(pair, _public(pair), OPERATOR, {"type": "operator", "version": 2})

    def all_accounts(self) -> dict[str, str]:
        """The JWT of each account, by its public key."""
        return {key: self._account(name) for name, key in self._public.items()}

    def credentials(self, account: str) -> str:
        """What a user of the account connects with, as a .creds file."""
        user = self._keys.user(account)
        said = {"type": "user", "version": 2, "pub": {}, "sub": {}, **_FREE}
        mine = _signed(self._keys.account(account), _public(user), account.lower(), said)
        return (
            f"-----BEGIN NATS USER JWT-----\n{mine}\n------END NATS USER JWT------\n\n"
            f"-----BEGIN USER NKEY SEED-----\n{user.seed.decode()}\n------END USER NKEY SEED------\n"
        )

    def _account(self, name: str) -> str:
        services = self._accounts.services
        said = {
            "type": "account", "version": 2, "limits": {**_LIMITS, **(_JETSTREAM if name == HUB else {})},
            "exports": [_export(service) for service in services if service.exporter == name],
            "imports": [self._import(service) for service in services if service.importer == name],
        }  # fmt: skip
        return _signed(self._keys.operator(), self._public[name], name, said)

    def _import(self, service: Service) -> dict[str, Any]:
        """With the exporter's permission: its exports are private."""
        permission = {"type": "activation", "version": 2, "subject": service.subject, "kind": "service"}
        token = _signed(
            self._keys.account(service.exporter), self._public[service.importer], service.subject, permission
        )
        return {
            "name": service.subject, "type": "service", "account": self._public[service.exporter],
            "subject": service.subject, "local_subject": service.local, "token": token,
        }  # fmt: skip


def _export(service: Service) -> dict[str, Any]:
    return {
        "name": service.subject, "subject": service.subject, "type": "service", "token_req": True,
        "response_type": "Stream" if service.many else "Singleton",
    }  # fmt: skip


def _public(pair: KeyPair) -> str:
    return str(pair.public_key.decode())


def _signed(issuer: KeyPair, subject: str, name: str, claims: dict[str, Any]) -> str:
    said = {"iss": _public(issuer), "sub": subject, "name": name, "iat": int(time.time()), "nats": claims}
    number = base64.b32encode(sha256(json.dumps(said).encode()).digest()).decode().rstrip("=")
    parts = [_encoded({"typ": "JWT", "alg": "ed25519-nkey"}), _encoded({**said, "jti": number})]
    signature = base64.urlsafe_b64encode(issuer.sign(".".join(parts).encode())).decode().rstrip("=")
    return ".".join([*parts, signature])


def _encoded(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
