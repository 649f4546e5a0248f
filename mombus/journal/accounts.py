"""People's accounts, and what lets somebody in without a password: a browser's session, a program's token.

Of both only the SHA-256 is kept: what is in the database opens nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import Boolean, Column, String, Table, Text, delete, insert, select, update

from mombus.journal.databases import storable
from mombus.journal.tables import Instant, metadata

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection

accounts = Table(
    "accounts", metadata,
    Column("name", String(64), primary_key=True),
    Column("roles", Text, nullable=False),
    Column("password", Text, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("since", Instant, nullable=False),
)  # fmt: skip
"""`roles` with spaces between, `password` as mombus/hub/desk/passwords.py writes it."""

passes = Table(
    "passes", metadata,
    Column("hash", String(64), primary_key=True),
    Column("kind", String(8), nullable=False),
    Column("name", String(250), nullable=False, index=True),
    Column("roles", Text),
    Column("since", Instant, nullable=False),
    Column("used", Instant, nullable=False),
    Column("ends", Instant, nullable=False),
    Column("origin", Text, nullable=False),
)  # fmt: skip
"""`roles` are those of whom has no account here, or the fewer of a token; empty for all that the account has."""


class PassKind(StrEnum):
    """What it is shown by."""

    SESSION = "session"
    """A browser's cookie."""
    TOKEN = "token"  # noqa: S105 - a kind
    """A program's `Authorization: Bearer`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One person's. `password` is a hash."""

    name: str
    roles: frozenset[str]
    password: str
    disabled: bool
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """What lets `name` in until `ends`. `origin` is where it came from: an address, an issuer, a token's purpose."""

    hash: str
    kind: PassKind
    name: str
    roles: frozenset[str] | None
    since: datetime
    used: datetime
    ends: datetime
    origin: str

    @property
    def id(self) -> str:
        """By what people name it: the beginning of its hash."""
        return self.hash[:12]


def everybody(connection: Connection) -> Sequence[Account]:
    """All accounts by their name."""
    rows = connection.execute(select(accounts).order_by(accounts.c.name)).mappings()
    return [Account(**{**row, "roles": _words(row["roles"])}) for row in rows]


def account(connection: Connection, name: str) -> Account | None:
    """The account of that name."""
    row = connection.execute(select(accounts).where(accounts.c.name == name)).mappings().first()
    return None if row is None else Account(**{**row, "roles": _words(row["roles"])})


def any_account(connection: Connection) -> bool:
    """True if there is one."""
    return connection.execute(select(accounts.c.name).limit(1)).first() is not None


def add(connection: Connection, one: Account) -> None:
    """Add an account whose name is free."""
    connection.execute(insert(accounts).values(
        name=one.name, roles=_said(one.roles), password=one.password, disabled=one.disabled, since=one.since
    ))  # fmt: skip


def change(connection: Connection, name: str, **values: Any) -> None:
    """Change what is named: `roles`, `password`, `disabled`."""
    if "roles" in values:
        values["roles"] = _said(values["roles"])
    connection.execute(update(accounts).where(accounts.c.name == name).values(**values))


def remove(connection: Connection, name: str) -> None:
    """Take an account away."""
    connection.execute(delete(accounts).where(accounts.c.name == name))


def begin(connection: Connection, one: Pass) -> None:
    """Let in who shows it from now on."""
    connection.execute(delete(passes).where(passes.c.hash == one.hash))
    connection.execute(insert(passes).values(
        hash=one.hash, kind=one.kind, name=one.name, roles=None if one.roles is None else _said(one.roles),
        since=one.since, used=one.used, ends=one.ends, origin=storable(one.origin),
    ))  # fmt: skip


def shown(connection: Connection, hash: str) -> Pass | None:
    """The pass with that hash, also one that has ended."""
    row = connection.execute(select(passes).where(passes.c.hash == hash)).mappings().first()
    return None if row is None else _pass(row)


def all_passes(connection: Connection, name: str | None = None) -> Sequence[Pass]:
    """Those of one person or of all, the newest first; also ended ones that aren't forgotten yet."""
    statement = select(passes).order_by(passes.c.since.desc())
    if name is not None:
        statement = statement.where(passes.c.name == name)
    return [_pass(row) for row in connection.execute(statement).mappings()]


def use(connection: Connection, hash: str, now: datetime) -> None:
    """It was used now."""
    connection.execute(update(passes).where(passes.c.hash == hash).values(used=now))


def end(connection: Connection, hash: str) -> bool:
    """End one. False if it wasn't there."""
    return connection.execute(delete(passes).where(passes.c.hash == hash)).rowcount > 0


def end_all(connection: Connection, name: str, kind: PassKind | None = None, *, but: str | None = None) -> int:
    """End those of one person, of one kind or all, `but` the one with this hash; how many there were."""
    statement = delete(passes).where(passes.c.name == name)
    if kind is not None:
        statement = statement.where(passes.c.kind == kind)
    return connection.execute(statement if but is None else statement.where(passes.c.hash != but)).rowcount


def prune(connection: Connection, now: datetime) -> int:
    """Forget those that have ended."""
    return connection.execute(delete(passes).where(passes.c.ends < now)).rowcount


def _pass(row: Any) -> Pass:
    roles = row["roles"]
    return Pass(**{**row, "kind": PassKind(row["kind"]), "roles": None if roles is None else _words(roles)})


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _said(words: frozenset[str]) -> str:
    return " ".join(sorted(words))
