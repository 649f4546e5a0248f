"""The lines between the brokers of several sites, as nats-server is told of them: leaf nodes.

One site listens, the other joins. On both sides the line ends in an account of its own, from which only what
`accounts.py` names leads on: it is the broker of each site that decides what the other one may do there.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mombus.bus.accounts import AccountsError, site_account

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from mombus.bus.broker_keys import Keys


@dataclass(frozen=True, slots=True)
class SiteLines:
    """Where other sites join, or which one this site joins, how, and who signed its certificate."""

    listen: str | None = None
    join: Sequence[str] = ()
    login: Path | None = None
    ca: Path | None = None

    def check(self, sites: Sequence[str], *, tls: bool) -> None:
        """Raises AccountsError when they can't be laid like that."""
        if self.join and (len(sites) != 1 or self.login is None):
            raise AccountsError("--join needs one --site, which is joined, and the --join-login that it gave us")
        if not self.join and self.login is not None:
            raise AccountsError("--join-login needs --join: where that site listens")
        if sites and not (self.listen or self.join):
            raise AccountsError("--site needs --sites-listen, where it joins, or --join, where we do")
        if self.listen and not sites:
            raise AccountsError("--sites-listen needs --site: who may join")
        if self.listen and not tls and not self.listen.startswith(("127.", "localhost:", "[::1]:")):
            raise AccountsError(f"{self.listen} can be reached from other machines: add --tls, or listen on loopback")


def leaf_nodes(lines: SiteLines, sites: Sequence[str], keys: Keys, tls: str) -> tuple[list[str], list[str]]:
    """The section `leafnodes`, and the variables with passwords that it refers to. Raises AccountsError."""
    if not sites:
        return [], []
    passwords: list[str] = []
    section = ["leafnodes {", '  reconnect: "2s"']
    section += _listening(lines, sites, keys, tls, passwords) if lines.listen else []
    section += _joining(lines, sites[0], passwords) if lines.join else []
    return [*section, "}"], passwords


def _listening(
    lines: SiteLines, sites: Sequence[str], keys: Keys, tls: str, passwords: list[str]
) -> Iterator[str]:  # fmt: skip
    yield f"  listen: {json.dumps(lines.listen)}"
    yield "  no_advertise: true"
    if tls:
        yield f"  {tls}"
    yield "  authorization { users: ["
    for number, site in enumerate(sites):
        account = json.dumps(site_account(site))
        passwords.append(f"SITE_{number}_PASSWORD: {json.dumps(keys.password(site_account(site)))}\n")
        user = json.dumps(site_account(site).lower())
        yield f"    {{user: {user}, password: $SITE_{number}_PASSWORD, account: {account}}}"
    yield "  ] }"


def _joining(lines: SiteLines, site: str, passwords: list[str]) -> Iterator[str]:
    login = lines.login.read_text("utf-8").strip() if lines.login else ""
    names = []
    for number, url in enumerate(lines.join):
        scheme, slashes, place = url.partition("://")
        if not slashes or "@" in place or ":" not in login:
            raise AccountsError(f"--join {url}: expected tls://host:port, and the login in the file of --join-login")
        names.append(f"$JOIN_{number}")
        passwords.append(f"JOIN_{number}: {json.dumps(f'{scheme}://{login}@{place}')}\n")
    ca = f", tls {{ ca_file: {json.dumps(str(lines.ca.absolute()))} }}" if lines.ca else ""
    yield f"  remotes: [ {{ urls: [ {', '.join(names)} ], account: {json.dumps(site_account(site))}{ca} }} ]"
