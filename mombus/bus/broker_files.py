"""The configuration of a broker of one's own, as files for nats-server."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING

from mombus.bus.accounts import HUB, SYS, AccountsError, site_account
from mombus.bus.broker_keys import Keys, Tokens, write_private
from mombus.bus.embedded import MAX_PAYLOAD
from mombus.bus.site_lines import SiteLines, leaf_nodes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mombus.bus.accounts import Accounts

NO_LINES = SiteLines()
CONFIGURATION = "nats.conf"
PASSWORDS = "passwords.conf"
KEYS = "keys"


class Proof(StrEnum):
    """How accounts show who they are."""

    PASSWORDS = "passwords"
    NKEYS = "nkeys"
    """Each has a key of its own; the broker knows its public half only."""
    JWT = "jwt"
    """As nkeys; accounts are signed by an operator, so that another operator's tools can manage them."""


def write_broker(
    folder: Path, accounts: Accounts, proof: Proof, *, listen: str, store: Path, tls: bool,
    lines: SiteLines = NO_LINES,
) -> None:  # fmt: skip
    """Write `nats.conf` and, below `keys/`, what each account connects with. Keys that are there stay.

    Raises AccountsError when the lines to other sites can't be laid.
    """
    lines.check(accounts.sites, tls=tls)
    if accounts.sites and proof is Proof.JWT:
        raise AccountsError("sites are joined by passwords: with --site leave --jwt out")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    keys = Keys(folder / KEYS)
    conf = [
        "# Written by `mombus broker-config` from the ownership table: write it anew when that changes.",
        f"server_name: {json.dumps(f'mombus-{accounts.site}')}", f"listen: {json.dumps(listen)}",
        f"max_payload: {MAX_PAYLOAD}",
        f"jetstream {{ store_dir: {json.dumps(str(store))}, sync_interval: always }}",
    ]  # fmt: skip
    certified = ""
    if tls:
        pem, key = (json.dumps(str((folder / name).absolute())) for name in ("broker.pem", "broker.key"))
        certified = f"tls {{ cert_file: {pem}, key_file: {key} }}"
        conf.append(certified)
    leaves, passwords = leaf_nodes(lines, accounts.sites, keys, certified)
    if proof is Proof.JWT:
        conf += _signed(keys, accounts, folder)
    else:
        listed, more = _listed(keys, accounts, proof)
        passwords += more
        conf += listed
    if passwords:
        write_private(folder / PASSWORDS, "".join(passwords))
        conf.insert(1, f"include {json.dumps('./' + PASSWORDS)}")
    (folder / CONFIGURATION).write_text("\n".join([*conf, *leaves]) + "\n", "utf-8")


def credentials_file(account: str, proof: Proof) -> str:
    """What an account connects with, below the folder of the configuration."""
    suffix = {Proof.PASSWORDS: "login", Proof.NKEYS: "nk", Proof.JWT: "creds"}[proof]
    return f"{KEYS}/{account.lower()}.{suffix}"


def _signed(keys: Keys, accounts: Accounts, folder: Path) -> list[str]:
    tokens = Tokens(keys, accounts)
    for account in accounts.names:
        write_private(folder / credentials_file(account, Proof.JWT), tokens.credentials(account))
    known = [f"  {key}: {token}" for key, token in tokens.all_accounts().items()]
    return [
        f"operator: {tokens.operator()}", f"system_account: {tokens.system_account}", "resolver: MEMORY",
        "resolver_preload: {", *known, "}",
    ]  # fmt: skip


def _listed(keys: Keys, accounts: Accounts, proof: Proof) -> tuple[list[str], list[str]]:
    """The section `accounts`, and the variables with passwords that it refers to."""
    lines, passwords = [f"system_account: {SYS}", "accounts {", f"  {SYS} {{ users: [] }}"], list[str]()
    lined = tuple(map(site_account, accounts.sites))
    for account in (*accounts.names, *lined):
        user = ""
        if account in lined:
            pass
        elif proof is Proof.NKEYS:
            user = f"{{nkey: {keys.user(account).public_key.decode()}}}"
        else:
            variable = f"{account.upper().replace('-', '_')}_PASSWORD"
            passwords.append(f"{variable}: {json.dumps(keys.password(account))}\n")
            user = f"{{user: {json.dumps(account.lower())}, password: ${variable}}}"
        lines += [f"  {json.dumps(account)} {{", f"    users: [{user}]"]
        lines += ["    jetstream: enabled"] if account == HUB else []
        lines += [f"    exports: [{''.join(_exports(accounts, account))}\n    ]"]
        lines += [f"    imports: [{''.join(_imports(accounts, account))}\n    ]", "  }"]
    return [*lines, "}"], passwords


def _exports(accounts: Accounts, account: str) -> Iterator[str]:
    shared: dict[tuple[str, bool], list[str]] = {}
    for service in accounts.services:
        if service.exporter == account:
            shared.setdefault((service.subject, service.many), []).append(service.importer)
    for (subject, many), importers in shared.items():
        to = ", ".join(map(json.dumps, importers))
        answers = ", response_type: stream" if many else ""
        yield f"\n      {{service: {json.dumps(subject)}{answers}, accounts: [{to}]}}"


def _imports(accounts: Accounts, account: str) -> Iterator[str]:
    for service in accounts.services:
        if service.importer == account:
            local = f", to: {json.dumps(service.local)}" if service.local != service.subject else ""
            exporter, subject = json.dumps(service.exporter), json.dumps(service.subject)
            yield f"\n      {{service: {{account: {exporter}, subject: {subject}}}{local}}}"
